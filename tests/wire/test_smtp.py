"""SMTP: what a server may do wrong, and what the client must do about it."""

from __future__ import annotations

from typing import Any

import pytest

from mailsetup.model import Protocol, Security, Stage
from mailsetup.wire import MAX_LINES, Login, Secret

from . import driver
from .driver import LOGIN, Outcome

EHLO = "C: EHLO [127.0.0.1]"
AUTH_PLAIN = "C: AUTH PLAIN AGxpQGV4YW1wbGUuY29tAG9wZW4gc2VzYW1l"


def play(security: Security, *steps: Any, login: Login | None = None) -> Outcome:
    return driver.play(Protocol.SMTP, security, *steps, login=login)


def tls(*steps: Any, login: Login | None = None) -> Outcome:
    return play(Security.TLS, "TLS", "S: 220 mail.example.com ESMTP", EHLO, *steps, login=login)


def starttls(*steps: Any) -> Outcome:
    return play(Security.STARTTLS, "S: 220 mail.example.com ESMTP", EHLO, *steps)


def envelope(*steps: Any, login: Login = LOGIN, extension: bytes = b"8BITMIME") -> Outcome:
    """The steps after a successful login."""
    return tls(
        b"250-mail.example.com\r\n250-" + extension + b"\r\n250 AUTH PLAIN\r\n",
        AUTH_PLAIN,
        "S: 235 welcome",
        *steps,
        login=login,
    )


@pytest.mark.parametrize(
    ("greeting", "code", "seen"),
    [
        (b"421 4.3.2 too many connections\r\n", "greeting.temporary", None),
        (b"450 later\r\n", "greeting.temporary", None),
        (b"554-your address\r\n554 is listed\r\n", "greeting.rejected", None),
        (b"550 no\r\n", "greeting.rejected", None),
        (b"* OK IMAP4rev1 ready\r\n", "greeting.wrong_protocol", "imap"),
        (b"+OK POP3 ready\r\n", "greeting.wrong_protocol", "pop3"),
        (b"220 ProFTPD Server ready\r\n", "greeting.wrong_protocol", "ftp"),
        (b"220-Welcome\r\n220 to Pure-FTPd\r\n", "greeting.wrong_protocol", "ftp"),
        (b"200 news.example.com NNRP ready\r\n", "greeting.wrong_protocol", "unknown"),
        (b"22 x\r\n", "greeting.wrong_protocol", "unknown"),
        (b"SSH-2.0-x\r\n", "greeting.ssh", None),
        (b"HTTP/1.0 200 OK\r\n", "greeting.http", None),
        (b"220-one\r\n250 two\r\n", "protocol.mixed_multiline_codes", None),
        (b"220-one\r\ntwo\r\n", "protocol.bad_reply_code", None),
        (b"220-x\r\n" * (MAX_LINES + 1), "protocol.too_many_lines", None),
        (b"220-one\r\n220", "greeting.eof", None),
    ],
)
def test_a_wrong_greeting_is_classified(greeting: bytes, code: str, seen: str | None) -> None:
    outcome = play(Security.STARTTLS, greeting)
    assert (outcome.code, outcome.session.stage, outcome.facts.get("seen")) == (code, Stage.GREETING, seen)


def test_a_host_called_ftp_may_speak_smtp() -> None:
    outcome = play(Security.PLAIN, "S: 220 ftp.example.com ESMTP", EHLO, "S: 250 ftp.example.com", "C: QUIT")
    assert outcome.code is None


@pytest.mark.parametrize(
    ("answer", "code", "seen"),
    [
        ("530 Please login with USER and PASS.", "greeting.wrong_protocol", "ftp"),
        ("550 not from your network", "greeting.rejected", None),
        ("421 closing", "greeting.temporary", None),
        ("334 what", "protocol.syntax", None),
        ("25 what", "protocol.bad_reply_code", None),
        ("250x", "protocol.bad_reply_code", None),
        ("999 what", "protocol.bad_reply_code", None),
    ],
)
def test_a_refused_ehlo_is_named(answer: str, code: str, seen: str | None) -> None:
    outcome = starttls(f"S: {answer}")
    assert (outcome.code, outcome.session.stage, outcome.facts.get("seen")) == (code, Stage.CAPABILITY, seen)


