"""What mail programs and their libraries say when there is no conversation with the server at all. Pure.

Python, OpenSSL, Windows, Java, Go, Node, Thunderbird and Outlook each have their own words for the same few failures,
whose codes are those of a probe. The patterns are those of ``wire.refusal``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .i18n import N_
from .wire.refusal import matches, precision


class ClientError(NamedTuple):
    """Words of a client and the code that a probe has for them."""

    pattern: str
    code: str
    said_by: str


_OPENSSL = {
    # OpenSSL tells of any answer in plain text like this, and of none what the answer was.
    "wrong_version_number": "tls.plaintext_on_tls_port",
    "wrong version number": "tls.plaintext_on_tls_port",
    "packet_length_too_long": "tls.plaintext_on_tls_port",
    "packet length too long": "tls.plaintext_on_tls_port",
    "record_layer_failure": "tls.plaintext_on_tls_port",
    "record layer failure": "tls.plaintext_on_tls_port",
    "unknown protocol": "tls.plaintext_on_tls_port",
    "certificate has expired": "tls.cert.expired",
    "certificate is not yet valid": "tls.cert.not_yet_valid",
    "self-signed certificate": "tls.cert.self_signed",
    "self signed certificate": "tls.cert.self_signed",
    # Not the server's certificate but its authority's is signed by itself, and unknown here (X509_V_ERR 19).
    "self-signed certificate in certificate chain": "tls.cert.untrusted_issuer",
    "self signed certificate in certificate chain": "tls.cert.untrusted_issuer",
    "unable to get local issuer certificate": "tls.cert.untrusted_issuer",
    "unable to get issuer certificate": "tls.cert.untrusted_issuer",
    "unable to verify the first certificate": "tls.cert.incomplete_chain",
    "hostname mismatch": "tls.cert.hostname",
    "ip address mismatch": "tls.cert.hostname",
    "unsuitable certificate purpose": "tls.cert.purpose",
    "unsupported certificate purpose": "tls.cert.purpose",
    "ee_key_too_small": "tls.cert.weak_key",
    "ee key too small": "tls.cert.weak_key",
    "md_too_weak": "tls.cert.weak_signature",
    "ca_md_too_weak": "tls.cert.weak_signature",
    "md too weak": "tls.cert.weak_signature",
    "unsupported_protocol": "tls.version_too_old",
    "unsupported protocol": "tls.version_too_old",
    "tlsv1_alert_protocol_version": "tls.version_too_old",
    "alert protocol version": "tls.version_too_old",
    "sslv3_alert_handshake_failure": "tls.no_shared_cipher",
    "alert handshake failure": "tls.no_shared_cipher",
    "no_shared_cipher": "tls.no_shared_cipher",
    "no shared cipher": "tls.no_shared_cipher",
    "dh_key_too_small": "tls.no_shared_cipher",
    "dh key too small": "tls.no_shared_cipher",
    "certificate_required": "tls.client_cert_required",
    "alert certificate required": "tls.client_cert_required",
    "unexpected_eof_while_reading": "tls.eof",
    "unexpected eof while reading": "tls.eof",
    "handshake operation timed out": "tls.timeout",
}
_PYTHON = {
    "eof occurred in violation of protocol": "tls.eof",
    "starttls extension not supported by server": "starttls.not_offered",
    "smtp auth extension not supported by server": "auth.not_offered",
    "no suitable authentication method found": "auth.no_common_mechanism",
    "connection unexpectedly closed": "greeting.eof",
    "read operation timed out": "greeting.timeout",
    "name or service not known": "dns.nxdomain",
    "nodename nor servname provided": "dns.nxdomain",
    "getaddrinfo failed": "dns.nxdomain",
    "no address associated with hostname": "dns.no_address",
    "temporary failure in name resolution": "dns.unreachable",
}
_SYSTEM = {
    "connection refused": "tcp.refused",
    "connection was refused": "tcp.refused",
    "econnrefused": "tcp.refused",
    "actively refused": "tcp.refused",
    "积极拒绝": "tcp.refused",
    "timed out": "tcp.timeout",
    "etimedout": "tcp.timeout",
    "连接超时": "tcp.timeout",
    "连接方在一段时间后没有正确答复": "tcp.timeout",
    "connection reset": "tcp.reset",
    "econnreset": "tcp.reset",
    "forcibly closed by the remote host": "tcp.reset",
    "强迫关闭了一个现有的连接": "tcp.reset",
    "network is unreachable": "tcp.unreachable",
    "enetunreach": "tcp.unreachable",
    "no route to host": "tcp.unreachable",
    "ehostunreach": "tcp.unreachable",
    "no such host": "dns.nxdomain",
    "不知道这样的主机": "dns.nxdomain",
}
# The numbers of Windows (winsock2.h), which many programs show without the words.
_WINDOWS = {
    10051: "tcp.unreachable",
    10053: "tcp.reset",
    10054: "tcp.reset",
    10060: "tcp.timeout",
    10061: "tcp.refused",
    10065: "tcp.unreachable",
    11001: "dns.nxdomain",
}
_JAVA = {
    "unsupported or unrecognized ssl message": "tls.plaintext_on_tls_port",
    "unable to parse tls packet header": "tls.plaintext_on_tls_port",
    "pkix path building failed": "tls.cert.untrusted_issuer",
    "no subject alternative * matching": "tls.cert.hostname",
    "no name matching * found": "tls.cert.hostname",
    "received fatal alert: protocol_version": "tls.version_too_old",
    "received fatal alert: handshake_failure": "tls.no_shared_cipher",
    "remote host terminated the handshake": "tls.eof",
    "starttls is required but host does not support starttls": "starttls.not_offered",
    "unknownhostexception": "dns.nxdomain",
}
_GO = {
    "first record does not look like a tls handshake": "tls.plaintext_on_tls_port",
    "x509: certificate is valid for * not": "tls.cert.hostname",
    "x509: certificate signed by unknown authority": "tls.cert.untrusted_issuer",
}
_NODE = {
    "cert_has_expired": "tls.cert.expired",
    "cert_not_yet_valid": "tls.cert.not_yet_valid",
    "depth_zero_self_signed_cert": "tls.cert.self_signed",
    "self_signed_cert_in_chain": "tls.cert.untrusted_issuer",
    "unable_to_get_issuer_cert_locally": "tls.cert.untrusted_issuer",
    "unable_to_verify_leaf_signature": "tls.cert.incomplete_chain",
    "err_tls_cert_altname_invalid": "tls.cert.hostname",
    "enotfound": "dns.nxdomain",
    "eai_again": "dns.unreachable",
}
_NSS = {
    "ssl_error_rx_record_too_long": "tls.plaintext_on_tls_port",
    "sec_error_expired_certificate": "tls.cert.expired",
    "mozilla_pkix_error_self_signed_cert": "tls.cert.self_signed",
    "sec_error_unknown_issuer": "tls.cert.untrusted_issuer",
    "ssl_error_bad_cert_domain": "tls.cert.hostname",
    "ssl_error_unsupported_version": "tls.version_too_old",
    "ssl_error_no_cypher_overlap": "tls.no_shared_cipher",
}
_THUNDERBIRD = {
    "connecting to outgoing server*failed": "tcp.timeout",
    "login to server*failed": "auth.bad_credentials",
    "sending of username*did not succeed": "auth.bad_credentials",
    "sending of password*did not succeed": "auth.bad_credentials",
    "unable to authenticate to outgoing server": "auth.bad_credentials",
    "does not support the selected authentication method": "auth.no_common_mechanism",
    "since it doesn't advertise that feature": "starttls.not_offered",
}
_APPLE = {
    "cannot get mail": "tcp.timeout",
    "无法获取邮件": "tcp.timeout",
    "connection to the server failed": "tcp.timeout",
    "与服务器的连接失败": "tcp.timeout",
    "cannot verify server identity": "tls.cert.untrusted_issuer",
    "无法验证服务器身份": "tls.cert.untrusted_issuer",
    "user name or password for*is incorrect": "auth.bad_credentials",
}
_OUTLOOK = {
    "0x800ccc0d": "dns.nxdomain",  # cannot find the host
    "0x800ccc0e": "tcp.refused",  # failed to connect
    "0x800ccc0f": "tcp.reset",  # connection dropped
    "0x800ccc18": "auth.bad_credentials",  # logon failed
    "0x800ccc19": "tcp.timeout",
    "0x800ccc1a": "tls.plaintext_on_tls_port",  # secure connection failed: usually the wrong kind for the port
    "0x800ccc78": "send.sender_refused",
    "0x800ccc79": "send.relay_denied",
    "0x800ccc7d": "starttls.not_offered",
    "0x800ccc92": "auth.bad_credentials",
    "0x80042108": "tcp.timeout",
    "0x80042109": "tcp.timeout",
    "0x8004210a": "tcp.timeout",
    "0x8004210b": "tcp.timeout",
    "does not support the connection encryption type": "tls.plaintext_on_tls_port",
    "不支持您指定的连接加密类型": "tls.plaintext_on_tls_port",
    "target principal name is incorrect": "tls.cert.hostname",
    "目标主体名称不正确": "tls.cert.hostname",
}
_OTHERS = {
    "could not resolve host": "dns.nxdomain",  # curl
    "couldn't connect to server": "tcp.refused",
    "login denied": "auth.bad_credentials",
    "no authentication type succeeded": "auth.bad_credentials",  # swaks
    "host did not advertise authentication": "auth.not_offered",
    "authorization failure on": "auth.bad_credentials",  # fetchmail
    "smtp error: could not authenticate": "auth.bad_credentials",  # PHPMailer
    "secure connection or the client was not authenticated": "auth.required",  # .NET
    "unexpected packet format": "tls.plaintext_on_tls_port",  # .NET
    "notls": "starttls.not_offered",
}
# Where nothing more exact was said: the commonest cause.
_VAGUE = {
    "certificate_verify_failed": "tls.cert.untrusted_issuer",
    "certificate verify failed": "tls.cert.untrusted_issuer",
    "tlsv1_alert": "tls.handshake_alert",
    "tlsv1 alert": "tls.handshake_alert",
    "ssl routines": "tls.handshake_alert",
}
_VAGUE_ANYWHERE = {
    "authentication failed": "auth.bad_credentials",
    "authentication failure": "auth.bad_credentials",
    "invalid credentials": "auth.bad_credentials",
    "incorrect username or password": "auth.bad_credentials",
    "invalid username or password": "auth.bad_credentials",
    "unable to connect to": "tcp.timeout",
    "cannot connect to": "tcp.timeout",
    "could not connect to": "tcp.timeout",
    "无法连接到服务器": "tcp.timeout",
    "无法连接服务器": "tcp.timeout",
    "连接服务器失败": "tcp.timeout",
    "密码错误": "auth.bad_credentials",
    "密码不正确": "auth.bad_credentials",
}

_VOCABULARIES = {
    "OpenSSL": _OPENSSL,
    "Python": _PYTHON,
    "operating system": _SYSTEM,
    "Windows": {
        form.format(n): code for n, code in _WINDOWS.items() for form in ("winerror {}", "error*{}", "错误*{}")
    },
    "Java": _JAVA,
    "Go": _GO,
    "Node.js": _NODE,
    "Thunderbird, Firefox": _NSS,
    "Thunderbird": _THUNDERBIRD,
    "Apple Mail": _APPLE,
    "Outlook": _OUTLOOK,
    "other programs": _OTHERS,
}


# What each code means where no more is known than the words of a client: neither server nor port, nor what it said.
MEANINGS = {
    "dns.nxdomain": N_("There is no server of this name in DNS: it is misspelled, or has gone."),
    "dns.no_address": N_("The name of the server exists in DNS, but has no IP address."),
    "tcp.refused": N_("The server is there, but nothing listens on this port."),
    "tcp.timeout": N_("The server did not answer on this port."),
    "tcp.reset": N_("The connection was cut off."),
    "tls.timeout": N_("The server accepted the connection, but did not answer the TLS handshake."),
    "tls.eof": N_("The server closed the connection during the TLS handshake."),
    "tls.handshake_alert": N_("The TLS handshake failed."),
    "tls.plaintext_on_tls_port": N_(
        "The program began with TLS, and the server answered in plain text: port and encryption do not go together."
    ),
    "tls.version_too_old": N_("Server and program have no version of TLS in common: one of them is too old."),
    "tls.no_shared_cipher": N_("Server and program have no encryption in common: one of them is too old."),
    "tls.client_cert_required": N_("The server demands a certificate from the program."),
    "tls.cert.expired": N_("The certificate of the server has expired, or the clock of this computer is wrong."),
    "tls.cert.not_yet_valid": N_(
        "The certificate of the server is not valid yet, or the clock of this computer is wrong."
    ),
    "tls.cert.untrusted_issuer": N_("The certificate of the server was issued by somebody who is not trusted here."),
    "tls.cert.incomplete_chain": N_("The server probably fails to send the intermediate certificate of its issuer."),
    "tls.cert.hostname": N_("The certificate of the server is for other names than the one that was asked for."),
    "greeting.timeout": N_("The server accepted the connection, but said nothing."),
    "greeting.eof": N_("The server closed the connection without a word."),
    "starttls.not_offered": N_("The server offers no STARTTLS on this port, so the password would travel unprotected."),
    "auth.not_offered": N_("The server offers no login on this port."),
    "auth.required": N_("The server wants a login before it takes mail."),
    "auth.no_common_mechanism": N_("Server and program have no way to log in in common."),
    "auth.privacy_required": N_("The server takes no password over a connection without encryption."),
    "auth.bad_credentials": N_("The server refused the user name or password."),
    "send.sender_refused": N_("The server does not accept this sender address."),
    "send.relay_denied": N_("The server does not pass on this mail: probably nobody has logged in for sending."),
}


def _in_order(vocabularies: dict[str, dict[str, str]]) -> tuple[ClientError, ...]:
    errors = (ClientError(p, code, name) for name, words in vocabularies.items() for p, code in words.items())
    return tuple(sorted(errors, key=lambda error: -precision(error.pattern)))


CLIENT_ERRORS = _in_order(_VOCABULARIES)
VAGUE_ERRORS = _in_order({"OpenSSL": _VAGUE, "other programs": _VAGUE_ANYWHERE})


def recognize(text: str) -> Iterator[ClientError]:
    """What of ``text`` a client may have said, the most exact words first, one for each area (dns, tcp, tls …)."""
    found: list[ClientError] = []
    for error in (*CLIENT_ERRORS, *VAGUE_ERRORS):
        if any(_area(error) == _area(better) or error.pattern in better.pattern for better in found):
            continue  # "handshake operation timed out" is no "timed out"
        if matches(error.pattern, text):
            found.append(error)
            yield error


def _area(error: ClientError) -> str:
    return error.code.partition(".")[0]
