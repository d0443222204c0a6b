"""What schemathesis cannot make by itself: pictures, and a client's address of its own for each request, since framecast slows
down an address that shows many wrong credentials."""

import base64
import itertools

import requests
import schemathesis
from hypothesis import strategies

# 8x8 pixels, grey.
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgy"
    "PC4zNDL/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAB//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AVH//2Q=="
)
FEED = b"".join(
    b"--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(JPEG), JPEG) for _ in range(2)
)
BROKEN = [b"", JPEG[:40], b"GIF89a", b"\x89PNG\r\n\x1a\n"]


for kind in ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"]:
    schemathesis.openapi.media_type(kind, strategies.sampled_from([JPEG, *BROKEN]))
schemathesis.openapi.media_type("multipart/x-mixed-replace", strategies.sampled_from([FEED, FEED[:300], *BROKEN]))

ADDRESSES = itertools.count(1)
SEND = requests.Session.send


def send(session, request, **how):
    number = next(ADDRESSES)
    request.headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return SEND(session, request, **how)


requests.Session.send = send