@pytest.mark.parametrize("syntax_error", [500, 501, 502, 503, 504])
def test_helo_is_tried_once_where_ehlo_is_unknown(syntax_error: int) -> None:
    outcome = play(
        Security.PLAIN, "S: 220 old", EHLO, f"S: {syntax_error} what", "C: HELO localhost", "S: 250 old", "C: QUIT"
    )
    assert (outcome.code, outcome.session.capabilities) == (None, ())


def test_a_server_that_knows_neither_ehlo_nor_helo_is_no_smtp_server() -> None:
    outcome = starttls("S: 500 what", "C: HELO localhost", "S: 500 what")
    assert (outcome.code, outcome.facts["seen"]) == ("greeting.wrong_protocol", "unknown")


def test_helo_offers_neither_starttls_nor_auth() -> None:
    assert starttls("S: 502 what", "C: HELO localhost", "S: 250 old").code == "starttls.not_offered"
    assert tls("S: 502 what", "C: HELO localhost", "S: 250 old", login=LOGIN).code == "auth.not_offered"


def test_starttls_that_is_not_offered_ends_the_dialogue() -> None:
    assert starttls(b"250-x\r\n250-XSTARTTLS\r\n250 SIZE\r\n").code == "starttls.not_offered"


def test_the_name_of_the_server_is_no_capability() -> None:
    assert starttls("S: 250 STARTTLS").code == "starttls.not_offered"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("454 4.7.0 TLS not available", "starttls.refused"),
        ("502 what", "starttls.refused"),
        ("250 ok", "starttls.protocol_error"),
        ("334 go", "starttls.protocol_error"),
        ("go", "protocol.bad_reply_code"),
    ],
)
def test_starttls_without_a_go_ahead_ends_the_dialogue(answer: str, code: str) -> None:
    outcome = starttls(b"250-x\r\n250 starttls\r\n", "C: STARTTLS", f"S: {answer}")
    assert (outcome.code, outcome.session.stage) == (code, Stage.STARTTLS)


def test_bytes_that_come_with_the_go_ahead_are_an_injection() -> None:
    outcome = starttls(b"250-x\r\n250 STARTTLS\r\n", "C: STARTTLS", b"220 go\r\n250 x\r\n")
    assert outcome.code == "starttls.injection"


def test_capabilities_from_before_tls_are_forgotten() -> None:
    outcome = starttls(
        b"250-x\r\n250-STARTTLS\r\n250 AUTH EVIL\r\n",
        "C: STARTTLS",
        "S: 220 go",
        "TLS",
        EHLO,
        "S: 250 x",
        "C: QUIT",
    )
    assert (outcome.session.capabilities, outcome.session.mechanisms) == ((), ())
    assert outcome.session.capabilities_before_tls == ("STARTTLS", "AUTH EVIL")


@pytest.mark.parametrize(
    ("lines", "mechanisms"),
    [
        (["AUTH PLAIN LOGIN"], ("PLAIN", "LOGIN")),
        (["auth plain"], ("PLAIN",)),
        (["AUTH=LOGIN"], ("LOGIN",)),
        (["AUTH=LOGIN PLAIN", "AUTH LOGIN CRAM-MD5"], ("LOGIN", "PLAIN", "CRAM-MD5")),
        (["AUTH =PLAIN"], ("PLAIN",)),
        (["AUTH"], ()),
        (["AUTHOR PLAIN", "XAUTH LOGIN"], ()),
    ],
)
def test_every_spelling_of_auth_is_understood(lines: list[str], mechanisms: tuple[str, ...]) -> None:
    answer = "".join(f"250-{line}\r\n" for line in ["x", *lines]) + "250 HELP\r\n"
    assert tls(answer.encode(), "C: QUIT").session.mechanisms == mechanisms


def test_bare_line_feeds_and_replies_without_text_do_not_matter() -> None:
    outcome = play(Security.PLAIN, b"220\n", EHLO, b"250-\n250-SIZE 1\n250\n", "C: QUIT")
    assert (outcome.code, outcome.session.capabilities) == (None, ("SIZE 1", ""))


