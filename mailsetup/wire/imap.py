"""IMAP (RFC 9051, RFC 3501): greeting, TLS, capabilities, then optionally a login and a look at the INBOX.

Commands are sent one at a time, so the only tag that can be answered is the last one. Untagged responses may come at
any moment (RFC 9051 §7) and are read past, but for capabilities and BYE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import chain, count, repeat
from typing import NamedTuple

from ..model import Protocol, Security, Stage
from . import (
    MAX_CAPABILITY_LINE_BYTES,
    MAX_LINE_BYTES,
    MAX_LINES,
    MAX_LITERAL_BYTES,
    Dialogue,
    Login,
    Message,
    Pause,
    ReadBytes,
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
    quoted,
    shown,
    upgrade,
    wrong_greeting,
)
from .refusal import code_for
from .sasl import authenticate, check_login, choose, unusable

_MAX_COMMAND_BYTES = 8192  # RFC 7162 §4
# How long to wait before looking for a message again, the last number for ever: soon at first, then seldom.
_POLL_S = (0.5, 1.0, 2.0, 3.0, 5.0)

_GREETING = re.compile(rb"\* (OK|PREAUTH|BYE)\b ?(.*)", re.IGNORECASE | re.DOTALL)
_STATUS = re.compile(rb"(OK|NO|BAD)\b", re.IGNORECASE)
_CAPABILITY_CODE = re.compile(rb"\[CAPABILITY ([^\]]*)\]", re.IGNORECASE)
_CAPABILITY_DATA = re.compile(rb"\* CAPABILITY (.*)", re.IGNORECASE | re.DOTALL)
_SEARCH = re.compile(rb"\* SEARCH [0-9]", re.IGNORECASE)
_BYE = re.compile(rb"\* BYE\b ?(.*)", re.IGNORECASE | re.DOTALL)
_LITERAL = re.compile(rb"\{([0-9]+)\}\Z")
_UNTAGGED_DATA = re.compile(
    rb"\* (?!(?:OK|NO|BAD|BYE)\b)", re.IGNORECASE
)  # not a status response, which ends in free text

Tags = Iterator[bytes]


class _Response(NamedTuple):
    """What ends the wait for an answer: the tagged status line, or a request to continue."""

    status: str  # OK, NO, BAD or "+"
    line: bytes  # without the tag
    found: bool = False  # a SEARCH named at least one message


def imap(session: Session, login: Login | None = None) -> Dialogue:
    """Describe an IMAP server in ``session``; with ``login`` also log in and open the INBOX read-only.

    A message of ``login`` is waited for in the INBOX, without end. Raise DialogueFailed, or InputError if ``login``
    cannot be sent safely.
    """
    check_login(session, login)
    tags = (b"a%d" % number for number in count(1))
    if session.security is Security.TLS:
        yield from implicit_tls(session)
    yield from _greeting(session)
    if session.security is Security.STARTTLS:
        yield from _starttls(session, tags)
    if not session.capabilities:
        yield from _capability(session, tags)
    session.stage = Stage.CAPABILITY
    session.mechanisms = _mechanisms(session)
    if login is not None:
        if not session.logged_in:  # RFC 9051 §7.1.4: PREAUTH, the connection itself is the authentication
            session.stage = Stage.LOGIN
            yield from _login(session, tags, login)
            session.logged_in = True
        session.stage = Stage.MAILBOX
        yield from _open_inbox(session, tags, login)
        if login.message is not None:
            session.stage = Stage.SEND
            yield from _await(session, tags, login.message)
    yield command(next(tags) + b" LOGOUT")


def _greeting(session: Session) -> Dialogue:
    session.stage = Stage.GREETING
    line = yield ReadLine(MAX_CAPABILITY_LINE_BYTES)
    session.greeting = shown(line)
    match = _GREETING.match(line)
    if match is None:
        raise wrong_greeting(session, line)
    condition, text = match[1].upper(), match[2]
    if condition == b"BYE":
        raise fail("greeting.bye", text)
    if condition == b"PREAUTH":
        if session.security is Security.STARTTLS:
            # RFC 9051 §6.2.1: STARTTLS is not possible any more, so this is how an attacker would prevent it.
            raise fail("starttls.preauth", line)
        session.logged_in = True
    _learn_capabilities(session, line)


def _starttls(session: Session, tags: Tags) -> Dialogue:
    if not session.capabilities:
        yield from _capability(session, tags)
    if not offers(session.capabilities, "STARTTLS"):
        raise fail("starttls.not_offered")
    session.stage = Stage.STARTTLS
    response = yield from _command(session, tags, b"STARTTLS")
    if response.status != "OK":
        raise fail("starttls.refused", response.line)
    yield from upgrade(session)


def _capability(session: Session, tags: Tags) -> Dialogue:
    session.stage = Stage.CAPABILITY
    response = yield from _command(session, tags, b"CAPABILITY", limit=MAX_CAPABILITY_LINE_BYTES)
    if response.status != "OK" or not session.capabilities:
        raise fail("protocol.syntax", response.line)  # RFC 9051 §6.1.1: every server answers this one, with data


def _mechanisms(session: Session) -> tuple[str, ...]:
    words = (capability.upper() for capability in session.capabilities)
    return tuple(word.removeprefix("AUTH=") for word in words if word.startswith("AUTH="))


def _login(session: Session, tags: Tags, login: Login) -> Dialogue:
    if mechanism := choose(session.mechanisms, login):
        tag = next(tags)
        # There are servers that advertise SASL-IR (RFC 4959) and answer it with BAD. They know PLAIN and LOGIN only.
        in_one_line = offers(session.capabilities, "SASL-IR") and mechanism != "PLAIN"
        reply = partial(_challenge, session, tag)
        limit = _MAX_COMMAND_BYTES if in_one_line else 0
        yield from authenticate(session, mechanism, login, tag + b" AUTHENTICATE", reply, line_limit=limit)
    elif not login.by_token and not offers(session.capabilities, "LOGINDISABLED"):
        yield from _login_command(session, next(tags), login)
    elif session.mechanisms or login.by_token:
        raise unusable(session.mechanisms, login)
    else:
        raise fail("auth.login_disabled")


def _challenge(session: Session, tag: bytes) -> Step[bytes | None]:
    response = yield from _response(session, tag, MAX_CAPABILITY_LINE_BYTES)
    if response.status == "+":
        return response.line[1:].strip()
    if response.status == "OK":
        return None
    raise fail(code_for(Protocol.IMAP, decode(response.line)), response.line)


def _login_command(session: Session, tag: bytes, login: Login) -> Dialogue:
    """Send the LOGIN command (RFC 9051 §6.2.3): quoted strings, or literals where a string is not ASCII."""
    pending = Secret(tag.decode() + " LOGIN")
    for argument in (Secret(login.username), login.secret):
        if argument.reveal().isascii():
            pending = Secret(f"{pending.reveal()} {quoted(argument.reveal())}")
            continue
        yield private(Secret(f"{pending.reveal()} {{{len(argument.reveal().encode())}}}"))
        if (yield from _challenge(session, tag)) is None:
            raise fail("auth.protocol_error")  # accepted before it saw the password
        pending = argument
    yield private(pending)
    if (yield from _challenge(session, tag)) is not None:
        raise fail("auth.protocol_error")  # a request to continue with nothing left to send


def _open_inbox(session: Session, tags: Tags, login: Login) -> Dialogue:
    if login.imap_id or offers(session.capabilities, "ID"):
        # RFC 2971 §3.3: whatever the answer, it changes nothing; some servers still open no mailbox without it.
        yield from _command(session, tags, b'ID ("name" "mailsetup")')
    response = yield from _command(session, tags, b"EXAMINE INBOX")
    if response.status != "OK":
        unsafe = b"unsafe login" in response.line.lower()  # NO SELECT Unsafe Login. Please contact …
        raise fail("select.unsafe_login" if unsafe else "select.refused", response.line)


def _await(session: Session, tags: Tags, message: Message) -> Dialogue:
    """Look for ``message`` in the open mailbox until it is there."""
    search = b"SEARCH HEADER Message-ID " + quoted(message.id).encode()
    for pause_s in chain(_POLL_S, repeat(_POLL_S[-1])):
        response = yield from _command(session, tags, search)
        if response.status != "OK":
            raise fail("protocol.syntax", response.line)
        if response.found:
            return
        yield Pause(pause_s)
        yield from _command(session, tags, b"NOOP")  # RFC 9051 §6.1.2: now the server tells of new messages


def _command(session: Session, tags: Tags, line: bytes, *, limit: int = MAX_LINE_BYTES) -> Step[_Response]:
    tag = next(tags)
    yield command(tag + b" " + line)
    response = yield from _response(session, tag, limit)
    if response.status == "+":
        raise fail("protocol.syntax", response.line)
    return response


def _response(session: Session, tag: bytes, limit: int) -> Step[_Response]:
    """Read up to the tagged status or a continuation request (RFC 9051 §7.5), noting what matters on the way."""
    found = False
    for _ in range(MAX_LINES):
        line = yield ReadLine(limit)
        if _UNTAGGED_DATA.match(line):
            line = yield from _past_literals(line, limit)
        if line.startswith(tag + b" "):
            text = line[len(tag) + 1 :]
            status = _STATUS.match(text)
            if status is None:
                raise fail("protocol.syntax", line)
            _learn_capabilities(session, line)
            return _Response(status[1].decode().upper(), text, found)
        if line.startswith(b"+"):
            return _Response("+", line)
        if not line.startswith(b"* "):
            raise fail("protocol.syntax", line)
        _learn_capabilities(session, line)
        found = found or _SEARCH.match(line) is not None
        if farewell := _BYE.match(line):
            session.farewell = shown(farewell[1])
    raise fail("protocol.too_many_lines", limit=str(MAX_LINES))


def _past_literals(line: bytes, limit: int) -> Step[bytes]:
    """Read the rest of a response that begins with ``line``; literals (RFC 9051 §4.3) hold nothing we ask for."""
    for _ in range(MAX_LINES):
        literal = _LITERAL.search(line)
        if literal is None:
            return line
        digits = literal[1].decode()
        if len(digits) > len(str(MAX_LITERAL_BYTES)) or int(digits) > MAX_LITERAL_BYTES:
            raise fail("protocol.literal_too_long", size=digits[:20], limit=str(MAX_LITERAL_BYTES))
        yield ReadBytes(int(digits))
        line = line[: literal.start()] + b'""' + (yield ReadLine(limit))
    raise fail("protocol.too_many_lines", limit=str(MAX_LINES))


def _learn_capabilities(session: Session, line: bytes) -> None:
    """Take the list from ``* CAPABILITY …`` or from the code [CAPABILITY …] of a status response (RFC 9051 §7.1)."""
    match = _CAPABILITY_DATA.match(line) or _CAPABILITY_CODE.search(line)
    if match is not None:
        session.capabilities = tuple(dict.fromkeys(decode(match[1]).split()))
