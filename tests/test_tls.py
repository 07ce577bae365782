"""What a failed handshake means and what a certificate says: handshakes in memory, no sockets."""

from __future__ import annotations

import contextlib
import ssl
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from mailsetup import tls
from mailsetup.errors import ConnectFailed, InputError
from mailsetup.model import TLSFacts

HOST = "imap.example.com"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
CA = trustme.CA(organization_name="mailsetup tests")
EMPTY = TLSFacts(None, None, verified=False)


def client_context(ca: trustme.CA = CA) -> ssl.SSLContext:
    """What ``tls.client_context`` makes, but trusting only ``ca``."""
    context = ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def server_context(certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (certificate or CA.issue_cert(HOST)).configure_cert(context)
    return context


class Client:
    """The client's side of a connection in memory."""

    def __init__(self, context: ssl.SSLContext, host: str = HOST) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)
        self.first_bytes = b""

    def receive(self, data: bytes) -> None:
        self.first_bytes += data
        self.incoming.write(data)

    def step(self, action: Callable[[], object]) -> bool:
        """Whether ``action`` is through; raise ConnectFailed as the program does."""
        try:
            action()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise tls.handshake_failure(error, self.first_bytes) from None
        return True


def connect(server: ssl.SSLContext, client: ssl.SSLContext | None = None, host: str = HOST) -> ssl.SSLObject:
    """The client's session after a handshake and one message from the server; raise ConnectFailed."""
    near = Client(client or client_context(), host)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    far = server.wrap_bio(incoming, outgoing, server_side=True)
    near_steps: list[Callable[[], object]] = [near.session.do_handshake, near.session.read]
    far_steps: list[Callable[[], object]] = [far.do_handshake, lambda: far.write(b"* OK\r\n"), far.read]
    for _flight in range(10):
        while near_steps and near.step(near_steps[0]):
            del near_steps[0]
        if not near_steps:
            return near.session
        incoming.write(near.outgoing.read())
        with contextlib.suppress(ssl.SSLError):  # it needs more, or its alert is on the way
            while True:
                far_steps[0]()
                del far_steps[0]
        near.receive(outgoing.read())
    raise AssertionError("the handshake does not end")


def refusal(server: ssl.SSLContext, client: ssl.SSLContext | None = None, host: str = HOST) -> str:
    with pytest.raises(ConnectFailed) as failure:
        connect(server, client, host)
    assert failure.value.facts["reason"].isprintable()
    return failure.value.code


def reaction_to(data: bytes, *, end: bool = False) -> ConnectFailed:
    """What the client makes of these bytes instead of a server's first flight."""
    client = Client(client_context())
    assert not client.step(client.session.do_handshake)
    client.receive(data)
    if end:
        client.incoming.write_eof()
    with pytest.raises(ConnectFailed) as failure:
        client.step(client.session.do_handshake)
    return failure.value


def own_certificate(
    *,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    names: tuple[str, ...] = (HOST,),
    subject: tuple[x509.NameAttribute[str], ...] = (x509.NameAttribute(NameOID.COMMON_NAME, HOST),),
    extension: x509.ExtensionType | None = None,
) -> tuple[x509.Certificate, bytes]:
    """A self-signed certificate and its private key in PEM."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 60 * DAY)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    if extension is not None:
        builder = builder.add_extension(extension, critical=False)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return builder.sign(key, hashes.SHA256()), pem


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def loaded(certificate: x509.Certificate, key: bytes, folder: Path, ciphers: str | None = None) -> ssl.SSLContext:
    """A server's context with this certificate."""
    path = folder / "server.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if ciphers is not None:
        context.set_ciphers(ciphers)
    context.load_cert_chain(path)
    return context


