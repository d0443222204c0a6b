"""A camera for a network of its own: `camera.py PORT JPEG...`. Connection n gets picture n again and again.

It ends with the program that it was started beside.
"""
import itertools
import os
import socketserver
import sys
import threading
import time

PICTURES = [open(path, "rb").read() for path in sys.argv[2:]]
NUMBERS = itertools.count()
PARENT = os.getppid()


class Camera(socketserver.BaseRequestHandler):
    def handle(self):
        picture = PICTURES[next(NUMBERS) % len(PICTURES)]
        self.request.recv(4096)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\n"
        part = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n--cam\r\n" % (len(picture), picture)
        self.request.sendall(head)
        while True:
            self.request.sendall(part)
            time.sleep(0.05)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", int(sys.argv[1])), Camera)
threading.Thread(target=server.serve_forever, daemon=True).start()
while os.getppid() == PARENT:
    time.sleep(0.2)
