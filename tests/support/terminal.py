"""terminal.py COLUMNS LINES COMMAND…: a program in a terminal of its own, whose screen is looked at line by line.

Each line of standard input is a command in JSON, each answer a line of JSON, `{"is": …}` or `{"failed": "why"}`:
`{"do": "wait_for", "text": …}` gives the screen's lines once one of them holds the text; `{"do": "wait_without", "text": …}` once
none does; `{"do": "keys", "text": …}` types; `{"do": "size", "columns": …, "lines": …}` makes the terminal so large;
`{"do": "signal", "name": …}` sends a signal; `{"do": "end"}` waits for the program's end and gives its exit status, whether the
terminal is as it was before, and the last screen.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pyte

# A bound on what hangs, not a measure of speed.
PATIENCE_SECONDS = 45
LOOK_AGAIN_SECONDS = 0.05


class Failed(Exception):
    pass


class Terminal:
    def __init__(self, columns, lines, command):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        # The program's end stays open here too: its settings outlast the program.
        self.line, self.inner = pty.openpty()
        self.size(columns, lines)
        self.before = self.settings()
        self.program = subprocess.Popen(
            command,
            stdin=self.inner,
            stdout=self.inner,
            stderr=self.inner,
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def size(self, columns, lines):
        fcntl.ioctl(self.line, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def read(self):
        """What has come; False when nothing more will."""
        goes_on = self.program.poll() is None
        while select.select([self.line], [], [], LOOK_AGAIN_SECONDS)[0]:
            piece = os.read(self.line, 65536)
            self.raw += piece
            self.stream.feed(piece)
        return goes_on

    def shown(self):
        return [line.rstrip() for line in self.screen.display]

    def wait(self, what, look):
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            goes_on = self.read()
            if look():
                return self.shown()
            if not goes_on or time.monotonic() > end:
                shown = "\n".join(self.shown())
                raise Failed(f"waited in vain for {what}; the screen:\n{shown}")

    def wait_for(self, text):
        return self.wait(text, lambda: any(text in line for line in self.shown()))

    def wait_without(self, text):
        return self.wait(f"no {text}", lambda: not any(text in line for line in self.shown()))

    def keys(self, text):
        os.write(self.line, text.encode())

    def colours(self):
        return sorted({cell.fg for row in self.screen.buffer.values() for cell in row.values()} - {"default"})

    def end(self):
        end = time.monotonic() + PATIENCE_SECONDS
        while self.read():
            if time.monotonic() > end:
                raise Failed("it does not end")
        return {
            "status": self.program.returncode,
            "left_other_screen": self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h"),
            "cursor_shown": self.raw.rfind(b"\x1b[?25h") >= self.raw.rfind(b"\x1b[?25l"),
            "settings_restored": self.settings() == self.before,
        }

    def settings(self):
        return termios.tcgetattr(self.inner)[:4]


def main(columns, lines, *command):
    terminal = Terminal(int(columns), int(lines), command)
    commands = {
        "wait_for": terminal.wait_for,
        "wait_without": terminal.wait_without,
        "keys": terminal.keys,
        "size": terminal.size,
        "colours": terminal.colours,
        "signal": lambda name: terminal.program.send_signal(getattr(signal, name)),
        "end": terminal.end,
    }
    try:
        for line in sys.stdin:
            wish = json.loads(line)
            try:
                answer = {"is": commands[wish.pop("do")](**wish)}
            except Failed as failed:
                answer = {"failed": str(failed)}
            print(json.dumps(answer), flush=True)
    finally:
        terminal.program.kill()
        terminal.program.wait()


main(*sys.argv[1:])