def test_a_good_handshake_tells_version_cipher_and_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    session = connect(server_context(CA.issue_cert(HOST, "*.example.net", not_after=NOW + 30 * DAY)))
    monkeypatch.setitem(sys.modules, "cryptography", None)  # whose import costs 59 ms: only what is refused needs it
    facts = tls.facts_of(session, verified=True, now=NOW)
    assert facts.version == "TLSv1.3"
    assert facts.cipher is not None
    assert facts.cipher.startswith("TLS_")
    assert facts.verified
    assert facts.names == (HOST, "*.example.net")
    assert facts.issuer == "mailsetup tests"
    assert facts.days_left in (29, 30)
    assert facts.not_after is not None
    assert datetime.fromisoformat(facts.not_after).tzinfo is UTC


def authority_access() -> x509.AuthorityInformationAccess:
    url = x509.UniformResourceIdentifier("http://ca.example.com/ca.crt")
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, url)],
    )


@pytest.mark.parametrize(
    "subject",
    [
        (),
        (x509.NameAttribute(NameOID.ORGANIZATION_NAME, "例子有限公司"),),
        (x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, "\x1b[2J")),
    ],
)
@pytest.mark.parametrize("extension", [None, authority_access()])
def test_openssl_and_the_parser_of_refused_certificates_read_the_same(
    subject: tuple[x509.NameAttribute[str], ...], extension: x509.ExtensionType | None, tmp_path: Path
) -> None:
    certificate, key = own_certificate(subject=subject, names=(HOST, *("a.example.net",) * 120), extension=extension)
    trusting = ssl.create_default_context(cadata=der(certificate))
    server = loaded(certificate, key, tmp_path)
    by_openssl = tls.facts_of(connect(server, trusting), verified=True, now=NOW)
    described = tls.facts_of(connect(server, tls.describing_context()), verified=True, now=NOW)
    assert by_openssl.days_left in (59, 60)
    assert by_openssl == described


def test_a_trusted_certificate_with_an_unreadable_name_ends_nothing(tmp_path: Path) -> None:
    certificate, key = own_certificate(names=(HOST, "odd.example.com"))
    # A trust anchor needs no valid signature (RFC 5280 §6.1.1), so this one may be changed.
    damaged = der(certificate).replace(b"odd.example", b"\xff\xfe\xfd.example")
    path = tmp_path / "damaged.pem"
    path.write_bytes(ssl.DER_cert_to_PEM_cert(damaged).encode() + key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    session = connect(server, ssl.create_default_context(cadata=damaged))
    facts = tls.facts_of(session, verified=True, now=NOW)
    assert (facts.version, facts.verified) == ("TLSv1.3", True)
    assert all(name.isprintable() for name in facts.names)


def test_the_clock_is_read_where_no_time_is_given() -> None:
    facts = tls.facts_of(connect(server_context()), verified=True)
    assert facts == tls.facts_of(connect(server_context()), verified=True, now=datetime.now(UTC))._replace(
        not_before=facts.not_before, not_after=facts.not_after, days_left=facts.days_left
    )


def test_a_certificate_that_cannot_be_accepted_has_its_code(tmp_path: Path) -> None:
    assert refusal(server_context(CA.issue_cert(HOST, not_before=NOW - 9 * DAY, not_after=NOW - DAY))) == (
        "tls.cert.expired"
    )
    assert refusal(server_context(CA.issue_cert(HOST, not_before=NOW + DAY, not_after=NOW + 9 * DAY))) == (
        "tls.cert.not_yet_valid"
    )
    assert refusal(server_context(CA.issue_cert("mail.example.net"))) == "tls.cert.hostname"
    assert refusal(server_context(CA.issue_cert("*.com"))) == "tls.cert.hostname"
    assert refusal(server_context(CA.issue_cert(HOST)), host="127.0.0.1") == "tls.cert.hostname"
    assert refusal(server_context(trustme.CA().issue_cert(HOST))) == "tls.cert.untrusted_issuer"
    assert refusal(loaded(*own_certificate(), tmp_path)) == "tls.cert.self_signed"


def test_a_certificate_for_clients_is_not_one_for_servers(tmp_path: Path) -> None:
    only_clients = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate, key = own_certificate(extension=only_clients)
    trusting = ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())
    assert refusal(loaded(certificate, key, tmp_path), trusting) == "tls.cert.purpose"


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    certificate, key = own_certificate(key=rsa.generate_private_key(65537, 1024))  # that is the point
    trusting = ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())
    trusting.set_ciphers("DEFAULT:@SECLEVEL=2")
    server = loaded(certificate, key, tmp_path, "DEFAULT:@SECLEVEL=0")
    assert refusal(server, trusting) == "tls.cert.weak_key"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (9, "tls.cert.not_yet_valid"),
        (10, "tls.cert.expired"),
        (18, "tls.cert.self_signed"),
        (19, "tls.cert.untrusted_issuer"),
        (20, "tls.cert.untrusted_issuer"),
        (21, "tls.cert.incomplete_chain"),
        (26, "tls.cert.purpose"),
        (62, "tls.cert.hostname"),
        (64, "tls.cert.hostname"),
        (66, "tls.cert.weak_key"),
        (67, "tls.cert.weak_key"),
        (68, "tls.cert.weak_signature"),
        (999, "tls.cert.untrusted_issuer"),
    ],
)
def test_every_verdict_of_openssl_has_a_code(number: int, code: str) -> None:
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code, error.verify_message = number, "what OpenSSL says"
    failure = tls.handshake_failure(error, b"\x16\x03\x03")
    assert (failure.code, failure.facts) == (code, {"reason": "what OpenSSL says"})


