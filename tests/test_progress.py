"""What a person sees while a lookup asks: which sources are still to answer. A pipe sees nothing of it."""

from __future__ import annotations

import re
from pathlib import Path

from lab.fakes import SilentUDP
from mailsetup import text
from product import run
from relay import Fault, Relay
from terminal import posix, session

DOMAIN = "unknown.test"
_CONTROL = re.compile(r"\x1b\[[?\d;]*[A-Za-z]|\r")


def arguments(server: SilentUDP | Relay) -> list[str]:
    return ["lookup", DOMAIN, "--timeout", "1", "--nameserver", f"{server.host}:{server.port}"]


def all_but_one() -> Relay:
    """A name server that refuses every question but one, which it leaves without an answer."""
    return Relay("127.0.0.1", faults={"*": Fault.REFUSED, f"_ua-auto-config.{DOMAIN}": Fault.SILENCE})


@posix
def test_a_terminal_shows_which_sources_are_still_being_asked(tmp_path: Path) -> None:
    with all_but_one() as server, session(*arguments(server), folder=tmp_path, kind="xterm") as terminal:
        terminal.wait_for(f"Asking {DOMAIN}: pacc …")
        assert terminal.end().code == 3


@posix
def test_the_status_stays_on_one_line_of_a_narrow_terminal(tmp_path: Path) -> None:
    with SilentUDP() as server, session(*arguments(server), folder=tmp_path, kind="xterm", columns=40) as terminal:
        shown = terminal.end().shown
    status = [line for line in _CONTROL.split(shown) if f"Asking {DOMAIN}: autoconfig" in line]
    assert status
    # The mark in front of it, and a line end behind the last one.
    assert {len("* ") + len(line.strip()) for line in status} == {40}
    assert {line.strip()[-1] for line in status} == {"…"}
    assert not any("\n" in line.strip() for line in status)


def test_a_pipe_gets_no_status() -> None:
    with all_but_one() as server:
        assert run(*arguments(server)).stderr == ""


def test_the_status_names_sources_connections_or_just_the_target() -> None:
    assert text.asking(DOMAIN, ()) == f"Asking {DOMAIN} …"
    assert text.asking(DOMAIN, ("mx", "srv")) == f"Asking {DOMAIN}: mx, srv …"
    assert text.asking(DOMAIN, ("live",)) == f"Connecting to the servers of {DOMAIN} …"
