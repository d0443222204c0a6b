"""A network that loses packets, without anything but a TUN device (CONFIG_NET_SCH_NETEM is not in every kernel).

lossy.py LOSS FOLDER

Whoever connects to THERE reaches, through this program, whoever listens on HERE: each packet comes out of the device, and goes back in
with its two addresses exchanged, which leaves its checksums right. LOSS of 100 packets do not go back. Between this network and those
outside, where the test is, connections are carried through Unix sockets in FOLDER:

    camera (lossy)   THERE:8001 -> camera.sock      framecast asks for it
    viewer (lossy)   viewer.sock -> THERE:8080      framecast listens there
    clean camera     127.0.0.1:8002 -> clean.sock

It ends with the program that it was started beside. At SIGUSR1 it writes how many packets there were and how many were lost into FOLDER/lost.
"""

import fcntl
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

HERE, THERE = "10.77.0.1", "10.77.0.2"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000

PARENT = os.getppid()

loss, folder = float(sys.argv[1]) / 100, sys.argv[2]
seen = lost = 0


def device():
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH14x", b"lossy", IFF_TUN | IFF_NO_PI))
    for words in (f"addr add {HERE}/24 dev lossy", "link set lossy up", "link set lo up"):
        subprocess.run(["ip", *words.split()], check=True)
    return tun


def reflect(tun):
    global seen, lost
    chance = random.Random(6)
    while True:
        packet = os.read(tun, 65536)
        if packet[0] >> 4 != 4:
            continue
        seen += 1
        if chance.random() < loss:
            lost += 1
            continue
        os.write(tun, packet[:12] + packet[16:20] + packet[12:16] + packet[20:])


def copy(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def carry(listener, connect):
    while True:
        near = listener.accept()[0]
        try:
            far = connect()
        except OSError:
            near.close()
            continue
        threading.Thread(target=copy, args=(near, far), daemon=True).start()
        threading.Thread(target=copy, args=(far, near), daemon=True).start()


def listening(family, address):
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen()
    return listener


def unix(name):
    def connect():
        far = socket.socket(socket.AF_UNIX)
        far.connect(f"{folder}/{name}")
        return far

    return connect


def tell(*_):
    with open(f"{folder}/lost.new", "w") as file:
        file.write(f"{seen} {lost}")
    os.rename(f"{folder}/lost.new", f"{folder}/lost")


tun = device()
lines = [
    (listening(socket.AF_INET, (HERE, 8001)), unix("camera.sock")),
    (listening(socket.AF_INET, ("127.0.0.1", 8002)), unix("clean.sock")),
    (listening(socket.AF_UNIX, f"{folder}/viewer.sock"), lambda: socket.create_connection((THERE, 8080))),
]
signal.signal(signal.SIGUSR1, tell)
for listener, connect in lines:
    threading.Thread(target=carry, args=(listener, connect), daemon=True).start()
threading.Thread(target=reflect, args=(tun,), daemon=True).start()
with open(f"{folder}/pid.new", "w") as file:
    file.write(str(os.getpid()))
os.rename(f"{folder}/pid.new", f"{folder}/pid")
while os.getppid() == PARENT:
    time.sleep(0.2)