def test_an_old_server_is_recognised() -> None:
    server = server_context()
    server.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of old versions; this test is about them
        server.minimum_version = ssl.TLSVersion.TLSv1
        server.maximum_version = ssl.TLSVersion.TLSv1_1
    assert refusal(server) == "tls.version_too_old"


def test_a_server_without_a_common_cipher_is_recognised(tmp_path: Path) -> None:
    server = loaded(*own_certificate(), tmp_path, "ECDHE-RSA-AES128-GCM-SHA256")  # no use with a key of another kind
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    assert refusal(server) == "tls.no_shared_cipher"


def test_a_server_that_demands_a_certificate_is_recognised() -> None:
    server = server_context()
    CA.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    assert refusal(server) == "tls.client_cert_required"


@pytest.mark.parametrize(
    ("alert", "code"),
    [
        (40, "tls.no_shared_cipher"),  # handshake_failure (RFC 8446 §6.2)
        (70, "tls.version_too_old"),  # protocol_version
        (71, "tls.no_shared_cipher"),  # insufficient_security
        (80, "tls.handshake_alert"),  # internal_error
        (86, "tls.handshake_alert"),  # inappropriate_fallback
        (112, "tls.handshake_alert"),  # unrecognized_name
        (116, "tls.client_cert_required"),  # certificate_required
        (200, "tls.handshake_alert"),  # nobody knows
    ],
)
def test_every_alert_has_a_code(alert: int, code: str) -> None:
    failure = reaction_to(bytes([21, 3, 3, 0, 2, 2, alert]))
    assert failure.code == code
    assert failure.facts["reason"]


