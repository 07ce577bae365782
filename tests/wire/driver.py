"""Drives a dialogue against a peer made of bytes, with the line assembly and the limits of the real driver.

A script is a list of steps in the order of the wire: ("C", bytes or compiled pattern) is what the client must send,
("S", bytes) what the server sends, ("TLS",) the handshake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, assert_never

from mailsetup.errors import DialogueFailed, MailsetupError
from mailsetup.model import Protocol as MailProtocol
from mailsetup.model import Security, Stage
from mailsetup.wire import (
    Action,
    Dialogue,
    Login,
    Message,
    Pause,
    ReadBytes,
    ReadLine,
    Secret,
    Send,
    Session,
    StartTLS,
    Token,
    interrupted,
)
from mailsetup.wire.imap import imap
from mailsetup.wire.pop3 import pop3
from mailsetup.wire.smtp import smtp

Step = tuple[Literal["C"], bytes | re.Pattern[bytes]] | tuple[Literal["S"], bytes] | tuple[Literal["TLS"]]
Script = list[Step]

DIALOGUES: dict[MailProtocol, Callable[[Session, Login | None], Dialogue]] = {
    MailProtocol.IMAP: imap,
    MailProtocol.POP3: pop3,
    MailProtocol.SMTP: smtp,
}
PASSWORD = "open sesame"
LOGIN = Login("li@example.com", Secret(PASSWORD), "li@example.com")
TOKEN = "ya29.open-sesame"
BY_TOKEN = LOGIN._replace(secret=Token(TOKEN))
NONCE = "a-nonce-of-the-client"  # of every session here, so that what a client sends is known
MESSAGE = Message("<1234@example.com>", b"Message-ID: <1234@example.com>\r\n\r\n.hello\r\n")
MAX_ACTIONS = 3000


class Peer(Protocol):
    """The other end of the connection."""

    def sent(self, data: bytes) -> None: ...
    def receive(self) -> bytes:
        """The next bytes, b"" at the end of input."""
        ...

    def handshake(self) -> bool:
        """Whether the peer completes a handshake now."""
        ...


class Performed(NamedTuple):
    """An action and the circumstances in which it was taken."""

    action: Action
    stage: Stage
    over_tls: bool


@dataclass
class Outcome:
    """How a dialogue ended: ``code`` is None if it returned."""

    session: Session
    code: str | None = None
    facts: dict[str, str] = field(default_factory=dict)
    performed: list[Performed] = field(default_factory=list)

    def sent(self) -> list[bytes]:
        return [performed.action.data for performed in self.performed if isinstance(performed.action, Send)]


def start(protocol: MailProtocol, security: Security, login: Login | None = None) -> tuple[Session, Dialogue]:
    session = Session(protocol, security, "mail.example.com", 1234, nonce=NONCE)
    return session, DIALOGUES[protocol](session, login)


def drive(session: Session, dialogue: Dialogue, peer: Peer) -> Outcome:
    """Perform the dialogue's actions until it ends; more than MAX_ACTIONS of them count as endless."""
    outcome = Outcome(session)
    buffer = bytearray()
    try:
        action = next(dialogue)
        while True:
            outcome.performed.append(Performed(action, session.stage, session.over_tls))
            assert len(outcome.performed) <= MAX_ACTIONS, "the dialogue does not end"
            action = dialogue.send(_perform(action, session, peer, buffer))
    except StopIteration:
        pass
    except MailsetupError as error:
        outcome.code, outcome.facts = error.code, dict(error.facts)
    return outcome


def _perform(action: Action, session: Session, peer: Peer, buffer: bytearray) -> bytes:
    match action:
        case Send(data=data):
            peer.sent(data)
            return b""
        case ReadLine(limit=limit):
            while (end := buffer.find(b"\n", 0, limit + 2)) < 0:
                if len(buffer) > limit + 1:
                    raise DialogueFailed("protocol.line_too_long")
                _fill(buffer, session, peer)
            line = bytes(buffer[:end]).removesuffix(b"\r")
            del buffer[: end + 1]
            return line
        case ReadBytes(size=size):
            while len(buffer) < size:
                _fill(buffer, session, peer)
            data = bytes(buffer[:size])
            del buffer[:size]
            return data
        case StartTLS():
            if buffer:
                raise DialogueFailed("starttls.injection")
            if not peer.handshake():
                raise DialogueFailed(interrupted(session.stage, "eof"))
            session.over_tls = True
            return b""
        case Pause():
            return b""
    assert_never(action)


def _fill(buffer: bytearray, session: Session, peer: Peer) -> None:
    chunk = peer.receive()
    if not chunk:
        raise DialogueFailed(interrupted(session.stage, "eof"))
    buffer += chunk


def whole(data: bytes) -> Iterable[bytes]:
    return (data,)


def byte_by_byte(data: bytes) -> Iterable[bytes]:
    return (data[position : position + 1] for position in range(len(data)))


