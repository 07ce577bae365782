"""POP3 (RFC 1939): greeting, TLS (RFC 2595), capabilities (RFC 2449), then optionally a login and STAT."""

from __future__ import annotations

import re

from ..model import Protocol, Security, Stage
from . import (
    MAX_HEADER_LINES,
    MAX_LINES,
    Dialogue,
    Login,
    Message,
    ReadLine,
    Secret,
    Session,
    Step,
    command,
    decode,
    fail,
    implicit_tls,
    offers,
    private,
    shown,
    upgrade,
    wrong_greeting,
)
from .refusal import code_for
from .sasl import authenticate, check_login, choose, unusable

_OK = re.compile(rb"\+OK\b", re.IGNORECASE)
_ERR = re.compile(rb"-ERR\b", re.IGNORECASE)
_STAT = re.compile(rb"\+OK ([0-9]{1,9})\b", re.IGNORECASE)
_NEWEST = 10  # messages that may have come since ours


def pop3(session: Session, login: Login | None = None) -> Dialogue:
    """Describe a POP3 server in ``session``; with ``login`` also log in and open the mailbox.

    A message of ``login`` is looked for among the newest once, because a POP3 session sees no later ones (RFC 1939 §4);
    the code is ``send.not_arrived`` if it is not there. Raise DialogueFailed, or InputError if ``login`` cannot be sent
    safely.
    """
    check_login(session, login)
    if session.security is Security.TLS:
        yield from implicit_tls(session)
    yield from _greeting(session)
    yield from _capa(session)
    if session.security is Security.STARTTLS:
        yield from _stls(session)
        yield from _capa(session)
    if login is not None:
        session.stage = Stage.LOGIN
        yield from _login(session, login)
        session.logged_in = True
        session.stage = Stage.MAILBOX
        accepted, line = yield from _command(b"STAT")
        if not accepted:
            raise fail("select.refused", line)
        if login.message is not None:
            session.stage = Stage.SEND
            yield from _find(login.message, line)
    yield command(b"QUIT")


def _greeting(session: Session) -> Dialogue:
    session.stage = Stage.GREETING
    line = yield ReadLine()
    session.greeting = shown(line)
    if _ERR.match(line):
        raise fail("greeting.err", line)
    if not _OK.match(line):
        raise wrong_greeting(session, line)


def _capa(session: Session) -> Dialogue:
    """Ask for the capabilities; a server older than RFC 2449 refuses, and then they stay empty."""
    session.stage = Stage.CAPABILITY
    accepted, _ = yield from _command(b"CAPA")
    if accepted:
        session.capabilities = yield from _multi_line()
        session.mechanisms = _mechanisms(session.capabilities)


def _stls(session: Session) -> Dialogue:
    if not offers(session.capabilities, "STLS"):
        raise fail("starttls.not_offered")
    session.stage = Stage.STARTTLS
    accepted, line = yield from _command(b"STLS")
    if not accepted:
        raise fail("starttls.refused", line)
    yield from upgrade(session)


def _mechanisms(capabilities: tuple[str, ...]) -> tuple[str, ...]:
    lines = (capability.upper().split() for capability in capabilities)
    return tuple(word for line in lines if line[:1] == ["SASL"] for word in line[1:])


def _login(session: Session, login: Login) -> Dialogue:
    if mechanism := choose(session.mechanisms, login):
        # No initial response: it would have to fit into 255 octets (RFC 5034 §4), and the longer form always works.
        yield from authenticate(session, mechanism, login, b"AUTH", _challenge)
    elif login.by_token or not _takes_user(session.capabilities):
        raise unusable(session.mechanisms, login)
    elif not (login.username.isascii() and login.secret.reveal().isascii()):
        raise unusable((*session.mechanisms, "USER"), login)  # RFC 6856 §2: it takes ASCII only
    else:
        yield private(Secret(f"USER {login.username}"))
        yield from _accepted()
        yield private(Secret(f"PASS {login.secret.reveal()}"))
        yield from _accepted()


def _takes_user(capabilities: tuple[str, ...]) -> bool:
    """Whether USER and PASS may be tried: they are announced (RFC 2449 §6.3), or no way to log in is announced."""
    return offers(capabilities, "USER") or not offers(capabilities, "SASL")


def _challenge() -> Step[bytes | None]:
    line = yield ReadLine()
    if line.startswith(b"+") and not _OK.match(line):
        return line[1:].strip()  # RFC 5034 §4: "+ " and base64
    _check_accepted(line)
    return None


def _accepted() -> Dialogue:
    _check_accepted((yield ReadLine()))


def _check_accepted(line: bytes) -> None:
    accepted, line = _status(line)
    if not accepted:
        raise fail(code_for(Protocol.POP3, decode(line)), line)


def _find(message: Message, drop_listing: bytes) -> Dialogue:
    """Look for ``message`` among the newest of those that the answer to STAT counts, from the last on."""
    count = _STAT.match(drop_listing)
    if count is None:
        raise fail("protocol.syntax", drop_listing)
    for number in range(int(count[1]), max(0, int(count[1]) - _NEWEST), -1):
        accepted, line = yield from _command(b"TOP %d 0" % number)
        if not accepted:
            raise fail("protocol.syntax", line)
        if (yield from _header_has(message.id)):
            return
    raise fail("send.not_arrived")


def _header_has(message_id: str) -> Step[bool]:
    """Read a message's header to its end; whether it is the one of ``message_id``, which others may refer to."""
    found, name = False, b""
    for _ in range(MAX_HEADER_LINES):
        line = yield ReadLine()
        if line == b".":
            return found
        if not line.startswith((b" ", b"\t")):  # RFC 5322 §2.2.3: else it continues the field before
            name = line.partition(b":")[0].strip().lower()
        found = found or (name == b"message-id" and message_id.encode() in line)
    raise fail("protocol.too_many_lines", limit=str(MAX_HEADER_LINES))


def _command(line: bytes) -> Step[tuple[bool, bytes]]:
    """Send a command; whether it was accepted, and the status line."""
    yield command(line)
    return _status((yield ReadLine()))


def _status(line: bytes) -> tuple[bool, bytes]:
    if not (_OK.match(line) or _ERR.match(line)):
        raise fail("protocol.syntax", line)
    return line.startswith(b"+"), line


def _multi_line() -> Step[tuple[str, ...]]:
    """Read the lines up to the lone dot, without the dot that is stuffed before another (RFC 1939 §3)."""
    lines: list[str] = []
    for _ in range(MAX_LINES):
        line = yield ReadLine()
        if line == b".":
            return tuple(dict.fromkeys(lines))
        lines.append(decode(line.removeprefix(b".")).strip())
    raise fail("protocol.too_many_lines", limit=str(MAX_LINES))
