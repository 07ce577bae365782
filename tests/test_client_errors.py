"""What mail programs and libraries say: to which code it leads, checked against the real libraries where there are."""

from __future__ import annotations

import errno
import os
import smtplib
import socket
import ssl

import pytest

from mailsetup.client_errors import CLIENT_ERRORS, MEANINGS, VAGUE_ERRORS, recognize
from mailsetup.diagnosis import CODES
from mailsetup.wire.refusal import precision

SSL = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {} (_ssl.c:1007)"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1007)", "tls.plaintext_on_tls_port"),
        ("error:0A00010B:SSL routines::wrong version number", "tls.plaintext_on_tls_port"),
        ("javax.net.ssl.SSLException: Unsupported or unrecognized SSL message", "tls.plaintext_on_tls_port"),
        ("tls: first record does not look like a TLS handshake", "tls.plaintext_on_tls_port"),
        (SSL.format("certificate has expired"), "tls.cert.expired"),
        ("Error: certificate has expired\n  code: 'CERT_HAS_EXPIRED'", "tls.cert.expired"),
        (SSL.format("certificate is not yet valid"), "tls.cert.not_yet_valid"),
        (SSL.format("self-signed certificate"), "tls.cert.self_signed"),
        (SSL.format("self signed certificate"), "tls.cert.self_signed"),
        (SSL.format("self-signed certificate in certificate chain"), "tls.cert.untrusted_issuer"),
        (SSL.format("unable to get local issuer certificate"), "tls.cert.untrusted_issuer"),
        (SSL.format("unable to verify the first certificate"), "tls.cert.incomplete_chain"),
        (SSL.format("Hostname mismatch, certificate is not valid for 'a.example'"), "tls.cert.hostname"),
        (SSL.format("IP address mismatch, certificate is not valid for '10.0.0.1'"), "tls.cert.hostname"),
        (SSL.format("something new"), "tls.cert.untrusted_issuer"),
        ("x509: certificate is valid for mail.example, not imap.example", "tls.cert.hostname"),
        ("[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol", "tls.version_too_old"),
        ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure", "tls.no_shared_cipher"),
        ("[SSL: TLSV1_ALERT_INTERNAL_ERROR] tlsv1 alert internal error", "tls.handshake_alert"),
        ("EOF occurred in violation of protocol (_ssl.c:997)", "tls.eof"),
        ("_ssl.c:990: The handshake operation timed out", "tls.timeout"),
        ("STARTTLS extension not supported by server.", "starttls.not_offered"),
        ("dial tcp 203.0.113.1:465: connect: connection refused", "tcp.refused"),
        ("[WinError 10061] 由于目标计算机积极拒绝，无法连接。", "tcp.refused"),
        ("connect ETIMEDOUT 203.0.113.1:465", "tcp.timeout"),
        ("[WinError 10060] 由于连接方在一段时间后没有正确答复或连接的主机没有反应，连接尝试失败。", "tcp.timeout"),
        ("[WinError 10054] 远程主机强迫关闭了一个现有的连接。", "tcp.reset"),
        ("read ECONNRESET", "tcp.reset"),
        ("getaddrinfo ENOTFOUND imap.exmaple.com", "dns.nxdomain"),
        ("getaddrinfo EAI_AGAIN imap.example.com", "dns.unreachable"),
        ("Outlook: 0x800CCC0E", "tcp.refused"),
        ("curl: (6) Could not resolve host: imap.exmaple.com", "dns.nxdomain"),
        ("curl: (7) Failed to connect to a.example port 465: Couldn't connect to server", "tcp.refused"),
        ("curl: (67) Login denied", "auth.bad_credentials"),
        ("*** No authentication type succeeded", "auth.bad_credentials"),
        ("*** Host did not advertise authentication", "auth.not_offered"),
        ("fetchmail: Authorization failure on li@imap.example.com", "auth.bad_credentials"),
        ("SMTP Error: Could not authenticate.", "auth.bad_credentials"),
        ("The SMTP server requires a secure connection or the client was not authenticated.", "auth.required"),
        ("Connection unexpectedly closed", "greeting.eof"),
        ("Cannot connect to the server smtp.example.com:465, socket error: 10060", "tcp.timeout"),
        ("连接服务器失败，错误代码：10061", "tcp.refused"),
        ("Could not connect to IMAP server; the connection was refused.", "tcp.refused"),
        ("Login to server imap.example.com with username li failed.", "auth.bad_credentials"),
        ("Sending of password for user li did not succeed. Mail server said: no", "auth.bad_credentials"),
        ("The IMAP server does not support the selected authentication method.", "auth.no_common_mechanism"),
        ("Cannot Get Mail. The connection to the server failed.", "tcp.timeout"),
        ("无法获取邮件：与服务器的连接失败。", "tcp.timeout"),
        ("无法验证服务器身份", "tls.cert.untrusted_issuer"),
        ("The user name or password for “imap.example.com” is incorrect.", "auth.bad_credentials"),
        (
            "Your server does not support the connection encryption type you have specified.",
            "tls.plaintext_on_tls_port",
        ),
        ("The target principal name is incorrect.", "tls.cert.hostname"),
        ("Sending reported error (0x800CCC78)", "send.sender_refused"),
        ("authentication failed. Please check the username and password", "auth.bad_credentials"),
        ("帐户或密码错误", "auth.bad_credentials"),
        ("无法连接到服务器，请检查帐号设置", "tcp.timeout"),
        ("Unable to connect to remote host: Connection refused", "tcp.refused"),
    ],
)
def test_an_error_leads_to_the_code_of_a_probe(text: str, code: str) -> None:
    assert [error.code for error in recognize(text)][:1] == [code]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ECONNREFUSED, "tcp.refused"),
        (errno.ETIMEDOUT, "tcp.timeout"),
        (errno.ECONNRESET, "tcp.reset"),
        (errno.ENETUNREACH, "tcp.unreachable"),
        (errno.EHOSTUNREACH, "tcp.unreachable"),
    ],
)
@pytest.mark.skipif("sys.platform == 'win32'", reason="there the texts of these numbers are others")
def test_the_words_of_this_system_are_known(number: int, code: str) -> None:
    assert [error.code for error in recognize(str(OSError(number, os.strerror(number))))] == [code]