class ScriptedPeer:
    """Plays a script; insists that the client says exactly what is written there.

    ``limit`` is the number of bytes after which the server falls silent and closes the connection.
    """

    def __init__(
        self, script: Script, *, pieces: Callable[[bytes], Iterable[bytes]] = whole, limit: int | None = None
    ) -> None:
        self._script = iter(script)
        self._next: Step | None = next(self._script, None)
        self._pieces = pieces
        self._chunks: Iterator[bytes] = iter(())
        self._limit = limit
        self.delivered = 0

    def sent(self, data: bytes) -> None:
        assert self._next is not None, f"unexpected after the end of the script: {data!r}"
        assert self._next[0] == "C", f"the client sends {data!r} instead of waiting for {self._next!r}"
        expected = self._next[1]
        if isinstance(expected, bytes):
            assert data == expected
        else:
            assert expected.fullmatch(data), data
        self._advance()

    def receive(self) -> bytes:
        chunk = next(self._chunks, None)
        while chunk is None and self._next is not None and self._next[0] == "S":
            self._chunks = iter(list(self._pieces(self._next[1])))
            self._advance()
            chunk = next(self._chunks, None)
        assert self._next is None or self._next[0] == "S" or chunk is not None or self._limit is not None, (
            f"the client waits, but it is its turn: {self._next!r}"
        )
        if self._limit is not None:
            chunk = (chunk or b"")[: self._limit - self.delivered]
        self.delivered += len(chunk or b"")
        return chunk or b""

    def handshake(self) -> bool:
        if self.delivered == self._limit:
            return False
        assert self._next == ("TLS",)
        self._advance()
        return True

    def finished(self) -> bool:
        return self._next is None or self._next[0] == "S"  # nobody waits for the answer to LOGOUT or QUIT

    def _advance(self) -> None:
        self._next = next(self._script, None)


def play(
    protocol: MailProtocol, security: Security, *steps: str | bytes | re.Pattern[bytes], login: Login | None = None
) -> Outcome:
    """Drive a dialogue through a short script: "TLS", "S: text", "C: text" (line ends added), or the server's bytes."""
    session, dialogue = start(protocol, security, login)
    peer = ScriptedPeer([_step(step) for step in steps])
    outcome = drive(session, dialogue, peer)
    assert peer.finished(), "the client ended before the script did"
    if login is not None:
        private = [text.encode() for text in (*login.secret_forms(), login.username)]
        for action, _, _ in outcome.performed:
            assert not isinstance(action, Send) or action.secret or not any(text in action.data for text in private)
    return outcome


def _step(step: str | bytes | re.Pattern[bytes]) -> Step:
    if isinstance(step, bytes):
        return ("S", step)
    if isinstance(step, re.Pattern):
        return ("C", step)
    if step == "TLS":
        return ("TLS",)
    who, text = step[0], step[3:].encode() + b"\r\n"
    return ("S", text) if who == "S" else ("C", text)


class Transcript(NamedTuple):
    """A session with a server family, written down in a file of ``transcripts``."""

    protocol: MailProtocol
    security: Security
    login: Login | None
    code: str | None  # of the contract; None: it works
    stage: Stage  # the last one reached
    mechanisms: tuple[str, ...]
    script: Script


LOGINS: dict[str, Login | None] = {
    "no": None,
    "yes": LOGIN,
    "id": LOGIN._replace(imap_id=True),
    "token": BY_TOKEN,
    "message": LOGIN._replace(message=MESSAGE),
}


def read_transcript(path: Path) -> Transcript:
    r"""Read ``key: value`` lines, a blank line, then ``C: ``, ``S: `` and ``TLS`` lines; ``\xNN`` stands for a byte."""
    head, _, body = path.read_text("utf-8").partition("\n\n")
    keys = dict(line.split(": ", 1) for line in head.splitlines() if not line.startswith("#"))
    login = LOGINS[keys["login"]]
    return Transcript(
        MailProtocol(keys["protocol"]),
        Security(keys["security"]),
        login,
        None if keys["ends"] == "ok" else keys["ends"],
        Stage(keys["stage"]),
        tuple(keys.get("mechanisms", "").split()),
        _merged([_transcript_step(line) for line in body.splitlines() if line]),
    )


def _merged(script: Script) -> Script:
    """The script with consecutive server lines in one step, as they may well arrive in one segment."""
    merged: Script = []
    for step in script:
        if step[0] == "S" and merged and (last := merged[-1])[0] == "S":
            merged[-1] = ("S", last[1] + step[1])
        else:
            merged.append(step)
    return merged


def _transcript_step(line: str) -> Step:
    if line == "TLS":
        return ("TLS",)
    data = re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), line[3:].encode()) + b"\r\n"
    if line.startswith("C: "):
        return ("C", data)
    assert line.startswith("S: ") or line == "S:", line
    return ("S", data)