def test_a_login_without_tls_is_refused_before_any_byte() -> None:
    outcome = play(Security.PLAIN, login=LOGIN)
    assert (outcome.code, outcome.performed) == ("auth.privacy_required", [])


@pytest.mark.parametrize(
    ("capability", "code"),
    [
        ("SIZE", "auth.not_offered"),
        ("AUTH", "auth.not_offered"),
        ("AUTH XOAUTH2", "auth.oauth_required"),
        ("AUTH CRAM-MD5 XOAUTH2", "auth.no_common_mechanism"),
    ],
)
def test_a_server_that_takes_no_password_gets_none(capability: str, code: str) -> None:
    outcome = tls(f"S: 250-x\r\n250 {capability}", login=LOGIN)
    assert (outcome.code, outcome.sent()) == (code, [b"EHLO [127.0.0.1]\r\n"])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("535 5.7.8 no", "auth.bad_credentials"),
        ("454 4.7.0 later", "auth.temporary"),
        ("421 bye", "auth.temporary"),
        ("250 ok", "auth.protocol_error"),
        ("334 ", "auth.protocol_error"),
        ("what", "protocol.bad_reply_code"),
    ],
)
def test_a_login_is_attempted_once(answer: str, code: str) -> None:
    outcome = tls(b"250-x\r\n250 AUTH PLAIN LOGIN\r\n", AUTH_PLAIN, f"S: {answer}", login=LOGIN)
    assert (outcome.code, outcome.session.stage, outcome.session.logged_in) == (code, Stage.LOGIN, False)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("553 5.7.1 not yours", "send.sender_refused"),
        ("550 5.7.60 no permission to send as this sender", "send.sender_refused"),
        ("501 mail from address must be same as authorization user", "send.sender_refused"),
        ("530 5.7.0 authentication required", "auth.required"),
        ("451 4.7.1 later", "send.temporary"),
        ("354 go", "protocol.syntax"),
    ],
)
def test_a_refused_sender_is_named(answer: str, code: str) -> None:
    outcome = envelope("C: MAIL FROM:<li@example.com>", f"S: {answer}")
    assert (outcome.code, outcome.session.stage, outcome.session.logged_in) == (code, Stage.SEND, True)
    assert outcome.facts["reply"] == answer


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("550 5.7.1 Unable to relay", "send.relay_denied"),
        ("554 5.7.1 <li@example.com>: Relay access denied", "send.relay_denied"),
        ("550 5.1.1 no such user", "send.sender_refused"),
        ("553 relay check local fail", "send.sender_refused"),  # the sender is not the account
        ("450 4.2.0 greylisted", "send.temporary"),
    ],
)
def test_a_refused_recipient_is_named(answer: str, code: str) -> None:
    outcome = envelope("C: MAIL FROM:<li@example.com>", "S: 250 ok", "C: RCPT TO:<li@example.com>", f"S: {answer}")
    assert (outcome.code, outcome.session.stage) == (code, Stage.SEND)


def test_a_forwarded_recipient_is_accepted() -> None:
    outcome = envelope(
        "C: MAIL FROM:<li@example.com>",
        "S: 250 ok",
        "C: RCPT TO:<li@example.com>",
        "S: 251 will forward",
        "C: RSET",
        "S: 500 whatever",
        "C: QUIT",
    )
    assert outcome.code is None


@pytest.mark.parametrize("address", ["", "用户@example.com"])
def test_no_envelope_is_tried_with_an_address_the_server_cannot_carry(address: str) -> None:
    outcome = envelope("C: QUIT", login=LOGIN._replace(address=address))
    assert (outcome.code, outcome.session.logged_in) == (None, True)


def test_an_international_address_is_tried_where_it_is_supported() -> None:
    outcome = envelope(
        "C: MAIL FROM:<用户@example.com> SMTPUTF8",
        "S: 250 ok",
        "C: RCPT TO:<用户@example.com>",
        "S: 250 ok",
        "C: RSET",
        "S: 250 ok",
        "C: QUIT",
        login=Login("li@example.com", Secret(driver.PASSWORD), "用户@example.com"),
        extension=b"SMTPUTF8",
    )
    assert outcome.code is None
