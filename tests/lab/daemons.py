"""The server programs the laboratory runs in the foreground, each from its own configuration and nothing of /etc."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_START_S = 30.0
_STOP_S = 1.0  # they hold nothing worth keeping
# Debian keeps servers where the path of an ordinary session does not reach.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
_PROGRAMS = {"dovecot": "dovecot", "postfix": "postfix", "knot": "knotd", "nginx": "nginx", "unbound": "unbound"}


def missing() -> str | None:
    """Why no laboratory can run here, or None if it can."""
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root"
    absent = [name for name, program in _PROGRAMS.items() if shutil.which(program, path=_PATH) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    version = subprocess.check_output([program("dovecot"), "--version"], text=True).split()[0]
    return None if version.startswith("2.3.") else f"needs Dovecot 2.3, this is {version}"  # 2.4 has other settings


def program(name: str) -> str:
    """The path of ``name``; raise FileNotFoundError if it is not installed."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise FileNotFoundError(name)
    return found


class Service(NamedTuple):
    """A program to run, where it logs, and what must answer before it counts as started."""

    command: tuple[str, ...]
    log: Path
    endpoints: tuple[tuple[str, int], ...]  # TCP addresses and ports


class Daemon:
    """A running service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._output = service.log.with_suffix(".output")
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                service.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return when every endpoint accepts a connection; raise RuntimeError with the log if that does not happen."""
        deadline = time.monotonic() + _START_S
        for endpoint in self._service.endpoints:
            while not _accepts(endpoint):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self._service.command[0]} does not listen on {endpoint}:\n{self._logged()}")
                time.sleep(0.02)

    def terminate(self) -> None:
        """Ask the program to end."""
        self._process.terminate()

    def reap(self) -> None:
        """Wait for the program's end, then end whatever it left behind."""
        with suppress(subprocess.TimeoutExpired):  # it is killed below
            self._process.wait(_STOP_S)
        with suppress(ProcessLookupError):  # nothing is left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _logged(self) -> str:
        texts = [path.read_text("utf-8", "replace") for path in (self._service.log, self._output) if path.exists()]
        return "\n".join(texts)[-4000:]


def _accepts(endpoint: tuple[str, int]) -> bool:
    try:
        socket.create_connection(endpoint, timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def running(services: Sequence[Service]) -> Iterator[None]:
    """Start all at once and wait for all; at the end stop them.

    Raise RuntimeError if one does not start, or if its place is taken by another server of this machine.
    """
    for endpoint in (endpoint for service in services for endpoint in service.endpoints):
        if _accepts(endpoint):
            raise RuntimeError(f"something else listens on {endpoint}: a server of this system, on all its addresses?")
    daemons: list[Daemon] = []
    try:
        daemons += [Daemon(service) for service in services]
        with _watchdog(daemons):
            for daemon in daemons:
                daemon.wait_until_ready()
            yield
    finally:
        for daemon in daemons:
            daemon.terminate()
        for daemon in daemons:
            daemon.reap()


@contextmanager
def _watchdog(daemons: Sequence[Daemon]) -> Iterator[None]:
    """Have the daemons ended when this process disappears without ending them.

    The kernel could do that (PR_SET_PDEATHSIG), but forgets it when a server changes its user, and they all do.
    """
    command = ["/bin/sh", "-c", 'read -r _; kill -TERM "$@"', "sh", *(str(daemon.pid) for daemon in daemons)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as watchdog:
        try:
            yield
        finally:
            watchdog.kill()
