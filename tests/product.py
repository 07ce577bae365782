"""The product as tests use it: its command line inside this process, and a probe of one server.

A call in this process takes a tenth of the time of a new one. What needs a real process (arguments that others can
see, terminals, signals) starts one.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, NamedTuple, Protocol

from lab import Authority
from mailsetup.__main__ import main

_LANGUAGE_VARIABLES = ("MAILSETUP_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


class Finished(NamedTuple):
    """A command line that has run to its end. As text, its lines end as in Python, on Windows, too."""

    code: int
    body: bytes  # standard output
    stderr: str

    @property
    def stdout(self) -> str:
        return _text(self.body)

    @property
    def records(self) -> list[Any]:
        """Standard output as JSON Lines."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def record(self) -> Any:
        """The only JSON object on standard output."""
        (record,) = self.records
        return record


def run(*arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Finished:
    """Run mailsetup with ``arguments``, in English unless ``env`` or ``arguments`` say otherwise."""
    stdout, stderr = _stream(), _stream()
    with _environment(env or {}), _standard_input(stdin), redirect_stdout(stdout), redirect_stderr(stderr):
        code = main(arguments)
    return Finished(code, _written(stdout), _text(_written(stderr)))


class Server(Protocol):
    """Whatever listens on loopback."""

    host: str
    port: int


def probe(
    server: Server,
    scheme: str,
    authority: Authority,
    *arguments: str,
    password: str | None = None,
    timeout_s: float = 5,
) -> Finished:
    """Run ``mailsetup probe`` against ``server`` as ``scheme`` (imaps, smtp …) says; ``authority`` is trusted.

    With ``password`` it logs in, or with a token where ``arguments`` say that it is one; ``--user`` is for the caller
    to give.
    """
    target = f"{scheme}://{server.host}:{server.port}"
    network = ["--nameserver", "127.0.0.1", "--ca-file", str(authority.ca_file), "--allow-private"]
    credentials = [] if password is None or "--oauth-token-stdin" in arguments else ["--password-stdin"]
    return run(
        *["probe", target, "--timeout", str(timeout_s), *network, *credentials, *arguments],
        stdin=(password or "").encode() + b"\n",
    )


def _text(body: bytes) -> str:
    return body.decode().replace(os.linesep, "\n")


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _written(stream: io.TextIOWrapper) -> bytes:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


@contextmanager
def _standard_input(data: bytes) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before


@contextmanager
def _environment(additions: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in (*_LANGUAGE_VARIABLES, "NO_COLOR", "FORCE_COLOR"):
        os.environ.pop(name, None)
    os.environ.update(additions)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
