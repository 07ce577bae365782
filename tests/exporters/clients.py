"""Real clients, run as an ordinary user would: a home of their own, the names of a test, its authority trusted.

Each program gets a private view of the file system, in which the hosts file and the folder of trusted certificates are
ours. So exported files are used as they are, nothing in them has to be changed for the test.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import pytest

from lab import Authority

_TIMEOUT_S = 180.0  # a hanging client is a failed test; a slow machine is none
_NOBODY = 65534  # a number is enough; some clients refuse to work for root
_TRUSTED = "/etc/ssl/certs"
_BUNDLE = f"{_TRUSTED}/ca-certificates.crt"
_TOOLS = ("unshare", "mount", "setpriv")
_AS_USER = (
    f'mount --bind "$1" /etc/hosts && mount --bind "$2" {_TRUSTED} && shift 2 && '
    f'exec setpriv --reuid={_NOBODY} --regid={_NOBODY} --clear-groups -- "$@"'
)

# What would be run, or begin a line of its own, where a value is not quoted as the client reads it.
INJECTIONS = (
    "$(touch ~/ran)",
    "`touch ~/ran`",
    "x; touch ~/ran",
    "x | touch ~/ran",
    'x" ; touch ~/ran "',
    "x' ; touch ~/ran '",
    "x\\",
    'x\\"',
    "$HOME ${HOME} %(HOME)s %h %%",
    "# x",
    "eval touch ~/ran",
)


def need(*programs: str) -> pytest.MarkDecorator:
    """The mark of tests that run ``programs``: skipped, with the reason, where they cannot."""
    reason = _missing(*programs)
    return pytest.mark.skipif(reason is not None, reason=str(reason))


def _missing(*programs: str) -> str | None:
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root"
    absent = [name for name in (*programs, *_TOOLS) if shutil.which(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    return None if _may_mount() else "needs the right to mount (in a container: CAP_SYS_ADMIN)"


@cache
def _may_mount() -> bool:
    command = ("unshare", "--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class User:
    """Somebody with a home, for whom clients are started."""

    def __init__(self, folder: Path, names: Mapping[str, str], ca_file: Path) -> None:
        self.home = folder / "home"
        self._hosts = folder / "hosts"
        self._trusted = folder / "certs"
        self._temporary = folder / "tmp"  # what clients leave there goes with them
        # Some clients want to know who they are.
        local = {"localhost": "127.0.0.1", socket.gethostname(): "127.0.0.1"}
        self._hosts.write_text("".join(f"{address} {name}\n" for name, address in (local | dict(names)).items()))
        self._trusted.mkdir()
        shutil.copy(ca_file, self._trusted / Path(_BUNDLE).name)
        for own in (self.home, self._temporary):
            own.mkdir()
            os.chown(own, _NOBODY, _NOBODY)

    def put(self, name: str, body: bytes | str) -> Path:
        """A file below the home that nobody else may read; its folders are made."""
        path = self.home / name
        self.make_folder(path.parent)
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        path.chmod(0o600)
        os.chown(path, _NOBODY, _NOBODY)
        return path

    def make_folder(self, path: Path) -> None:
        """A folder of the user's at or below the home, with those on the way to it."""
        if not path.is_dir():
            self.make_folder(path.parent)
            path.mkdir(0o700)
            os.chown(path, _NOBODY, _NOBODY)

    def command(self, *command: str) -> list[str]:
        """``command`` as this user sees the machine."""
        return ["unshare", "--mount", "sh", "-c", _AS_USER, "sh", str(self._hosts), str(self._trusted), *command]

    @property
    def environment(self) -> dict[str, str]:
        """The user's environment, without anything of ours."""
        return {
            "HOME": str(self.home),
            "TMPDIR": str(self._temporary),
            "USER": "nobody",
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
            # OpenSSL and Go look for single certificates in the folder unless they are told of the file.
            "SSL_CERT_FILE": _BUNDLE,
        }

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a client to its end, which is that of everything it has started, too."""
        words = self.command(*command)
        with subprocess.Popen(
            words,
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
            start_new_session=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(stdin, _TIMEOUT_S)
            finally:
                with suppress(ProcessLookupError):  # none of them is left
                    os.killpg(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)


@contextmanager
def user(names: Mapping[str, str], ca_file: Path) -> Iterator[User]:
    """A user for whom ``names`` lead to the given addresses and servers certified by ``ca_file`` are genuine."""
    # pytest's own folders are closed to other users.
    with tempfile.TemporaryDirectory(prefix="mailsetup-client-") as folder:
        Path(folder).chmod(0o755)
        yield User(Path(folder), names, ca_file)


class LoginRecorder:
    """An IMAP server over TLS at which every login fails; ``logins`` has them, names and passwords as they were sent.

    Use it with ``with``. Its certificate is for ``imap.example.com``, its port in ``port``. Without an ``authority`` it
    speaks no TLS at all, and offers no STARTTLS. ``commands`` has the names of all commands.
    """

    def __init__(self, authority: Authority | None) -> None:
        self.logins: list[tuple[str, str]] = []
        self.commands: list[str] = []
        self._context = authority.server_context("imap.example.com") if authority else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Closing alone would leave accept() waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                connection, _address = self._listener.accept()
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        context = self._context
        # A client may hang up at any point, or refuse the certificate.
        with suppress(OSError), connection, _encrypted(connection, context) if context else connection as stream:
            stream.settimeout(_TIMEOUT_S)
            stream.sendall(b"* OK ready\r\n")
            with stream.makefile("rb") as lines:
                while words := _read_command(lines, stream):
                    tag, command = words[0], words[1].upper()
                    self.commands.append(command)
                    if command == "LOGIN":
                        self.logins.append((words[2], words[3]))
                        stream.sendall(f"{tag} NO [AUTHENTICATIONFAILED] refused\r\n".encode())
                    elif command == "STARTTLS":
                        stream.sendall(f"{tag} BAD unknown\r\n".encode())
                    else:
                        stream.sendall(f"* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n".encode())


def _encrypted(connection: socket.socket, context: ssl.SSLContext) -> socket.socket:
    return context.wrap_socket(connection, server_side=True)


def _read_command(lines: IO[bytes], stream: socket.socket) -> list[str]:
    """The words of a command (RFC 9051 §4: atoms, quoted strings, literals).

    None at the end of the connection, which may come in the middle of a command: a client is ended at any moment.
    """
    words: list[str] = []
    while (line := lines.readline()).endswith(b"\n"):
        rest = line.decode().rstrip("\r\n")
        literal = re.search(r"\{(\d+)\}$", rest)
        words += [
            re.sub(r"\\(.)", r"\1", quoted) if quoted or not atom else atom
            for quoted, atom in re.findall(
                r'"((?:[^"\\]|\\.)*)"|([^ "]+)', rest[: literal.start()] if literal else rest
            )
        ]
        if literal is None:
            return words
        stream.sendall(b"+ go on\r\n")
        words.append(lines.read(int(literal[1])).decode(errors="replace"))
    return []


@contextmanager
def on_terminal(user: User, *command: str) -> Iterator[bytearray]:
    """Run a client that needs a terminal during the block, and end it then. The value is what it has shown so far."""
    master, terminal = os.openpty()
    # A session with the terminal as its own: aerc opens /dev/tty. Each program on the way becomes the next, so that
    # in the end the process is the client itself.
    process = subprocess.Popen(
        user.command("setsid", "--ctty", *command),
        env=user.environment,
        cwd=user.home,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = bytearray()
    reader = threading.Thread(target=_collect, args=(master, shown))
    reader.start()
    try:
        yield shown
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(master)


def _collect(master: int, shown: bytearray) -> None:
    with suppress(OSError):  # EIO: the last program has closed the terminal
        while output := os.read(master, 65536):
            shown += output


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether ``condition`` holds within so many seconds."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met
