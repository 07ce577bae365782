"""A throw-away certification authority, and certificates with every fault a client has to notice."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)


class KeyPair(NamedTuple):
    """What a TLS server needs, as PEM."""

    certificates: bytes  # the server's own first
    private_key: bytes


class Authority:
    """A certification authority that lives as long as the test session."""

    def __init__(self, folder: Path) -> None:
        """Create the authority and write its certificate into ``folder``."""
        self._authority = trustme.CA(organization_name="mailsetup tests")
        self.ca_file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca_file)

    def issue(self, *names: str) -> KeyPair:
        """A certificate for host names or IP addresses that clients of this authority accept."""
        # Some mail clients accept no certificate without a common name, whatever RFC 9525 says.
        return _key_pair(self._authority.issue_cert(*names, common_name=names[0]))

    def server_context(self, *names: str) -> ssl.SSLContext:
        """A TLS context for a server in this process."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(*names, common_name=names[0]).configure_cert(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        """A TLS context that trusts this authority and no other."""
        return ssl.create_default_context(cafile=self.ca_file)

    def flawed(self, names: Mapping[str, str]) -> dict[str, KeyPair]:
        """Certificates that must be refused, by their fault; ``names`` gives the host name for each fault."""
        now = datetime.now(UTC)
        stranger = trustme.CA(organization_name="an authority nobody trusts")

        def issue(
            authority: trustme.CA, fault: str, not_before: datetime | None = None, not_after: datetime | None = None
        ) -> KeyPair:
            name = names[fault]
            return _key_pair(authority.issue_cert(name, common_name=name, not_before=not_before, not_after=not_after))

        return {
            "expired": issue(self._authority, "expired", now - 90 * _DAY, now - 3 * _DAY),
            "notyetvalid": issue(self._authority, "notyetvalid", now + 3 * _DAY, now + 90 * _DAY),
            "selfsigned": _build(names["selfsigned"], ExtendedKeyUsageOID.SERVER_AUTH, None),
            "wrongname": self.issue("another.example.test"),
            "untrusted": issue(stranger, "untrusted"),
            # The server must send the intermediate certificates too (RFC 8446 §4.4.2).
            "incomplete": _build(
                names["incomplete"],
                ExtendedKeyUsageOID.SERVER_AUTH,
                self._authority.create_child_ca(),
                issuer_url="http://ca.example.test/intermediate.crt",
            ),
            "purpose": _build(names["purpose"], ExtendedKeyUsageOID.CLIENT_AUTH, self._authority),
        }


def _key_pair(leaf: trustme.LeafCert) -> KeyPair:
    return KeyPair(b"".join(blob.bytes() for blob in leaf.cert_chain_pems), leaf.private_key_pem.bytes())


def _build(
    name: str, purpose: x509.ObjectIdentifier, authority: trustme.CA | None, issuer_url: str | None = None
) -> KeyPair:
    """A certificate of a kind trustme does not make.

    For another purpose, without an authority (self-signed), or with the address of the issuer's certificate.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = subject, key
    if authority is not None:
        issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject
        loaded = serialization.load_pem_private_key(authority.private_key_pem.bytes(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer = loaded
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 90 * _DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if issuer_url is not None:
        location = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer_url)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([location]), critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    return KeyPair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
