"""What a refusal means by the standards."""

from __future__ import annotations

import pytest

from mailsetup.model import Protocol
from mailsetup.wire.refusal import code_for, is_retryable


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", "auth.bad_credentials"),
        ("a2 NO [AUTHENTICATIONFAILED] no", "auth.bad_credentials"),
        ("NO [AUTHORIZATIONFAILED] no", "auth.account_status"),
        ("NO [UNAVAILABLE] Maximum number of connections exceeded", "auth.temporary"),
        ("NO [EXPIRED] change it", "auth.password_expired"),
        ("NO [PRIVACYREQUIRED] use TLS", "auth.privacy_required"),
        ("NO [CONTACTADMIN] call", "auth.account_status"),
        ("NO [limit] wait", "auth.rate_limited"),
        ("NO [OVERQUOTA] Account exceeded bandwidth limits", "auth.rate_limited"),
        ("NO [INUSE] locked", "auth.temporary"),
        ("NO [SERVERBUG] oops", "auth.temporary"),
        ("NO [REFERRAL imap://li@other.example/] elsewhere", "auth.referral"),
        ("NO [ALERT] [UNAVAILABLE] later", "auth.temporary"),
        ("NO [ALERT] Application-specific password required", "auth.app_password"),
        ("NO LOGIN failed.", "auth.bad_credentials"),
        ("NO see [AUTH] in the manual", "auth.bad_credentials"),
        ("BAD Parse command error", "auth.protocol_error"),
        ("a2 BAD what", "auth.protocol_error"),
        ("BAD [UNAVAILABLE] later", "auth.temporary"),
        ("", "auth.bad_credentials"),
    ],
)
def test_imap_response_codes(reply: str, code: str) -> None:
    assert code_for(Protocol.IMAP, reply) == code


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("-ERR [AUTH] no", "auth.bad_credentials"),
        ("-ERR [SYS/TEMP] later", "auth.temporary"),
        ("-ERR [SYS/PERM] call", "auth.account_status"),
        ("-ERR [IN-USE] locked", "auth.temporary"),
        ("-err [login-delay] wait", "auth.rate_limited"),
        ("-ERR [XYZ] no", "auth.bad_credentials"),
        ("-ERR Unable to log on", "auth.bad_credentials"),
    ],
)
def test_pop3_response_codes(reply: str, code: str) -> None:
    assert code_for(Protocol.POP3, reply) == code


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("535 5.7.8 Username and Password not accepted", "auth.bad_credentials"),
        ("535-5.7.8 Username and Password not accepted", "auth.bad_credentials"),
        ("535 Error: authentication failed", "auth.bad_credentials"),
        ("535 5.7.3 Authentication unsuccessful", "auth.bad_credentials"),
        ("535 5.7.0 no", "auth.bad_credentials"),
        ("535", "auth.bad_credentials"),
        ("551 auth error", "auth.bad_credentials"),
        ("534 5.7.9 mechanism is too weak", "auth.no_common_mechanism"),
        ("504 5.5.4 unknown mechanism", "auth.no_common_mechanism"),
        ("538 5.7.11 encryption required", "auth.privacy_required"),
        ("530 5.7.0 must authenticate", "auth.required"),
        ("550 5.7.13 disabled", "auth.account_status"),
        ("432 4.7.12 transition needed", "auth.password_expired"),
        ("454 4.7.0 temporary failure", "auth.temporary"),
        ("451 auth error", "auth.temporary"),
        ("421 closing", "auth.temporary"),
        ("500 5.5.2 what", "auth.protocol_error"),
        ("501 5.5.2 cannot decode", "auth.protocol_error"),
        ("503 5.5.1 already", "auth.protocol_error"),
        ("250 ok", "auth.protocol_error"),
        ("what", "auth.protocol_error"),
    ],
)
def test_smtp_reply_codes(reply: str, code: str) -> None:
    assert code_for(Protocol.SMTP, reply) == code


@pytest.mark.parametrize(
    "code", ["auth.temporary", "auth.rate_limited", "greeting.temporary", "tcp.timeout", "protocol.eof", "dns.servfail"]
)
def test_what_may_pass_is_retryable(code: str) -> None:
    assert is_retryable(code)


@pytest.mark.parametrize(
    "code",
    ["auth.bad_credentials", "auth.privacy_required", "starttls.injection", "greeting.rejected", "tls.cert.expired"],
)
def test_what_stays_is_not_retryable(code: str) -> None:
    assert not is_retryable(code)


@pytest.mark.parametrize(
    ("protocol", "reply", "code"),
    [
        (Protocol.SMTP, "534-5.7.9 Application-specific password required.", "auth.app_password"),
        (Protocol.SMTP, "535 Login Fail. Please enter your authorization code to login.", "auth.app_password"),
        (Protocol.SMTP, "535 Error: 请使用授权码登录。", "auth.app_password"),
        (Protocol.SMTP, "534-5.7.14 Please log in via your web browser", "auth.web_login_required"),
        (
            Protocol.SMTP,
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            "auth.oauth_required",
        ),
        (
            Protocol.SMTP,
            "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant.",
            "auth.smtp_auth_disabled",
        ),
        (Protocol.SMTP, "550 User has no permission", "auth.service_disabled"),
        # QQ Mail lists every cause it knows: that says nothing.
        (Protocol.IMAP, "NO Login fail. Account is abnormal, service is not open", "auth.bad_credentials"),
    ],
)
def test_the_words_of_large_providers_say_more_than_their_codes(protocol: Protocol, reply: str, code: str) -> None:
    assert code_for(protocol, reply) == code
