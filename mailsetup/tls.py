"""TLS: which contexts we use, what a failed handshake means, and what a certificate says. No sockets.

Verification is always on: chain, name, dates and purpose, TLS 1.2 or newer (RFC 8314 §4.1, RFC 9525). The one context
that does not verify exists to *describe* what was refused; nothing but the handshake happens on it.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import ConnectFailed, InputError
from .model import TLSFacts
from .wire import decode

if TYPE_CHECKING:
    from cryptography import x509

# X509_V_ERR_* numbers of OpenSSL -> our codes.
_CERTIFICATE_CODES = {
    9: "tls.cert.not_yet_valid",
    10: "tls.cert.expired",
    18: "tls.cert.self_signed",
    19: "tls.cert.untrusted_issuer",
    20: "tls.cert.untrusted_issuer",
    21: "tls.cert.incomplete_chain",
    26: "tls.cert.purpose",
    62: "tls.cert.hostname",
    64: "tls.cert.hostname",  # IP address mismatch
    66: "tls.cert.weak_key",
    67: "tls.cert.weak_key",
    68: "tls.cert.weak_signature",
}
# Words in OpenSSL's reason, e.g. "TLSV1_ALERT_PROTOCOL_VERSION" -> our codes; the first that occurs decides.
_HANDSHAKE_CODES = (
    ("PROTOCOL_VERSION", "tls.version_too_old"),
    ("UNSUPPORTED_PROTOCOL", "tls.version_too_old"),
    ("EE_KEY_TOO_SMALL", "tls.cert.weak_key"),
    ("MD_TOO_WEAK", "tls.cert.weak_signature"),
    ("CERTIFICATE_REQUIRED", "tls.client_cert_required"),
    ("HANDSHAKE_FAILURE", "tls.no_shared_cipher"),  # alert 40: no cipher, group or signature in common
    ("NO_SHARED_CIPHER", "tls.no_shared_cipher"),
    ("INSUFFICIENT_SECURITY", "tls.no_shared_cipher"),
    ("DH_KEY_TOO_SMALL", "tls.no_shared_cipher"),
    ("EOF", "tls.eof"),
    ("ALERT", "tls.handshake_alert"),
)
# Forward secrecy and no SHA-1 (RFC 9325 §4.1): what Python's own builds offer. Linux distributions change the default,
# and a verdict must not depend on who built Python. (TLS 1.3 has suites of its own, all of them good.)
CIPHERS = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
# The same first, so that a server which can do better does, then whatever else OpenSSL still knows.
_ANY_CIPHER = "@SECLEVEL=0:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:ALL:!aNULL:!eNULL"
# Refusals whose reason is what a server offers: worth a look at what that is.
OUTDATED = frozenset({"tls.version_too_old", "tls.no_shared_cipher"})
_RECORD_TYPES = range(20, 24)  # the first byte of every TLS record (RFC 8446 §5.1)
_HANDSHAKE_RECORD = 22
_CERTIFICATE_REQUEST = 13  # a type of handshake message (RFC 5246 §7.4)
_MOST_NAMES = 100  # of a certificate
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MAX_FLIGHT_BYTES = 64 * 1024  # of what a server sends in a handshake, kept to explain a failure


@cache  # reading the system's store takes as long as several handshakes
def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """A verifying context with the system's trust store and ``ca_file``; raise InputError if the file is unusable.

    Where the system's store is not whole Mozilla's list of authorities is added to it: Windows fetches an authority
    only when a program of its own meets it, and some builds of Python, such as python.org's for macOS, find none.
    """
    context = ssl.create_default_context()
    if sys.platform == "win32" or not _trusts_anybody(context):
        import certifi

        context.load_verify_locations(certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError):
            raise InputError("input.ca_file", path=ca_file) from None
    return context


def _trusts_anybody(context: ssl.SSLContext) -> bool:
    folder = ssl.get_default_verify_paths().capath  # whose files are not counted: each is read when it is needed
    return context.cert_store_stats()["x509"] > 0 or bool(folder and os.listdir(folder))  # noqa: PTH208  # whether there is a name is enough


def describing_context() -> ssl.SSLContext:
    """A context that accepts any certificate, version and cipher, to look at what was refused. Never send on it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers(_ANY_CIPHER)
    return context


def handshake_failure(error: ssl.SSLError, flight: bytes) -> ConnectFailed:
    """Why a handshake failed, from OpenSSL's error and what the server has sent, at least its beginning."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = _CERTIFICATE_CODES.get(error.verify_code, "tls.cert.untrusted_issuer")
        return ConnectFailed(code, reason=error.verify_message)
    if flight and flight[0] not in _RECORD_TYPES:
        # Something answered in plain text: OpenSSL only says WRONG_VERSION_NUMBER, the bytes say what it is.
        first_bytes = flight[:256]
        seen = decode(first_bytes.splitlines()[0] if first_bytes.splitlines() else b"")
        is_http = first_bytes.startswith(b"HTTP/") or b"<html" in first_bytes.lower()
        return ConnectFailed("tls.http_on_tls_port" if is_http else "tls.plaintext_on_tls_port", seen=seen[:200])
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return ConnectFailed("tls.eof")
    reason = error.reason or ""
    if "ALERT" in reason and asks_for_certificate(flight):
        # Before TLS 1.3 there was no alert of its own for a client without one (RFC 5246 §7.4.6).
        return ConnectFailed("tls.client_cert_required", reason=reason)
    for word, code in _HANDSHAKE_CODES:
        if word in reason:
            return ConnectFailed(code, reason=reason)
    return ConnectFailed("tls.handshake_alert", reason=reason or "unknown")


def asks_for_certificate(flight: bytes) -> bool:
    """Whether a server has asked the client for a certificate, up to TLS 1.2: later versions encrypt the question."""
    messages = bytearray()
    position = 0
    while position + 5 <= len(flight) and flight[position] == _HANDSHAKE_RECORD:
        start = position + 5  # RFC 5246 §6.2.1: type, version of two bytes, length of two bytes
        position = start + int.from_bytes(flight[position + 3 : start])
        messages += flight[start:position]
    position = 0
    while position + 4 <= len(messages):  # RFC 5246 §7.4: type, length of three bytes
        if messages[position] == _CERTIFICATE_REQUEST:
            return True
        position += 4 + int.from_bytes(messages[position + 1 : position + 4])
    return False


def key_exchange(cipher: str) -> str:
    """How the keys of a session are agreed on, by OpenSSL's name of its cipher, where RSA has no prefix."""
    return next((kind for kind in ("ECDHE", "DHE") if cipher.startswith((kind, "TLS_"))), "RSA")


