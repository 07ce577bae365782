"""Mail protocols without I/O: each dialogue is a generator of actions and reads like the RFC's example session.

A dialogue never touches a socket. It yields ``Send``, ``ReadLine``, ``ReadBytes``, ``StartTLS`` and ``Pause``; whoever
drives it performs the action and sends back the bytes that were read (``b""`` for the others). What the dialogue learns
goes into its ``Session``, so that everything learned before a failure survives it. It ends by returning, or by raising
``DialogueFailed`` with a code of the contract.

The driver enforces once, for every protocol (see ``prober``):

* end of input and the deadline become ``<area>.eof`` and ``<area>.timeout`` by ``Session.stage``;
* the limits below; nothing may be buffered when ``StartTLS`` is performed, else the code is ``starttls.injection``;
* credentials only over verified TLS: ``Send(secret=True)`` on anything else is refused and is a bug.

No variable of a dialogue holds a password or token as text, so that a traceback with local variables shows none.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

from ..errors import DialogueFailed
from ..model import Notice, Protocol, Security, Stage

# RFC 5321 §4.5.3.1.5 allows 512 octets for a reply line and RFC 2449 §4 as much; real servers exceed both a little.
MAX_LINE_BYTES = 8 * 1024
# IMAP capability lists come in one line (RFC 9051 §7.2.2).
MAX_CAPABILITY_LINE_BYTES = 64 * 1024
MAX_LINES = 256  # lines of one reply
MAX_HEADER_LINES = 2000  # of a message: every server on its way, and every filter, adds to it
MAX_LITERAL_BYTES = 64 * 1024
MAX_SESSION_BYTES = 1024 * 1024  # everything a server may send in one connection, enforced by the driver
MAX_REPLY_CHARACTERS = 300  # of server text kept for people to read


class Send(NamedTuple):
    """Write ``data``. ``secret`` data is never traced, and sent over verified TLS only."""

    data: bytes
    secret: bool = False

    def __repr__(self) -> str:
        return "Send(…)" if self.secret else f"Send({self.data!r})"


class ReadLine(NamedTuple):
    """Read up to and including the next LF; the dialogue receives the line without its CRLF or LF.

    A longer line ends the probe with ``protocol.line_too_long``.
    """

    limit: int = MAX_LINE_BYTES


class ReadBytes(NamedTuple):
    """Read exactly ``size`` bytes (an IMAP literal)."""

    size: int


class StartTLS(NamedTuple):
    """Switch to TLS now. Implicit TLS is the same dialogue with this as its first action."""


class Pause(NamedTuple):
    """Do nothing for so long."""

    seconds: float


Action = Send | ReadLine | ReadBytes | StartTLS | Pause
Result = TypeVar("Result")
Step = Generator[Action, bytes, Result]  # a piece of a dialogue, run with ``yield from``
Dialogue = Step[None]


class Secret:
    """A password or token that no repr, log line or traceback shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: call it only where the bytes for the wire are made."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class Token(Secret):
    """An OAuth2 access token (RFC 6750), which takes the place of a password."""

    __slots__ = ()


class Message(NamedTuple):
    """A message to oneself: SMTP delivers it, IMAP and POP3 look for it."""

    id: str  # its Message-ID, angle brackets included
    body: bytes  # as RFC 5322 wants it: header and body, lines end with CRLF


class Login(NamedTuple):
    """What a dialogue needs to log in and to try that the account is usable."""

    username: str
    secret: Secret  # the password, or a Token
    address: str  # for MAIL FROM and RCPT TO
    imap_id: bool = False  # the server demands ID (RFC 2971) before it opens a mailbox
    message: Message | None = None

    @property
    def by_token(self) -> bool:
        """Whether the secret is an OAuth2 token: it must go nowhere that takes a password."""
        return isinstance(self.secret, Token)

    def secret_forms(self) -> tuple[str, ...]:
        """The forms in which a server may repeat the secret, so that they can be masked (and ``Session.secrets``)."""
        secret = self.secret.reveal()
        if not secret:
            return ()
        plain = f"\0{self.username}\0{secret}"
        # "replace": a password that cannot be encoded is refused, but the refusal passes through here as well.
        base64_forms = (b64encode(text.encode("utf-8", "replace")).decode() for text in (plain, secret))
        return (*base64_forms, quoted(secret)[1:-1], secret)


def _new_nonce() -> str:
    """Printable, without a comma, and more than anybody can guess (RFC 5802 §5.1)."""
    return b64encode(os.urandom(24)).decode()


@dataclass(slots=True)
class Session:
    """What is known about the connection so far; the dialogue fills it, the driver reads it."""

    protocol: Protocol
    security: Security
    host: str = ""  # where the connection leads to, for mechanisms that name it
    port: int = 0
    stage: Stage = Stage.CONNECT
    over_tls: bool = False  # set by the driver once a verified handshake is done
    greeting: str = ""
    capabilities_before_tls: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()  # SASL mechanisms offered after TLS; IMAP's LOGIN command and USER are none
    mechanism: str | None = None  # the one that the login used
    nonce: str = field(default_factory=_new_nonce)  # ours, for one login
    # What else must not be shown if the server repeats it.
    secrets: list[Secret] = field(default_factory=list, compare=False)
    logged_in: bool = False
    farewell: str = ""  # the text of an IMAP "* BYE" in the middle: why the end of input follows, if it does
    notices: list[Notice] = field(default_factory=list)


