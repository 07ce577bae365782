"""What is fuzzed: functions that take any bytes and return, or raise where a promise is broken.

An exception that the called function documents is an answer; every other one is a finding.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import trustme

import fakes
from mailsetup import address, clientconfig, diagnosis, pasted, pox, probing, tls
from mailsetup.errors import InputError, InvalidConfig
from mailsetup.explaining import explain
from mailsetup.index import Index
from mailsetup.jsonform import dumps
from mailsetup.model import Protocol, Security, TLSFacts
from mailsetup.sources import Page, pacc
from mailsetup.wire import decode
from mailsetup.wire.saslprep import saslprep
from wire.driver import BY_TOKEN, LOGIN, MESSAGE, NONCE, Outcome, byte_by_byte, drive, read_transcript, start
from wire.test_exhaustive import ALPHABETS, Chunks, check

Target = Callable[[bytes], None]

TRANSCRIPTS = Path(__file__).parent.parent / "tests" / "wire" / "transcripts"
# In an input for a dialogue: where the server waits before it says more, so that nothing is buffered any longer.
PAUSE = b"\xff\xfe"
LOGINS = (None, LOGIN, LOGIN._replace(imap_id=True), LOGIN._replace(message=MESSAGE), BY_TOKEN)
SITUATIONS = [(Security.PLAIN, None), *((s, login) for s in (Security.TLS, Security.STARTTLS) for login in LOGINS)]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def dialogue(protocol: Protocol) -> Target:
    """A conversation in ``protocol``: one byte says in which situation, one the size of chunks, the server the rest."""

    def target(data: bytes) -> None:
        if len(data) < 2:
            return
        security, login = SITUATIONS[data[0] % len(SITUATIONS)]
        size = data[1] + 1
        flights = data[2:].split(PAUSE)
        chunks = [flight[at : at + size] for flight in flights for at in range(0, len(flight), size)]
        outcome = drive(*start(protocol, security, login), Chunks(chunks))
        check(outcome, security, login)
        _check_words(outcome)
        # How the network cuts a stream means nothing, except where it must end because TLS begins.
        if outcome.code != "starttls.injection":
            again = drive(*start(protocol, security, login), Chunks(list(byte_by_byte(b"".join(chunks)))))
            assert (again.code, again.facts, again.session) == (outcome.code, outcome.facts, outcome.session)

    return target


def _check_words(outcome: Outcome) -> None:
    session = outcome.session
    _check_text([session.greeting, session.farewell, *session.capabilities, *session.mechanisms])
    _check_text(outcome.facts.values())
    if outcome.code is not None:
        assert outcome.code in diagnosis.CODES
        said = diagnosis.diagnose(outcome.code, outcome.facts)
        _check_text([said.message, *said.remedy])
        assert len(said.message) < 2000


def _check_text(texts: Iterable[str]) -> None:
    for text in texts:
        assert text.isprintable(), text
        assert dumps(text, ascii_only=False).isprintable()


def autoconfig(data: bytes) -> None:
    """A configuration file (config-v1.1.xml)."""
    with contextlib.suppress(InvalidConfig):  # a refusal is a verdict
        found = clientconfig.parse(data, "example.com", locator_is_own=True)
        assert found.endpoints
        _check_text([found.provider_id, found.display_name, *found.domains, *found.skipped])
        for endpoint in found.endpoints:
            assert address.parse_host(endpoint.host) == endpoint.host
            assert 0 < endpoint.port < 65536
            _check_text([endpoint.username_form])


def autodiscover(data: bytes) -> None:
    """An answer of Autodiscover (POX)."""
    with contextlib.suppress(InvalidConfig):  # a refusal is a verdict
        pox.parse(data)


def pacc_file(data: bytes) -> None:
    """A PACC file, with the digest that it must have."""
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    page = Page("https://example.com/", ("https://example.com/",), data)
    with contextlib.suppress(InvalidConfig):  # a refusal is a verdict
        found = pacc.interpret(page, pacc.digests([f"v=UAAC1; a=sha256; d={digest}"]))
        _check_text([found.detail])


def certificate(data: bytes) -> None:
    """A server's certificate."""
    facts = tls.with_certificate(TLSFacts(None, None, verified=False), data, NOW)
    _check_text([facts.subject or "", facts.issuer or "", facts.issuer_url or "", *facts.names])


def handshake(data: bytes) -> None:
    """What a server sends in place of a TLS handshake."""
    error = ssl.SSLError(1, "handshake failure")
    error.reason = "SSLV3_ALERT_HANDSHAKE_FAILURE"
    failure = tls.handshake_failure(error, data)
    _check_text(failure.facts.values())
    assert failure.code in diagnosis.CODES


def query(data: bytes) -> None:
    """What somebody types: an address or an endpoint."""
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(InputError):  # a refusal is a verdict
        parsed = address.parse(text)
        assert parsed.domain.isascii()
        assert address.parse(str(parsed)) == parsed
    with contextlib.suppress(InputError):  # a refusal is a verdict
        endpoint = probing.parse_endpoint(text)
        assert endpoint is None or 0 < endpoint.port < 65536


