"""browser.py chromium|firefox|webkit: a headless browser that does what it is told, line by line.

Each line of standard input is a command in JSON, `{"do": …}`; each answer is a line of JSON, `{"is": …}` or
`{"failed": "why"}`. Commands that wait look again and again until what they wait for is there.

Chromium is driven by chromedriver and WebKitGTK's MiniBrowser by WebKitWebDriver, over their HTTP interface; Firefox by
Marionette, which it speaks itself. A page finds this machine under the name in LAN_HOST, too (not in WebKit): a page of
http://camera.lan/ is one of another machine for the browser, without what only secure contexts have.
"""

import base64
import importlib.util
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
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
LAN_HOST = "camera.lan"
CHROMIUM_SWITCHES = [
    f"--host-resolver-rules=MAP {LAN_HOST} 127.0.0.1",
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
FIREFOX_PREFERENCES = {
    "network.dns.localDomains": LAN_HOST,
    "marionette.port": 0,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
}
VISIBLE = """
return [...document.querySelectorAll(arguments[0])].filter(element => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && box.bottom > 0 && box.top < innerHeight;
})
"""
SHOWN = """
return [...document.querySelectorAll(arguments[0])].find(element => element.getBoundingClientRect().width > 1) ?? null
"""
AXE = """
const [done] = [...arguments].slice(-1);
axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}).then(
    ({violations}) => done(violations.map(({id, help, nodes}) =>
        `${id}: ${help}: ${nodes.map(({html, any}) => `${html} ${any.map(({message}) => message)}`)}`)),
    error => done([String(error)]));
"""


class Failed(Exception):
    """A command that could not be done, and why."""


def wait_for(what, look):
    start = time.monotonic()
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() - start > PATIENCE_SECONDS:
            raise Failed(f"waited {PATIENCE_SECONDS} s in vain for {what}")
        time.sleep(LOOK_AGAIN_SECONDS)


def ask(method, url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise Failed(f"chromedriver: {method} {url}: {error.read().decode()}") from error


class WebDriver:
    """What drivers of browsers have in common."""

    def begin(self, port, wanted):
        server = f"http://127.0.0.1:{port}"
        # A page of endless pictures is never loaded completely: do not wait for that. The certificates of tests are
        # vouched for by nobody.
        wanted = {"pageLoadStrategy": "none", "acceptInsecureCerts": True, **wanted}
        made = ask("POST", f"{server}/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"{server}/session/{made['sessionId']}"

    def open(self, url):
        ask("POST", f"{self.session}/url", {"url": url})

    def run(self, script, *args):
        return ask("POST", f"{self.session}/execute/sync", {"script": script, "args": args})

    def complaints(self):
        return []


class WebKit(WebDriver):
    """Has no headless mode: it gets a screen of its own."""

    def __init__(self, _profile):
        self.screen = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        display = self.screen.stdout.readline().strip()
        environment = {**os.environ, "DISPLAY": f":{display}", "GDK_BACKEND": "x11", "LIBGL_ALWAYS_SOFTWARE": "1"}
        port = self.start_driver(environment)
        try:
            options = {"binary": minibrowser(), "args": ["--automation"]}
            self.begin(port, {"webkitgtk:browserOptions": options})
        except Failed:
            self.kill()
            raise

    def start_driver(self, environment):
        """It says no port that it chose itself, and ends when another program was faster."""
        for _ in range(FREE_PORTS_TRIED):
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            command = ["WebKitWebDriver", f"--port={port}"]
            self.driver = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            wait_for("WebKitWebDriver", lambda: self.is_ready(port) or self.driver.poll() is not None)
            if self.driver.poll() is None:
                return port
        raise Failed(f"WebKitWebDriver found no port in {FREE_PORTS_TRIED} tries")

    @staticmethod
    def is_ready(port):
        try:
            return ask("GET", f"http://127.0.0.1:{port}/status")["ready"]
        except OSError:
            return False

    def kill(self):
        for program in (self.driver, self.screen):
            program.terminate()
            program.wait()

    def end(self):
        try:
            ask("DELETE", self.session)
        finally:
            self.kill()


def minibrowser():
    """It is in no folder of programs."""
    found = sorted(pathlib.Path("/usr").glob("lib*/**/webkit2gtk-4.1/MiniBrowser"))
    if not found:
        raise Failed("no MiniBrowser: scripts/test installs what the tests need")
    return str(found[0])


class Chromium(WebDriver):
    def __init__(self, profile):
        self.driver = self.started_driver()
        options = {"args": [*CHROMIUM_SWITCHES, f"--user-data-dir={profile}"]}
        try:
            self.begin(self.driver.port, {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}})
        except Failed:
            self.driver.terminate()
            raise

    @staticmethod
    def started_driver():
        """chromedriver takes a free port of IPv6 and then the same of IPv4, which another program may have: it ends then."""
        for _ in range(FREE_PORTS_TRIED):
            driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
            for line in driver.stdout:
                if "started successfully" in line:
                    driver.port = int(line.split()[-1].rstrip("."))
                    return driver
            driver.wait()
        raise Failed(f"chromedriver found no port in {FREE_PORTS_TRIED} tries")

    def run_long(self, script):
        return ask("POST", f"{self.session}/execute/async", {"script": script, "args": []})

    def photograph(self, element):
        return ask("GET", f"{self.session}/element/{key(element)}/screenshot")

    def click(self, element):
        ask("POST", f"{self.session}/element/{key(element)}/click", {})

    def type(self, element, text):
        ask("POST", f"{self.session}/element/{key(element)}/value", {"text": text})

    def act(self, actions):
        ask("POST", f"{self.session}/actions", {"actions": actions})

    def size(self, width, height):
        """A window has a least width; a phone is narrower."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)

    def devtools(self, command, parameters):
        ask("POST", f"{self.session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def complaints(self):
        """What scripts threw and what the content policy forbade."""
        entries = ask("POST", f"{self.session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["source"] in ("javascript", "security")]

    def end(self):
        try:
            ask("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()


class Firefox:
    def __init__(self, profile):
        profile = pathlib.Path(profile)
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in FIREFOX_PREFERENCES.items()]
        (profile / "user.js").write_text("".join(lines))
        switches = ["--headless", "--marionette", "--no-remote", "--profile", str(profile)]
        quiet = subprocess.DEVNULL
        self.firefox = subprocess.Popen(["firefox-esr", *switches], stdout=quiet, stderr=quiet)
        port_file = profile / "MarionetteActivePort"
        try:
            port = wait_for("Firefox's port", lambda: port_file.exists() and port_file.read_text().strip())
            self.line = socket.create_connection(("127.0.0.1", int(port)), PATIENCE_SECONDS)
            self.unread = b""
            self.number = 0
            self.message()
            self.say("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"pageLoadStrategy": "none"}}})
        except (Failed, OSError):
            self.firefox.kill()
            raise

    def message(self):
        """Its length, a colon, and JSON."""
        while b":" not in self.unread:
            self.more()
        length, self.unread = self.unread.split(b":", 1)
        while len(self.unread) < int(length):
            self.more()
        text, self.unread = self.unread[: int(length)], self.unread[int(length) :]
        return json.loads(text)

    def more(self):
        more = self.line.recv(65536)
        if not more:
            raise Failed("Firefox has ended")
        self.unread += more

    def say(self, command, parameters):
        self.number += 1
        text = json.dumps([0, self.number, command, parameters]).encode()
        self.line.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self.message()
        if error:
            raise Failed(f"Firefox: {command}: {error['message']}")
        return result.get("value") if isinstance(result, dict) and "value" in result else result

    def open(self, url):
        self.say("WebDriver:Navigate", {"url": url})

    def run(self, script, *args):
        return self.say("WebDriver:ExecuteScript", {"script": script, "args": args})

    def run_long(self, script):
        return self.say("WebDriver:ExecuteAsyncScript", {"script": script, "args": []})

    def photograph(self, element):
        return self.say("WebDriver:TakeScreenshot", {"id": key(element), "full": False, "hash": False})

    def click(self, element):
        self.say("WebDriver:ElementClick", {"id": key(element)})

    def complaints(self):
        return []

    def end(self):
        try:
            self.say("Marionette:Quit", {"flags": ["eForceQuit"]})
        except (Failed, OSError):
            self.firefox.kill()
        self.firefox.wait()


def key(element):
    return next(iter(element.values()))


def picture(browser, element):
    png = base64.b64decode(browser.photograph(element))
    return cv2.imdecode(numpy.frombuffer(png, numpy.uint8), cv2.IMREAD_GRAYSCALE)


def differs(one, other):
    if one.shape != other.shape:
        return False
    return numpy.count_nonzero(cv2.absdiff(one, other) > CHANGED_LEVELS) >= CHANGED_PIXELS


def the(browser, selector):
    """The first element that is shown and that it means, scrolled to."""
    element = wait_for(selector, lambda: browser.run(SHOWN, selector))
    browser.run("arguments[0].scrollIntoView({block: 'nearest'})", element)
    return element


def moving(browser, selector, count):
    """Photographs so many elements as the screen shows them, until each has changed."""

    def visible():
        found = browser.run(VISIBLE, selector)
        return found if len(found) >= count else None

    first = {key(element): (element, picture(browser, element)) for element in wait_for(f"{count} of {selector}", visible)}
    moved = set()

    def enough_moved():
        for name, (element, before) in first.items():
            if name not in moved and differs(before, picture(browser, element)):
                moved.add(name)
        return len(moved) >= count

    wait_for(f"{count} of {selector} to move", enough_moved)
    return len(moved)


def drag(browser, start, end):
    """With the mouse, from the middle of one element to that of another."""
    middle = lambda selector: {"type": "pointerMove", "duration": 50, "origin": the(browser, selector), "x": 0, "y": 0}
    steps = [middle(start), {"type": "pointerDown", "button": 0}, middle(end), {"type": "pointerUp", "button": 0}]
    browser.act([{"type": "pointer", "id": "mouse", "actions": steps}])


def axe(browser):
    """What axe-core finds fault with."""
    package = importlib.util.find_spec("axe_playwright_python").submodule_search_locations[0]
    browser.run(f"{(pathlib.Path(package) / 'axe.min.js').read_text()}; window.axe = axe;")
    return browser.run_long(AXE)


def screenshot(browser, path):
    body = browser.run("return document.documentElement")
    pathlib.Path(path).write_bytes(base64.b64decode(browser.photograph(body)))


COMMANDS = {
    "open": lambda browser, url: browser.open(url),
    "run": lambda browser, script: browser.run(script),
    "wait_for": lambda browser, script: wait_for(script, lambda: browser.run(script)),
    "moving": moving,
    "click": lambda browser, selector: browser.click(the(browser, selector)),
    "type": lambda browser, selector, text: browser.type(the(browser, selector), text),
    "drag": drag,
    "size": lambda browser, width, height: browser.size(width, height),
    "axe": axe,
    "complaints": lambda browser: browser.complaints(),
    "screenshot": screenshot,
}


def obey(browser, line):
    wish = json.loads(line)
    try:
        return {"is": COMMANDS[wish.pop("do")](browser, **wish)}
    except Failed as failed:
        return {"failed": str(failed)}


def main(kind):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = {"chromium": Chromium, "firefox": Firefox, "webkit": WebKit}[kind](profile)
        try:
            for line in sys.stdin:
                print(json.dumps(obey(browser, line)), flush=True)
        finally:
            browser.end()


signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
main(sys.argv[1])
