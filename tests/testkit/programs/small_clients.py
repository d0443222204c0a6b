"""small_clients.py octoprint SNAPSHOT | motioneye STREAM: asks in the way of a program that is too large to be installed here.

octoprint: how its classic webcam plugin fetches a snapshot. motioneye: how its client reads a stream, which looks for the
header's letters and believes the length.
"""

import socket
import sys
from urllib.parse import urlsplit

import requests


def whole(picture):
    return picture[:2] == b"\xff\xd8" and picture[-2:] == b"\xff\xd9"


def octoprint(url):
    answer = requests.get(url, timeout=5, stream=True, verify=True)
    answer.raise_for_status()
    return f"a whole picture: {whole(b''.join(answer.iter_content(chunk_size=1024)))}"


def motioneye(url):
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        stream = connection.makefile("rb")
        pictures = []
        while len(pictures) < 5:
            line = stream.readline()
            if not line.startswith(b"Content-Length: "):
                continue
            length = int(line.split(b":")[1])
            while stream.readline() != b"\r\n":
                pass
            pictures.append(stream.read(length))
    return f"{sum(map(whole, pictures))} whole pictures"


print({"octoprint": octoprint, "motioneye": motioneye}[sys.argv[1]](sys.argv[2]))
