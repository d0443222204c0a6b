"""browser.py URL COUNT: opens a page in headless Chromium and waits until COUNT of its pictures
(drawings aside) have changed on screen.

Each picture is photographed as the screen shows it, again and again, until enough of its pixels differ from the first
photograph. Driven by chromedriver, over its HTTP interface.
"""

import base64
import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import cv2
import numpy

FREE_PORTS_TRIED = 5
# A bound on what hangs, not a measure of speed.
PATIENCE_SECONDS = 45
LOOK_AGAIN_SECONDS = 0.1
# A moving picture changes far more; a blinking cursor or a border far less.
CHANGED_PIXELS = 100
CHANGED_LEVELS = 40
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1024",
]
VISIBLE_PICTURES = """
return [...document.images].filter(picture =>
    picture.naturalWidth > 1 && picture.getClientRects().length > 0 && !picture.src.endsWith(".svg"))
"""


def ask(method, url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        sys.exit(f"chromedriver: {method} {url}: {error.read().decode()}")


def wait_for(what, look):
    start = time.monotonic()
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() - start > PATIENCE_SECONDS:
            sys.exit(f"waited {PATIENCE_SECONDS} s in vain for {what}")
        time.sleep(LOOK_AGAIN_SECONDS)


def photograph(session, picture):
    png = base64.b64decode(ask("GET", f"{session}/element/{picture}/screenshot"))
    return cv2.imdecode(numpy.frombuffer(png, numpy.uint8), cv2.IMREAD_GRAYSCALE)


def differs(one, other):
    if one.shape != other.shape:
        return False
    return numpy.count_nonzero(cv2.absdiff(one, other) > CHANGED_LEVELS) >= CHANGED_PIXELS


def watch(session, url, count):
    ask("POST", f"{session}/url", {"url": url})
    script = {"script": VISIBLE_PICTURES, "args": []}

    def pictures():
        found = [next(iter(element.values())) for element in ask("POST", f"{session}/execute/sync", script)]
        return found if len(found) >= count else None

    first = {picture: photograph(session, picture) for picture in wait_for(f"{count} pictures", pictures)}
    moved = set()

    def enough_moved():
        for picture in first.keys() - moved:
            if differs(first[picture], photograph(session, picture)):
                moved.add(picture)
        return len(moved) >= count

    wait_for(f"{count} pictures to move", enough_moved)
    print(f"{len(moved)} of {len(first)} pictures moved")


def started_driver():
    """chromedriver takes a free port of IPv6 and then the same of IPv4, which another program may have: it ends then."""
    for _ in range(FREE_PORTS_TRIED):
        driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in driver.stdout:
            if "started successfully" in line:
                driver.port = int(line.split()[-1].rstrip("."))
                return driver
        driver.wait()
    sys.exit(f"chromedriver found no port in {FREE_PORTS_TRIED} tries")


def main(url, count):
    with tempfile.TemporaryDirectory() as profile:
        options = {"args": [*SWITCHES, f"--user-data-dir={profile}"]}
        # A page of endless pictures is never loaded completely: do not wait for that.
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "pageLoadStrategy": "none"}}
        with started_driver() as driver:
            try:
                server = f"http://127.0.0.1:{driver.port}"
                made = ask("POST", f"{server}/session", {"capabilities": wanted})
                session = f"{server}/session/{made['sessionId']}"
                try:
                    watch(session, url, count)
                finally:
                    ask("DELETE", session)
            finally:
                driver.terminate()


signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
main(sys.argv[1], int(sys.argv[2]))
