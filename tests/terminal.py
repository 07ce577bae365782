"""mailsetup in a pseudo-terminal that is its controlling one, as a person has it: Ctrl-C reaches it as a signal."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

posix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")

CTRL_C, CTRL_D = "\x03", "\x04"
_ROOT = Path(__file__).parent.parent
_PATIENCE_S = 60.0
# A question leaves the cursor behind a space; what was written before it may take so long to come through the terminal.
_QUIET_S = 0.1
# Does what a login shell does for the programs that it starts, and tells us by a byte whenever the program begins to
# read: only then is what is on the screen a question, and nothing that is typed gets lost.
_PROGRAM = """
import builtins, fcntl, getpass, os, runpy, signal, sys, termios

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run in the background, where it is ignored
channel = int(sys.argv.pop(1))

def telling(read):
    def tell_and_read(*arguments, **options):
        os.write(channel, b"?")
        return read(*arguments, **options)
    return tell_and_read

class Input:
    def __init__(self, stream):
        self.stream, self.readline = stream, telling(stream.readline)
    def __getattr__(self, name):
        return getattr(self.stream, name)

getpass._raw_input = telling(getpass._raw_input)
builtins.input = telling(builtins.input)
sys.stdin = Input(sys.stdin)
runpy.run_module("mailsetup", run_name="__main__", alter_sys=True)
"""


class Ended(NamedTuple):
    """A program that has come to its end."""

    code: int
    shown: str  # all that was on the screen, what was typed included
    echo: bool  # whether the terminal still shows what is typed


class Session:
    """A running program and its terminal."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int, theirs: int, channel: int) -> None:
        self._process, self._ours, self._theirs, self._channel = process, ours, theirs, channel
        self._shown = b""
        self._is_asked = False
        self._deadline = time.monotonic() + _PATIENCE_S

    @property
    def shown(self) -> str:
        return self._shown.decode("utf-8", "backslashreplace").replace("\r\n", "\n")

    @property
    def question(self) -> str:
        """The line on which the cursor is."""
        return self.shown.rpartition("\n")[2]

    def type(self, text: str | bytes) -> None:
        os.write(self._ours, text.encode() if isinstance(text, str) else text)

    def answer(self, text: str | bytes) -> str:
        """Wait for a question, type ``text`` and Enter; return the question."""
        question = self.wait_for_question()
        self.type(text)
        self._is_asked = False
        self.type("\n")
        return question

    def wait_for_question(self) -> str:
        while not self._is_asked:
            self._read()
            if select.select([self._channel], [], [], 0)[0]:
                self._is_asked = bool(os.read(self._channel, 1))
        while self._reads(_QUIET_S) or not self._shown.endswith(b" "):
            self._read()
        return self.question

    def wait_for(self, words: str) -> None:
        """Wait until ``words`` have been shown."""
        while words not in self.shown:
            self._read()

    def end(self) -> Ended:
        """Wait for the end of the program, which must ask nothing more."""
        import termios

        while self._process.poll() is None or self._reads(0.0):
            if self._reads(0.05):
                self._read()
            assert time.monotonic() < self._deadline, self.shown
        flags = termios.tcgetattr(self._theirs)[3]
        return Ended(self._process.returncode, self.shown, bool(flags & termios.ECHO))

    def _reads(self, timeout_s: float) -> bool:
        return bool(select.select([self._ours], [], [], timeout_s)[0])

    def _read(self) -> None:
        assert time.monotonic() < self._deadline, self.shown
        assert self._process.poll() is None or self._reads(0.0), f"it has ended: {self.shown}"
        if self._reads(0.2):
            self._shown += os.read(self._ours, 65536)


@contextmanager
def session(
    *arguments: str, folder: Path, language: str = "en", columns: int = 80, kind: str = "dumb"
) -> Iterator[Session]:
    """Run mailsetup with ``arguments`` in ``folder``, in a terminal of a ``kind``: "dumb" can only print lines."""
    import pty
    import termios

    ours, theirs = pty.openpty()
    channel, their_channel = os.pipe()
    termios.tcsetwinsize(theirs, (40, columns))
    # ``theirs`` stays open here, too, so that the state in which the program leaves the terminal can be seen.
    environment = {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "MAILSETUP_LANG": language,
        "TERM": kind,
        "PYTHONPATH": str(_ROOT),
        "HOME": str(folder),  # where it may look for programs that are set up already
    }
    for name in ("COLUMNS", "LINES", "FORCE_COLOR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(their_channel), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
        start_new_session=True,
        pass_fds=[their_channel],
    )
    try:
        yield Session(process, ours, theirs, channel)
    finally:
        process.kill()
        process.wait()
        for descriptor in (ours, theirs, channel, their_channel):
            os.close(descriptor)