@pytest.mark.parametrize(
    ("data", "code", "seen"),
    [
        (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", "tls.plaintext_on_tls_port", "* OK [CAPABILITY IMAP4rev1] ready"),
        (b"220 mx.example.com ESMTP\r\n", "tls.plaintext_on_tls_port", "220 mx.example.com ESMTP"),
        (b"220-first\r\n220 second\r\n", "tls.plaintext_on_tls_port", "220-first"),
        (b"554 " + "拒绝".encode("gbk") + b"\r\n", "tls.plaintext_on_tls_port", "554 拒绝"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "tls.plaintext_on_tls_port", "SSH-2.0-OpenSSH_9.2p1"),
        (b"\x1b[31mred\r\nx", "tls.plaintext_on_tls_port", "[31mred"),
        (b"\r\n\r\n\r\n", "tls.plaintext_on_tls_port", ""),
        (b"\0" * 20, "tls.plaintext_on_tls_port", ""),
        (b"x" * 1000, "tls.plaintext_on_tls_port", "x" * 200),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "tls.http_on_tls_port", "HTTP/1.1 400 Bad Request"),
        (b"<HTML><head></head></HTML>", "tls.http_on_tls_port", "<HTML><head></head></HTML>"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_plain_text_instead_of_tls_is_shown(data: bytes, code: str, seen: str) -> None:
    failure = reaction_to(data)
    assert (failure.code, failure.facts) == (code, {"seen": seen})


@pytest.mark.parametrize("data", [b"", b"\x16\x03", bytes([22, 3, 3, 0, 50, 2, 0])])
def test_a_connection_that_ends_in_the_handshake_is_an_end(data: bytes) -> None:
    assert reaction_to(data, end=True).code == "tls.eof"


def test_a_broken_record_is_a_failed_handshake() -> None:
    failure = reaction_to(bytes([22, 9, 9, 0, 4, 1, 2, 3, 4]))
    assert failure.code == "tls.handshake_alert"
    assert failure.facts["reason"]


def test_an_error_without_a_reason_is_a_failed_handshake() -> None:
    error = ssl.SSLError(1, "what?")
    error.reason = ""
    failure = tls.handshake_failure(error, b"")
    assert (failure.code, failure.facts) == ("tls.handshake_alert", {"reason": "unknown"})


def test_every_first_byte_leads_to_some_code() -> None:
    for first in range(256):
        failure = reaction_to(bytes([first]) * 64, end=True)
        assert failure.code.startswith("tls.")
        assert all(fact.isprintable() for fact in failure.facts.values())


def test_a_certificate_without_alternative_names_has_none() -> None:
    certificate, _key = own_certificate(names=())
    facts = tls.with_certificate(EMPTY, der(certificate), NOW)
    assert (facts.subject, facts.names) == (HOST, ())


def test_the_organisation_stands_in_for_a_missing_common_name() -> None:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Ltd")
    certificate, _key = own_certificate(subject=(organisation,))
    assert tls.with_certificate(EMPTY, der(certificate), NOW).subject == "Example Ltd"
    certificate, _key = own_certificate(subject=())
    assert tls.with_certificate(EMPTY, der(certificate), NOW).subject == ""


def test_names_in_a_certificate_cannot_act_on_a_terminal_and_are_bounded() -> None:
    evil = x509.NameAttribute(NameOID.COMMON_NAME, "a\x1b[31m\u202eb\n")
    certificate, _key = own_certificate(subject=(evil,), names=("a\x1b[2Jb.example.com",) * 200)
    facts = tls.with_certificate(EMPTY, der(certificate), NOW)
    assert (facts.subject, facts.issuer) == ("a[31mb", "a[31mb")
    assert facts.names == ("a[2Jb.example.com",) * 100


def test_days_are_counted_down_to_below_zero() -> None:
    certificate, _key = own_certificate()
    days = [tls.with_certificate(EMPTY, der(certificate), NOW + n * DAY).days_left for n in (0, 59, 61)]
    assert days in ([60, 1, -1], [59, 0, -2])  # the certificate counts in seconds, NOW in microseconds


def test_what_is_no_certificate_changes_nothing() -> None:
    for body in (b"", b"\x30", b"certificate", der(own_certificate()[0])[:-1]):
        assert tls.with_certificate(EMPTY, body, NOW) == EMPTY


def test_a_damaged_certificate_is_described_as_far_as_possible_or_not_at_all() -> None:
    body = der(own_certificate(extension=x509.IssuerAlternativeName([x509.DNSName("a.example.com")]))[0])
    for position in range(len(body)):
        for change in (0x01, 0x80, 0xFF):
            damaged = body[:position] + bytes([body[position] ^ change]) + body[position + 1 :]
            facts = tls.with_certificate(EMPTY, damaged, NOW)
            assert all(text.isprintable() for text in (facts.subject or "", facts.issuer or "", *facts.names))


def test_one_extension_twice_does_not_end_the_program() -> None:
    body = der(own_certificate(extension=x509.IssuerAlternativeName([x509.DNSName("a.example.com")]))[0])
    subject_names, issuer_names = b"\x06\x03\x55\x1d\x11", b"\x06\x03\x55\x1d\x12"  # 2.5.29.17 and 2.5.29.18
    assert body.count(issuer_names) == 1
    assert tls.with_certificate(EMPTY, body.replace(issuer_names, subject_names), NOW) == EMPTY


def test_a_missing_intermediate_is_told_from_an_unknown_authority() -> None:
    public = tls.with_certificate(EMPTY, der(own_certificate(extension=authority_access())[0]), NOW)
    private = tls.with_certificate(EMPTY, der(own_certificate()[0]), NOW)
    unknown, incomplete = "tls.cert.untrusted_issuer", "tls.cert.incomplete_chain"
    assert public.issuer_url == "http://ca.example.com/ca.crt"
    assert tls.reason_of_distrust(unknown, public) == incomplete
    assert tls.reason_of_distrust(unknown, public._replace(chain_length=1)) == incomplete
    assert tls.reason_of_distrust(unknown, public._replace(chain_length=2)) == unknown
    assert tls.reason_of_distrust(unknown, private) == tls.reason_of_distrust(unknown, None) == unknown
    assert tls.reason_of_distrust("tls.cert.expired", public) == "tls.cert.expired"


def test_the_context_verifies_and_refuses_old_versions() -> None:
    context = tls.client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert tls.client_context() is context


def test_further_authorities_come_from_a_file(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(ca_file)
    assert connect(server_context(), tls.client_context(str(ca_file))).version() == "TLSv1.3"
    assert refusal(server_context(), tls.client_context()) == "tls.cert.untrusted_issuer"


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_without_authorities_is_a_usage_error(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        tls.client_context(str(path))
    assert (refused.value.code, refused.value.facts) == ("input.ca_file", {"path": str(path)})


def record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + len(body).to_bytes(2) + body


def handshake_message(kind: int, body: bytes = b"") -> bytes:
    return bytes([kind]) + len(body).to_bytes(3) + body


SERVER_HELLO, CERTIFICATE, CERTIFICATE_REQUEST = 2, 11, 13


@pytest.mark.parametrize("size", [1, 3, 7, 16384])
def test_the_question_for_a_certificate_is_found_however_it_is_cut_into_records(size: int) -> None:
    messages = handshake_message(SERVER_HELLO, b"x" * 70) + handshake_message(CERTIFICATE, bytes([13]) * 900)
    without = b"".join(record(22, messages[i : i + size]) for i in range(0, len(messages), size))
    asked = messages + handshake_message(CERTIFICATE_REQUEST, b"y" * 9)
    flight = b"".join(record(22, asked[i : i + size]) for i in range(0, len(asked), size))
    assert not tls.asks_for_certificate(without)
    assert tls.asks_for_certificate(flight)
    assert tls.asks_for_certificate(flight + record(21, b"\x02\x28"))
    assert not tls.asks_for_certificate(record(21, b"\x02\x28") + flight)  # that is no handshake any more


@given(st.binary(max_size=200))
def test_any_bytes_may_be_looked_at_for_a_question(flight: bytes) -> None:
    assert tls.asks_for_certificate(flight) in (True, False)
    assert tls.asks_for_certificate(record(22, handshake_message(CERTIFICATE_REQUEST)) + flight)


@pytest.mark.parametrize(
    ("cipher", "exchange"),
    [
        ("AES256-GCM-SHA384", "RSA"),
        ("DHE-RSA-AES128-GCM-SHA256", "DHE"),
        ("ECDHE-RSA-AES256-SHA", "ECDHE"),
        ("TLS_AES_128_GCM_SHA256", "ECDHE"),
    ],
)
def test_how_keys_are_agreed_on_is_part_of_the_name_of_a_cipher(cipher: str, exchange: str) -> None:
    assert tls.key_exchange(cipher) == exchange


def test_the_describing_context_looks_at_what_verification_refuses() -> None:
    expired = server_context(trustme.CA().issue_cert("x.example.net", not_before=NOW - 9 * DAY, not_after=NOW - DAY))
    facts = tls.facts_of(connect(expired, tls.describing_context()), verified=False, now=NOW)
    assert not facts.verified
    assert facts.names == ("x.example.net",)
    assert facts.days_left in (-1, -2)
