"""Whatever a server says, a dialogue ends with a verdict, and nothing secret leaves before TLS."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailsetup.model import Protocol, Security, Stage
from mailsetup.wire import Login, Send, StartTLS

from .driver import BY_TOKEN, LOGIN, MESSAGE, NONCE, Outcome, drive, start

# Long enough for a login after STARTTLS wherever that fits into reasonable time.
LENGTHS = {Protocol.IMAP: 6, Protocol.POP3: 7, Protocol.SMTP: 8}
ALPHABETS = {
    Protocol.IMAP: (  # {tag} stands for the tag of the client's last command
        b"* OK x",
        b"* PREAUTH x",
        b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN",
        b"* LIST {3}",
        b"{tag} OK x",
        b"{tag} OK [CAPABILITY IMAP4rev1] x",
        b"{tag} NO x",
        b"+ ",
    ),
    Protocol.POP3: (
        b"+OK",
        b"-ERR",
        b"+OK\r\nSTLS\r\n.",
        b"+OK\r\nUSER\r\n.",
        b"+OK\r\nSASL PLAIN\r\n.",
        b".",
        b"+ ",
        b"+ !",
        b"* OK",
    ),
    Protocol.SMTP: (
        b"220 x",
        b"250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN",
        b"250-x\r\n250 AUTH LOGIN",
        b"250 x",
        b"250-x",
        b"334 ",
        b"235 x",
        b"421 x",
        b"500 x",
        b"535 x",
        b"x",
    ),
}
SITUATIONS = [
    (protocol, security, login)
    for protocol in Protocol
    for security in Security
    for login in (None, LOGIN)
    if not (security is Security.PLAIN and login)
]


FROM_LOGIN_ON = (Stage.LOGIN, Stage.MAILBOX, Stage.SEND)
SECRETS = re.compile(
    b"|".join(re.escape(form.encode()) for form in (*LOGIN.secret_forms(), *BY_TOKEN.secret_forms(), LOGIN.username))
)


class Replies:
    """A server that says the same replies whatever it is asked, and then hangs up."""

    def __init__(self, replies: tuple[bytes, ...]) -> None:
        self._replies = iter(replies)
        self._tag = b"a1"
        self.used = 0

    def sent(self, data: bytes) -> None:
        if match := re.match(rb"a[0-9]+ ", data):
            self._tag = match[0].strip()

    def receive(self) -> bytes:
        reply = next(self._replies, None)
        self.used += 1
        return b"" if reply is None else reply.replace(b"{tag}", self._tag) + b"\r\n"

    def handshake(self) -> bool:
        return True


class Chunks:
    """A server that sends bytes in the given chunks, and then hangs up."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = iter([chunk for chunk in chunks if chunk])

    def sent(self, data: bytes) -> None:
        pass

    def receive(self) -> bytes:
        return next(self._chunks, b"")

    def handshake(self) -> bool:
        return True


def conversations(protocol: Protocol, security: Security, login: Login | None) -> Iterator[Outcome]:
    """The outcomes of all sequences of so many replies; what follows the end of a dialogue is not tried again."""
    alphabet = ALPHABETS[protocol]
    pending: list[tuple[bytes, ...]] = [()]
    while pending:
        replies = pending.pop()
        peer = Replies(replies)
        outcome = drive(*start(protocol, security, login), peer)
        yield outcome
        if peer.used > len(replies) and len(replies) < LENGTHS[protocol]:
            pending.extend((*replies, reply) for reply in alphabet)


def check(outcome: Outcome, security: Security, login: Login | None) -> None:
    """What must hold for every conversation."""
    session = outcome.session
    if outcome.code is None:
        # Success means that everything asked for was done.
        assert session.over_tls == (security is not Security.PLAIN)
        assert login is None or session.logged_in
        assert login is None or session.stage in (Stage.MAILBOX, Stage.SEND)
    handshakes = 0
    for action, stage, over_tls in outcome.performed:
        if isinstance(action, Send):
            assert action.data.endswith(b"\r\n")
            assert over_tls if action.secret else not SECRETS.search(action.data)
            assert over_tls or stage not in FROM_LOGIN_ON
        elif isinstance(action, StartTLS):
            handshakes += 1
    assert handshakes <= 1


@pytest.mark.parametrize(("protocol", "security", "login"), SITUATIONS)
def test_every_short_conversation_ends_in_a_verdict(
    protocol: Protocol, security: Security, login: Login | None
) -> None:
    codes = set()
    for outcome in conversations(protocol, security, login):
        check(outcome, security, login)
        codes.add(outcome.code)
    # The alphabet is rich enough to get everywhere; only a login after STARTTLS takes IMAP more replies than these.
    assert {"greeting.eof", "protocol.eof"} <= codes
    assert None in codes or (protocol, security, login) == (Protocol.IMAP, Security.STARTTLS, LOGIN)
    assert login is None or "auth.eof" in codes
    assert security is not Security.STARTTLS or {"starttls.not_offered", "starttls.refused", "starttls.eof"} <= codes


SCRAM_OFFER = f"r={NONCE}x,s=c2FsdA==,i=4096".encode()
plausible = st.sampled_from(
    [
        *(
            letter.replace(b"{tag}", tag)
            for letters in ALPHABETS.values()
            for letter in letters
            for tag in (b"a1", b"a2")
        ),
        *(
            b"* LIST {1}",
            b"{5}",
            b"a1 OK [CAPABILITY",
            b"+ =",
            b"334 VXNlcm5hbWU6",
            b"+OK [X",
            b"\x00",
            b"\xff",
            b"1" * 50,
            b"250 AUTH SCRAM-SHA-256 XOAUTH2",
            b"+OK\r\nSASL SCRAM-SHA-1 OAUTHBEARER\r\n.",
            b"* CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256 AUTH=OAUTHBEARER",
            *(mark + b64encode(SCRAM_OFFER) for mark in (b"+ ", b"334 ")),
            *(mark + b64encode(b"v=AAAA") for mark in (b"+ ", b"334 ")),
            *(mark + b64encode(b'{"status":"401"}') for mark in (b"+ ", b"334 ")),
            b"* SEARCH 1",
            b"+OK 3 4567",
            b"Message-ID: " + MESSAGE.id.encode(),
            b"354 go on",
        ),
    ]
)
server_bytes = st.lists(st.one_of(plausible.map(lambda line: line + b"\r\n"), plausible, st.binary(max_size=20)))


@pytest.mark.parametrize(
    ("protocol", "security", "login"),
    SITUATIONS
    + [
        (protocol, security, login)
        for protocol in Protocol
        for security in (Security.TLS, Security.STARTTLS)
        for login in (BY_TOKEN, LOGIN._replace(message=MESSAGE))
    ],
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chunks=server_bytes)
def test_arbitrary_bytes_end_in_a_verdict(
    protocol: Protocol, security: Security, login: Login | None, chunks: list[bytes]
) -> None:
    check(drive(*start(protocol, security, login), Chunks(chunks)), security, login)


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize(
    "login", [LOGIN, BY_TOKEN, LOGIN._replace(message=MESSAGE)], ids=["password", "token", "message"]
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chunks=server_bytes)
def test_arbitrary_bytes_mean_the_same_however_they_are_cut(
    protocol: Protocol, login: Login, chunks: list[bytes]
) -> None:
    whole = b"".join(chunks)
    single = [whole[position : position + 1] for position in range(len(whole))]
    together, apart = (drive(*start(protocol, Security.TLS, login), Chunks(pieces)) for pieces in ([whole], single))
    assert together == apart