# What a broken connection means at each stage: end of input, deadline, reset. From the greeting on, a reset is the same
# news as an end of input: which of the two a client sees depends on what the server left unread (RFC 1122 §4.2.2.13).
_INTERRUPTED: dict[Stage, tuple[str, str, str]] = {
    Stage.DNS: ("dns.timeout", "dns.timeout", "dns.timeout"),  # a resolver that hangs up has not answered
    Stage.CONNECT: ("tcp.reset", "tcp.timeout", "tcp.reset"),
    Stage.TLS: ("tls.eof", "tls.timeout", "tls.reset"),
    Stage.GREETING: ("greeting.eof", "greeting.timeout", "tcp.reset"),  # typical of a filter in between
    Stage.STARTTLS: ("starttls.eof", "protocol.timeout", "starttls.eof"),
    Stage.CAPABILITY: ("protocol.eof", "protocol.timeout", "protocol.eof"),
    Stage.LOGIN: ("auth.eof", "auth.timeout", "auth.eof"),
    Stage.MAILBOX: ("protocol.eof", "protocol.timeout", "protocol.eof"),
    Stage.SEND: ("protocol.eof", "protocol.timeout", "protocol.eof"),
}


def interrupted(stage: Stage, kind: Literal["eof", "timeout", "reset"]) -> str:
    """The code for a connection that ended, stalled or was reset at ``stage``.

    ``Session.stage`` stays STARTTLS during the handshake that follows the go-ahead; a handshake that stalls there is
    ``tls.timeout``, as it is for implicit TLS: the driver knows that it is in one and passes ``Stage.TLS``.
    """
    eof, timeout, reset = _INTERRUPTED[stage]
    return {"eof": eof, "timeout": timeout, "reset": reset}[kind]


def decode(line: bytes) -> str:
    """Server text as printable text: UTF-8, else GB18030 (Chinese servers), else Latin-1; control characters dropped.

    Bidirectional and zero-width characters are dropped too, so that a server cannot rearrange what a terminal shows.
    """
    for encoding in ("utf-8", "gb18030"):
        try:
            text = line.decode(encoding)
            break
        except UnicodeDecodeError:
            continue  # not in this encoding
    else:
        text = line.decode("latin-1")
    if text.isprintable():
        return text
    return "".join(character for character in text if character.isprintable())


def fail(code: str, line: bytes = b"", **facts: str) -> DialogueFailed:
    """The exception for ``code``; ``line`` is what the server said (made printable, cut to a sensible length)."""
    if line:
        facts["reply"] = shown(line)
    return DialogueFailed(code, **facts)


def command(line: bytes, *, secret: bool = False) -> Send:
    """Send ``line`` and the line end of every mail protocol."""
    return Send(line + b"\r\n", secret)


def private(line: Secret) -> Send:
    """Send a line that must not be traced, and its end."""
    return command(line.reveal().encode(), secret=True)


def quoted(text: str) -> str:
    """``text`` as a quoted string of IMAP (RFC 9051 §4.3)."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def shown(line: bytes) -> str:
    """What of ``line`` is shown to people: decoded and cut."""
    return decode(line)[:MAX_REPLY_CHARACTERS]


_BANNERS = (
    ("http", re.compile(rb"HTTP/|\s*<(?:!doctype )?html", re.IGNORECASE)),
    ("ssh", re.compile(rb"SSH-")),
    ("imap", re.compile(rb"\* (?:OK|PREAUTH|BYE)\b", re.IGNORECASE)),
    ("pop3", re.compile(rb"(?:\+OK|-ERR)\b", re.IGNORECASE)),
    # FTP greets with 220 as SMTP does (RFC 959 §5.4), but an SMTP server may well be called ftp.example.com.
    ("ftp", re.compile(rb"220(?!.*SMTP).*FTP", re.IGNORECASE | re.DOTALL)),
    ("smtp", re.compile(rb"(?:220|[45][0-9][0-9])(?:[ -]|$)")),
)


def banner(line: bytes) -> str:
    """Which service speaks like this: http, ssh, imap, pop3, ftp, smtp or unknown.

    ``line`` is the first line of a connection, or as much of it as there is. 220 alone does not prove SMTP.
    """
    return next((service for service, pattern in _BANNERS if pattern.match(line)), "unknown")


def wrong_greeting(session: Session, line: bytes) -> DialogueFailed:
    """The exception for a greeting that is not of ``session.protocol``."""
    service = banner(line)
    if service in ("http", "ssh"):
        return fail(f"greeting.{service}", line)
    return fail("greeting.wrong_protocol", line, expected=session.protocol, seen=service)


def implicit_tls(session: Session) -> Dialogue:
    """TLS from the first byte (RFC 8314 §3)."""
    session.stage = Stage.TLS
    yield StartTLS()


def upgrade(session: Session) -> Dialogue:
    """TLS after the server's go-ahead; what it said before is kept for show and must be asked again.

    RFC 3207 §4.2, RFC 9051 §6.2.1, RFC 2595 §4: an attacker may have written all of it.
    """
    yield StartTLS()
    session.capabilities_before_tls = session.capabilities
    session.capabilities = session.mechanisms = ()


def offers(capabilities: tuple[str, ...], name: str) -> bool:
    """Whether ``name`` is among ``capabilities``, whatever its letter case and parameters."""
    return any(capability.upper().partition(" ")[0] == name for capability in capabilities)