def facts_of(session: ssl.SSLObject, *, verified: bool, now: datetime | None = None) -> TLSFacts:
    """What a completed handshake tells. ``now`` is for tests; the default is the clock."""
    cipher = session.cipher()
    chain = getattr(session, "get_unverified_chain", None)  # new in Python 3.13
    facts = TLSFacts(
        session.version(), cipher[0] if cipher else None, verified, chain_length=None if chain is None else len(chain())
    )
    now = now or datetime.now(UTC)
    with contextlib.suppress(ValueError):  # a name in no known encoding
        # OpenSSL tells what it has read of a certificate that it trusts: no other parser needs to be loaded.
        if known := session.getpeercert():
            return _completed(facts, _read_by_openssl(known), now)
    certificate = session.getpeercert(binary_form=True)
    return facts if certificate is None else with_certificate(facts, certificate, now)


def with_certificate(facts: TLSFacts, der: bytes, now: datetime) -> TLSFacts:
    """``facts`` completed from a DER certificate; unchanged if it cannot be parsed."""
    from cryptography import x509  # 59 ms; only where a certificate was refused

    try:
        with warnings.catch_warnings():
            # What is odd about a stranger's certificate, such as its serial number, is no news for our users.
            warnings.simplefilter("ignore")
            return _completed(facts, _read(x509.load_der_x509_certificate(der)), now)
    except (TypeError, ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return facts  # TypeError: of a name with a value of a kind that it should not have


def reason_of_distrust(code: str, facts: TLSFacts | None) -> str:
    """``code``, or ``tls.cert.incomplete_chain`` where that explains better why the issuer is unknown.

    OpenSSL gives the same error whether nobody trusts the issuer or the server forgot to send the issuer's certificate.
    Public authorities publish that certificate under an address in the certificate, private ones hardly ever do.
    """
    alone = facts is not None and facts.issuer_url is not None and facts.chain_length in (None, 1)
    return "tls.cert.incomplete_chain" if code == "tls.cert.untrusted_issuer" and alone else code


class _Certificate(NamedTuple):
    """What a certificate says, whoever has read it."""

    subject: Sequence[str]  # its common names, or else organizations
    issuer: Sequence[str]
    names: Sequence[str]  # DNS names
    not_before: datetime
    not_after: datetime
    issuer_urls: Sequence[str]


def _completed(facts: TLSFacts, certificate: _Certificate, now: datetime) -> TLSFacts:
    subject, issuer = _clean(certificate.subject[:1]), _clean(certificate.issuer[:1])
    urls = [url for url in certificate.issuer_urls if url.startswith("http")]
    return facts._replace(
        subject=subject[0] if subject else "",
        issuer=issuer[0] if issuer else "",
        names=tuple(_clean(certificate.names[:_MOST_NAMES])),
        not_before=certificate.not_before.isoformat(),
        not_after=certificate.not_after.isoformat(),
        days_left=(certificate.not_after - now).days,
        issuer_url=next(iter(_clean(urls[:1])), None),
    )


def _read_by_openssl(certificate: Mapping[str, Any]) -> _Certificate:
    """What ``getpeercert`` gives."""

    def values(name: tuple[tuple[tuple[str, str], ...], ...]) -> list[str]:
        pairs = [pair for relative in name for pair in relative]
        return [value for kind in ("commonName", "organizationName") for key, value in pairs if key == kind]

    def moment(text: str) -> datetime:
        """``ssl.cert_time_to_seconds`` needs ten times as long for it."""
        month, day, clock, year, _zone = text.split()  # "Jan  5 09:34:43 2027 GMT"
        hour, minute, second = map(int, clock.split(":"))
        return datetime(int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)

    return _Certificate(
        values(certificate["subject"]),
        values(certificate["issuer"]),
        [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"],
        moment(certificate["notBefore"]),
        moment(certificate["notAfter"]),
        certificate.get("caIssuers", ()),
    )


def _read(certificate: x509.Certificate) -> _Certificate:
    """What cryptography reads."""
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    def values(name: x509.Name) -> list[str]:
        wanted = (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME)
        return [str(attribute.value) for oid in wanted for attribute in name.get_attributes_for_oid(oid)]

    names, urls = [], []
    with contextlib.suppress(x509.ExtensionNotFound):  # old certificates have none
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = alternative.get_values_for_type(x509.DNSName)
    with contextlib.suppress(x509.ExtensionNotFound):  # nobody need have one
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        places = [
            d.access_location.value for d in access if d.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        ]
        urls = [place for place in places if isinstance(place, str)]
    return _Certificate(
        values(certificate.subject),
        values(certificate.issuer),
        names,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        urls,
    )


def _clean(values: Sequence[str]) -> list[str]:
    return [decode(value.encode("utf-8", "replace"))[:255] for value in values]