def test_the_words_of_this_python_are_known() -> None:
    one, other = socket.socketpair()
    with one, other, pytest.raises(TimeoutError) as timeout:
        one.settimeout(0.01)
        one.recv(1)
    assert [error.code for error in recognize(str(timeout.value))] == ["tcp.timeout"]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="example.com")
    incoming.write(b"220 mail.example.com ESMTP ready\r\n")
    with pytest.raises(ssl.SSLError) as plaintext:
        session.do_handshake()
    assert [error.code for error in recognize(str(plaintext.value))] == ["tls.plaintext_on_tls_port"]
    unconnected = smtplib.SMTP()
    unconnected.ehlo_resp = b""
    unconnected.helo_resp = b""
    with pytest.raises(smtplib.SMTPNotSupportedError) as unsupported:
        unconnected.starttls()
    assert [error.code for error in recognize(str(unsupported.value))] == ["starttls.not_offered"]


def test_each_area_is_told_once() -> None:
    text = "getaddrinfo failed; Connection refused; timed out; [SSL: WRONG_VERSION_NUMBER] wrong version number"
    codes = [error.code for error in recognize(text)]
    assert sorted(codes) == ["dns.nxdomain", "tcp.refused", "tls.plaintext_on_tls_port"]


@pytest.mark.parametrize(
    "text", ["", "535 Error: no", "no luck", "refused", "a certificate", "登录失败", "10060 messages"]
)
def test_other_texts_are_no_errors_of_a_client(text: str) -> None:
    assert list(recognize(text)) == []


def test_every_code_has_a_text_and_the_most_exact_words_come_first() -> None:
    for errors in (CLIENT_ERRORS, VAGUE_ERRORS):
        assert {error.code for error in errors} <= CODES
        lengths = [precision(error.pattern) for error in errors]
        assert lengths == sorted(lengths, reverse=True)
    patterns = [error.pattern for error in (*CLIENT_ERRORS, *VAGUE_ERRORS)]
    assert len(set(patterns)) == len(patterns)
    assert all(pattern == pattern.lower() for pattern in patterns)
    assert set(MEANINGS) <= CODES