def refusal(data: bytes) -> None:
    """An error message that somebody pastes."""
    lines = pasted.lines(data)
    _check_text(lines)
    _check_text([explain(lines, Index.load(), "en").query])


def password(data: bytes) -> None:
    """A password, as SCRAM prepares it: doing it again changes nothing (RFC 3454 §1.3 wants stable strings)."""
    prepared = saslprep(data.decode("utf-8", "replace"))
    assert prepared is None or saslprep(prepared) in (prepared, None)


def text(data: bytes) -> None:
    """Whatever a server says, as it is shown."""
    _check_text([decode(data)])


TARGETS: dict[str, Target] = {
    "imap": dialogue(Protocol.IMAP),
    "pop3": dialogue(Protocol.POP3),
    "smtp": dialogue(Protocol.SMTP),
    "autoconfig": autoconfig,
    "autodiscover": autodiscover,
    "pacc": pacc_file,
    "certificate": certificate,
    "handshake": handshake,
    "query": query,
    "refusal": refusal,
    "password": password,
    "text": text,
}


def seeds(name: str) -> Iterator[bytes]:
    """Inputs to begin with."""
    if name in set(Protocol):
        for path in sorted(TRANSCRIPTS.glob("*.txt")):
            transcript = read_transcript(path)
            if transcript.protocol == name:
                situation = SITUATIONS.index((transcript.security, transcript.login))
                yield bytes([situation, 255]) + PAUSE.join(step[1] for step in transcript.script if step[0] == "S")
    if name == "certificate":
        for names in (["imap.example.com"], ["例子.中国", "*.example.com", "192.0.2.1"]):
            blob = trustme.CA().issue_cert(*names).cert_chain_pems[0].bytes()
            yield ssl.PEM_cert_to_DER_cert(blob.decode("ascii"))
    yield from _SEEDS.get(name, ())


def dictionary(name: str) -> Sequence[bytes]:
    """Words that inputs are made of, for engines that can use them."""
    if name not in set(Protocol):
        return _WORDS.get(name, ())
    replies = [reply.replace(b"{tag}", tag) for reply in ALPHABETS[Protocol(name)] for tag in (b"a1", b"a2", b"a3")]
    offer = base64.b64encode(f"r={NONCE}x,s=c2FsdA==,i=4096".encode())
    words = [PAUSE, b"\r\n", offer, b"{4294967295}", b"SCRAM-SHA-256", b"OAUTHBEARER", b"SASL-IR", b"\xc7\xeb"]
    return list(dict.fromkeys([*replies, *words]))


_XML = b'<?xml version="1.0" encoding="UTF-8"?>'
_AUTODISCOVER = (
    b"<Autodiscover><Response><Account><AccountType>email</AccountType><Action>settings</Action><Protocol>"
    b"<Type>IMAP</Type><Server>imap.example.com</Server><Port>993</Port><SSL>on</SSL></Protocol></Account></Response>"
    b"</Autodiscover>"
)
_AUTODISCOVER_ERROR = b"<Autodiscover><Response><Error><Message>x</Message></Error></Response></Autodiscover>"
_SEEDS: dict[str, Sequence[bytes]] = {
    "autoconfig": (fakes.config(), _XML + fakes.config(socket_type="STARTTLS", username="%EMAILLOCALPART%")),
    "autodiscover": (_AUTODISCOVER, _AUTODISCOVER_ERROR),
    "pacc": (b'{"protocols": {"imap": {"host": "imap.example.com"}, "caldav": {"url": "https://example.com/"}}}',),
    "handshake": (
        b"\x16\x03\x03\x00\x04\x0d\x00\x00\x00",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
    ),
    "query": ("用户@例子.中国".encode(), b'"a b"@example.com', b"imaps://[2001:db8::1]:993/", b"smtp.example.com:465"),
    "refusal": (b"535 5.7.8 Error: authentication failed", "535 Error: 请使用授权码登录".encode("gbk")),
    "password": ("pässword\u00a0\u00ad".encode(), "\u0627\u0644".encode()),
    "text": (b"\x1b[31m\xc2\x9b\xe2\x80\xae", "请".encode("gbk")),
}
_WORDS: dict[str, Sequence[bytes]] = {
    "autoconfig": (b"<!DOCTYPE x>", b"&#27;", b"<![CDATA[", b'encoding="GB18030"', b"%EMAILADDRESS%", b"<hostname>"),
    "autodiscover": (b"<!ENTITY x SYSTEM 'file:///'>", b"redirectUrl", b"<Port>", b"&amp;", b'encoding="UTF-16"'),
    "pacc": (b'"authentication"', b'"submission"', b'"managesieve"', b"\\u001b", b"NaN", b"1e999"),
    "query": (b"xn--", b"@", b"]:", b"imaps://", b"\xe3\x80\x82", b"\xf0\x9f\x98\x80"),
}
