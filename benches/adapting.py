#!/usr/bin/env python3
"""What a viewer sees behind a link of 2 Mbit/s, without and with `?adapt=1`.

    python3 benches/adapting.py target/release/framecast

Needs root, iproute2 with tbf, and ffmpeg for the pictures. The link is a network namespace behind a pair of virtual
interfaces. A frame's age is from its `X-Timestamp` to its last byte; the clock is the same.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

NEAR, FAR = "198.51.100.5", "198.51.100.6"  # TEST-NET-2
RATE = "2mbit"
FPS = 25
SECONDS = 45
LAST = 15  # what is looked at: by then the viewer is where it stays


def run(command):
    subprocess.run(command.split(), check=True)


def watch(url, seconds):
    """Reads a stream; a line of JSON for each new frame."""
    answer = urllib.request.urlopen(url, timeout=30)
    begun, last = time.time(), None
    while time.time() - begun < seconds:
        line = answer.readline().strip()
        headers = {}
        while line and not line.startswith(b"--"):
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
            line = answer.readline().strip()
        if b"content-length" not in headers:
            continue
        jpeg = answer.read(int(headers[b"content-length"]))
        now, taken = time.time(), float(headers[b"x-timestamp"])
        if taken != last:
            width = int.from_bytes(jpeg[(at := jpeg.find(b"\xff\xc0")) + 7 : at + 9], "big")
            print(json.dumps({"at": now - begun, "age": now - taken, "bytes": len(jpeg), "width": width}))
        last = taken


def far_off(namespace, url):
    """What a viewer in the namespace saw."""
    command = ["ip", "netns", "exec", namespace, sys.executable, __file__, "--watch", url, str(SECONDS)]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def summary(name, frames):
    late = [frame for frame in frames if frame["at"] > SECONDS - LAST]
    if len(late) < 2:
        return f"{name}: {len(late)} frames in {LAST} s"
    ages = sorted(frame["age"] * 1000 for frame in late)
    changes = [(f["at"], f["width"], f["bytes"]) for f in frames]
    moved = [
        f"{at:.0f} s: {width} px, {bytes // 1000} kB"
        for n, (at, width, bytes) in enumerate(changes)
        if n == 0 or width != changes[n - 1][1] or not 0.75 < bytes / changes[n - 1][2] < 1.33
    ]
    return (
        f"{name}: {len(late) / LAST:.1f} frames/s, age p50 {statistics.median(ages):.0f} ms, "
        f"p95 {ages[int(len(ages) * 0.95)]:.0f} ms, {statistics.mean(f['bytes'] for f in late) / 1000:.0f} kB a frame, "
        f"{late[-1]['width']} pixels wide; on its way: {'; '.join(moved)}"
    )


def main(program):
    namespace, near, far = f"adapt{os.getpid()}", f"fan{os.getpid()}", f"faf{os.getpid()}"
    port = 18099
    with tempfile.TemporaryDirectory() as folder:
        pictures = os.path.join(folder, "pictures")
        os.mkdir(pictures)
        source = f"testsrc2=size=1280x720:rate={FPS},noise=alls=12:allf=t"
        run(f"ffmpeg -v error -f lavfi -i {source} -t 2 -q:v 6 {pictures}/%03d.jpg")
        sizes = [os.path.getsize(os.path.join(pictures, name)) for name in os.listdir(pictures)]
        mean = statistics.mean(sizes)
        print(f"offered: {FPS} frames/s of {mean / 1000:.0f} kB, {mean * FPS * 8 / 1e6:.1f} Mbit/s; link: {RATE}")
        config = os.path.join(folder, "framecast.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                f"server: {{listen: '0.0.0.0:{port}'}}\n"
                f"streams: {{cam: {{on_demand: false, source: {{type: images, path: '{pictures}/*', fps: {FPS}}}}}}}\n"
            )
        serving = subprocess.Popen([program, "serve", "--config", config])
        try:
            run(f"ip netns add {namespace}")
            run(f"ip link add {near} type veth peer name {far} netns {namespace}")
            run(f"ip addr add {NEAR}/30 dev {near}")
            run(f"ip link set {near} up")
            run(f"ip -n {namespace} addr add {FAR}/30 dev {far}")
            run(f"ip -n {namespace} link set {far} up")
            run(f"tc qdisc add dev {near} root tbf rate {RATE} burst 16kb latency 50ms")
            time.sleep(1)  # it listens by then
            for name, query in [("as it is", ""), ("adapt=1", "?adapt=1")]:
                frames = far_off(namespace, f"http://{NEAR}:{port}/streams/cam{query}")
                print(summary(name, frames), flush=True)
                report = json.load(urllib.request.urlopen(f"http://{NEAR}:{port}/api/streams/cam"))
                print("   ", report.get("adaptive"), [(r["query"], r["fps"], r["busy"]) for r in report["renditions"]])
        finally:
            serving.terminate()
            serving.wait()
            subprocess.run(["ip", "netns", "delete", namespace], check=False)


if sys.argv[1] == "--watch":
    watch(sys.argv[2], float(sys.argv[3]))
else:
    main(sys.argv[1])
