"""small_clients.py octoprint SNAPSHOT | motioneye STREAM | input_http STREAM: asks in the way of a program that is too large to be installed here.

octoprint: how its classic webcam plugin fetches a snapshot. motioneye: how its client reads a stream, which looks for the
header's letters and believes the length. input_http: how mjpg-streamer's plugin of this name reads a stream, which takes for
the end of a head what has the bits of two line ends (so do the last letters of the status line, `OK`), and everything up to
the boundary for a picture; the first one is the rest of the head, as from mjpg-streamer itself.
"""

import socket
import sys
from urllib.parse import urlsplit

import requests

# Three seconds of 15 a second.
INPUT_HTTP_PICTURES = 46


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


def input_http(url):
    parts = urlsplit(url)
    boundary = b"--boundarydonotcross"
    line_end = lambda two: two & 0x0D0A == 0x0D0A
    pictures = []
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        # With the NUL that ends the text in C; it asks for no other path.
        connection.sendall(b"GET /?action=stream HTTP/1.0\r\n\r\n\0")
        in_head, last, content = True, 0, bytearray()
        while len(pictures) <= INPUT_HTTP_PICTURES:
            received = connection.recv(4096)
            if not received:
                return f"the stream ended after {len(pictures)} pictures"
            for byte in received:
                if in_head:
                    last = (last << 8 | byte) & 0xFFFFFFFF
                    in_head = not (line_end(last) and line_end(last >> 16))
                    continue
                content.append(byte)
                if content.endswith(boundary):
                    # A negative length would end the program.
                    pictures.append(bytes(content[: len(content) - len(boundary) - 2]))
                    assert len(content) >= len(boundary) + 2
                    in_head, last, content = True, 0, bytearray()
    return f"{sum(map(whole, pictures[1:]))} whole pictures"


print({"input_http": input_http, "octoprint": octoprint, "motioneye": motioneye}[sys.argv[1]](sys.argv[2]))
