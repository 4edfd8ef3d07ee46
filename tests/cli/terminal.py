"""A real terminal for the command: what a person would see, as text, and what is typed into it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from tests.cli.command import COMMAND, ROOT, environment

COLOURS = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7])(?:;\d+)*m")
_PIECES = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z])|(\r|\n|[^\r\n\x1b]+)")


class Terminal:
    """Runs `cnnbp` with stdin, stdout and stderr on a pseudo-terminal of some columns; `stdout` may go elsewhere."""

    def __init__(self, width, *arguments, cwd=ROOT, stdout=None, **variables):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=cwd,
            env=environment(**{"TERM": "xterm-256color", **variables}),
            stdin=slave,
            stdout=stdout or slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.raw = b""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def type(self, keys):
        os.write(self.master, keys)

    def read_until(self, text, seconds=60):
        """Read until `text` has come, or the end where it is None."""
        end = time.monotonic() + seconds
        while text is None or text not in self.raw:
            ready, _, _ = select.select([self.master], [], [], max(end - time.monotonic(), 0))
            if not ready:
                raise TimeoutError(f"{text!r} did not come after {self.raw[-500:]!r}")
            try:
                self.raw += os.read(self.master, 1 << 16)
            except OSError:  # the other end was closed
                break
        assert text is None or text in self.raw, self.raw[-500:]

    def finish(self):
        """Return the exit code; everything is in `raw` then."""
        self.read_until(None)
        return self.process.wait(60)

    @property
    def text(self):
        return self.raw.decode()

    @property
    def lines(self):
        """What is on the screen and above it, without colours; what was only there for a moment is gone."""
        lines, row, column = [""], 0, 0
        for code, text in _PIECES.findall(self.text):
            if code.endswith("A"):
                row -= int(code[2:-1] or 1)
            elif code == "\x1b[2K":
                lines[row] = ""
            elif text == "\r":
                column = 0
            elif text == "\n":
                row += 1
                lines += [""] * (row == len(lines))
            elif text:
                lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
                column += len(text)
        return lines
