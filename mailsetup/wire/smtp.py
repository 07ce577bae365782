"""Message submission (RFC 6409): SMTP (RFC 5321) with STARTTLS (RFC 3207), AUTH (RFC 4954) and a trial envelope.

The envelope, from oneself to oneself, is dropped with RSET unless the user wants a message to be sent.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import DialogueFailed
from ..model import Protocol, Security, Stage
from . import (
    MAX_LINES,
    Dialogue,
    Login,
    Message,
    ReadLine,
    Send,
    Session,
    Step,
    banner,
    command,
    decode,
    fail,
    implicit_tls,
    offers,
    shown,
    upgrade,
    wrong_greeting,
)
from .refusal import code_for
from .sasl import authenticate, check_login, choose, unusable

_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)

# What firewalls leave of the word STARTTLS, which is as long.
_OVERWRITTEN = re.compile("X{7}[XA]", re.IGNORECASE)

# Not the real name of this machine: that is nobody's business, and servers accept this one from anybody.
_EHLO = b"EHLO [127.0.0.1]"
_HELO = b"HELO localhost"  # RFC 5321 §4.1.1.1: HELO takes no address literal

_MAX_COMMAND_BYTES = 512  # RFC 4954 §4: an initial response must fit into a command line of RFC 5321 §4.5.3.1.4
_SYNTAX_ERRORS = frozenset({500, 501, 502, 503, 504})


class _Reply(NamedTuple):
    """A complete reply (RFC 5321 §4.2)."""

    code: int
    lines: tuple[bytes, ...]  # the text after the code, one item per line

    @property
    def text(self) -> bytes:
        """The reply as one line, code first."""
        return b"%d " % self.code + b" ".join(self.lines)


def smtp(session: Session, login: Login | None = None) -> Dialogue:
    """Describe a submission server in ``session``; with ``login`` also log in and try an envelope.

    A message of ``login`` is sent. Raise DialogueFailed, or InputError if ``login`` cannot be sent safely.
    """
    check_login(session, login)
    if session.security is Security.TLS:
        yield from implicit_tls(session)
    yield from _greeting(session)
    yield from _hello(session)
    if session.security is Security.STARTTLS:
        yield from _starttls(session)
        yield from _hello(session)
    if login is not None:
        session.stage = Stage.LOGIN
        yield from _login(session, login)
        session.logged_in = True
        session.stage = Stage.SEND
        yield from _envelope(session, login)
    yield command(b"QUIT")


def _greeting(session: Session) -> Dialogue:
    session.stage = Stage.GREETING
    line = yield ReadLine()
    session.greeting = shown(line)
    if banner(line) != "smtp":
        raise wrong_greeting(session, line)
    reply = yield from _reply(line)
    session.greeting = shown(reply.text)
    if banner(reply.text) != "smtp":
        raise wrong_greeting(session, reply.text)
    if reply.code != 220:
        raise fail("greeting.temporary" if reply.code < 500 else "greeting.rejected", reply.text)


def _hello(session: Session) -> Dialogue:
    """Introduce ourselves: EHLO, and HELO where a server is too old for it."""
    session.stage = Stage.CAPABILITY
    reply = yield from _command(_EHLO)
    if reply.code == 250:
        # The first line is the server's name.
        session.capabilities = tuple(dict.fromkeys(decode(line).strip() for line in reply.lines[1:]))
        session.mechanisms = _mechanisms(session.capabilities)
        return
    if reply.code in _SYNTAX_ERRORS:
        reply = yield from _command(_HELO)
    if reply.code != 250:
        raise _hello_refused(session, reply)


def _hello_refused(session: Session, reply: _Reply) -> DialogueFailed:
    if 400 <= reply.code < 500:
        return fail("greeting.temporary", reply.text)
    if reply.code == 530 or reply.code in _SYNTAX_ERRORS:
        # It does not know HELO either, or wants a login first (RFC 959 §5.4): not SMTP, in spite of its 220.
        seen = "ftp" if reply.code == 530 else "unknown"
        return fail("greeting.wrong_protocol", reply.text, expected=session.protocol, seen=seen)
    return fail("greeting.rejected" if reply.code >= 500 else "protocol.syntax", reply.text)


def _mechanisms(capabilities: tuple[str, ...]) -> tuple[str, ...]:
    """The SASL mechanisms of ``AUTH PLAIN LOGIN`` and of the spelling before RFC 2554, ``AUTH=PLAIN LOGIN``."""
    lines = (re.split(r"[ =]+", capability.upper()) for capability in capabilities)
    return tuple(dict.fromkeys(word for line in lines if line[0] == "AUTH" for word in line[1:] if word))


def _starttls(session: Session) -> Dialogue:
    if not offers(session.capabilities, "STARTTLS"):
        overwritten = any(map(_OVERWRITTEN.fullmatch, session.capabilities))
        raise fail("starttls.stripped" if overwritten else "starttls.not_offered")
    session.stage = Stage.STARTTLS
    reply = yield from _command(b"STARTTLS")
    if reply.code >= 400:
        raise fail("starttls.refused", reply.text)
    if reply.code != 220:
        raise fail("starttls.protocol_error", reply.text)
    yield from upgrade(session)


def _login(session: Session, login: Login) -> Dialogue:
    mechanism = choose(session.mechanisms, login)
    if mechanism is None:
        raise unusable(session.mechanisms, login)
    yield from authenticate(session, mechanism, login, b"AUTH", _challenge, line_limit=_MAX_COMMAND_BYTES)


def _challenge() -> Step[bytes | None]:
    reply = yield from _reply((yield ReadLine()))
    if reply.code == 334:
        return reply.lines[0].strip()
    if reply.code == 235:
        return None
    raise fail(code_for(Protocol.SMTP, decode(reply.text)), reply.text)


def _envelope(session: Session, login: Login) -> Dialogue:
    """Try to send from oneself to oneself, as far as the server can carry the address; with a message, send it."""
    international = not login.address.isascii()
    if not login.address or (international and not offers(session.capabilities, "SMTPUTF8")):
        if login.message is not None:
            raise fail("send.no_international_address", address=login.address)
        return
    path = b"<" + login.address.encode() + b">"
    parameter = b" SMTPUTF8" if international else b""  # RFC 6531 §3.4
    # As private as the user name, which it often is: never traced, never outside TLS.
    yield command(b"MAIL FROM:" + path + parameter, secret=True)
    reply = yield from _reply((yield ReadLine()))
    if reply.code != 250:
        raise fail(_send_code(reply, "send.sender_refused"), reply.text)
    yield command(b"RCPT TO:" + path, secret=True)
    reply = yield from _reply((yield ReadLine()))
    if reply.code not in (250, 251):
        relay = reply.code in (550, 554) and b"relay" in reply.text.lower()
        raise fail(_send_code(reply, "send.relay_denied" if relay else "send.sender_refused"), reply.text)
    if login.message is None:
        yield from _command(b"RSET")
    else:
        yield from _data(login.message)


def _data(message: Message) -> Dialogue:
    reply = yield from _command(b"DATA")
    if reply.code == 354:
        lines = message.body.split(b"\r\n")
        # RFC 5321 §4.5.2: a dot at the beginning of a line is doubled, one alone ends the message.
        stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
        yield Send(stuffed + b".\r\n", secret=True)  # it holds the address
        reply = yield from _reply((yield ReadLine()))
        if reply.code == 250:
            return
    raise fail(_send_code(reply, "send.content_rejected"), reply.text)


def _send_code(reply: _Reply, refused: str) -> str:
    """``refused``, unless the server only wants us to wait (4yz) or to log in (530)."""
    if reply.code < 400:
        return "protocol.syntax"
    if reply.code < 500:
        return "send.temporary"
    return "auth.required" if reply.code == 530 else refused


def _command(line: bytes) -> Step[_Reply]:
    yield command(line)
    return (yield from _reply((yield ReadLine())))


def _reply(line: bytes) -> Step[_Reply]:
    """Read the rest of the reply that begins with ``line``."""
    code, lines = b"", []
    for _ in range(MAX_LINES):
        match = _REPLY_LINE.fullmatch(line)
        if match is None:
            raise fail("protocol.bad_reply_code", line)
        if code and match[1] != code:
            raise fail("protocol.mixed_multiline_codes", line, first=code.decode(), second=match[1].decode())
        code = match[1]
        lines.append(match[3] or b"")
        if match[2] != b"-":
            return _Reply(int(code), tuple(lines))
        line = yield ReadLine()
    raise fail("protocol.too_many_lines", limit=str(MAX_LINES))
