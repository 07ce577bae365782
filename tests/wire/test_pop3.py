"""POP3: what a server may do wrong, and what the client must do about it."""

from __future__ import annotations

from typing import Any

import pytest

from mailsetup.model import Protocol, Security, Stage
from mailsetup.wire import MAX_LINE_BYTES, MAX_LINES, Login, Secret

from . import driver
from .driver import LOGIN, Outcome


def play(security: Security, *steps: Any, login: Login | None = None) -> Outcome:
    return driver.play(Protocol.POP3, security, *steps, login=login)


def tls(*steps: Any, login: Login | None = None) -> Outcome:
    return play(Security.TLS, "TLS", "S: +OK ready", "C: CAPA", *steps, login=login)


def starttls(*steps: Any) -> Outcome:
    return play(Security.STARTTLS, "S: +OK ready", "C: CAPA", *steps)


@pytest.mark.parametrize(
    ("greeting", "code", "seen"),
    [
        (b"-ERR [SYS/TEMP] too many connections\r\n", "greeting.err", None),
        (b"* OK IMAP4rev1 ready\r\n", "greeting.wrong_protocol", "imap"),
        (b"220 mail.example.com ESMTP\r\n", "greeting.wrong_protocol", "smtp"),
        (b"+OKAY\r\n", "greeting.wrong_protocol", "unknown"),
        (b"SSH-2.0-x\r\n", "greeting.ssh", None),
        (b"  <HTML>\r\n", "greeting.http", None),
        (b"+OK half a line", "greeting.eof", None),
    ],
)
def test_a_wrong_greeting_is_classified(greeting: bytes, code: str, seen: str | None) -> None:
    outcome = play(Security.STARTTLS, greeting)
    assert (outcome.code, outcome.session.stage, outcome.facts.get("seen")) == (code, Stage.GREETING, seen)


def test_a_server_without_capa_is_described_all_the_same() -> None:
    outcome = tls("S: -ERR unknown command", "C: QUIT")
    assert (outcome.code, outcome.session.capabilities, outcome.session.stage) == (None, (), Stage.CAPABILITY)


def test_a_server_without_capa_offers_no_starttls() -> None:
    assert starttls("S: -ERR unknown command").code == "starttls.not_offered"


def test_a_refused_starttls_ends_the_dialogue() -> None:
    outcome = starttls(b"+OK\r\nSTLS\r\n.\r\n", "C: STLS", "S: -ERR not now")
    assert (outcome.code, outcome.session.stage) == ("starttls.refused", Stage.STARTTLS)


def test_bytes_that_come_with_the_go_ahead_are_an_injection() -> None:
    assert starttls(b"+OK\r\nSTLS\r\n.\r\n", "C: STLS", b"+OK go\r\n+OK\r\n").code == "starttls.injection"


def test_capabilities_from_before_tls_are_forgotten() -> None:
    outcome = starttls(
        b"+OK\r\nSTLS\r\nSASL EVIL\r\n.\r\n",
        "C: STLS",
        "S: +OK go",
        "TLS",
        "C: CAPA",
        "S: -ERR not any more",
        "C: QUIT",
    )
    assert outcome.code is None
    assert (outcome.session.capabilities, outcome.session.mechanisms) == ((), ())
    assert outcome.session.capabilities_before_tls == ("STLS", "SASL EVIL")


def test_stuffed_dots_letter_case_and_bare_line_feeds_do_not_matter() -> None:
    outcome = tls(b"+ok\nuser\n..hidden\nsasl plain login\n.\n", "C: QUIT")
    assert outcome.code is None
    assert outcome.session.capabilities == ("user", ".hidden", "sasl plain login")
    assert outcome.session.mechanisms == ("PLAIN", "LOGIN")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"250 OK\r\n", "protocol.syntax"),
        (b"\r\n", "protocol.syntax"),
        (b"+OK\r\n" + b"X\r\n" * (MAX_LINES + 1), "protocol.too_many_lines"),
        (b"+OK\r\n" + b"x" * (MAX_LINE_BYTES + 2), "protocol.line_too_long"),
        (b"+OK\r\nUSER\r\n", "protocol.eof"),
    ],
)
def test_a_broken_answer_is_named(answer: bytes, code: str) -> None:
    assert tls(answer).code == code


def test_a_login_without_tls_is_refused_before_any_byte() -> None:
    outcome = play(Security.PLAIN, login=LOGIN)
    assert (outcome.code, outcome.performed) == ("auth.privacy_required", [])


@pytest.mark.parametrize(
    ("capabilities", "code"),
    [
        (b"SASL XOAUTH2", "auth.oauth_required"),
        (b"SASL GSSAPI NTLM", "auth.no_common_mechanism"),
        (b"SASL", "auth.not_offered"),
    ],
)
def test_a_server_that_takes_no_password_gets_none(capabilities: bytes, code: str) -> None:
    outcome = tls(b"+OK\r\n" + capabilities + b"\r\n.\r\n", login=LOGIN)
    assert (outcome.code, outcome.sent()) == (code, [b"CAPA\r\n"])


def test_user_and_pass_cannot_carry_other_scripts() -> None:
    outcome = tls(b"+OK\r\nUSER\r\n.\r\n", login=Login("li", Secret("密码"), ""))
    assert (outcome.code, outcome.facts["mechanisms"]) == ("auth.no_common_mechanism", "USER")


def test_sasl_carries_other_scripts() -> None:
    outcome = tls(
        b"+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n",
        "C: AUTH PLAIN",
        "S: + ",
        "C: AGxpAOWvhueggQ==",
        "S: +OK",
        "C: STAT",
        "S: +OK 0 0",
        "C: QUIT",
        login=Login("li", Secret("密码"), ""),
    )
    assert (outcome.code, outcome.session.logged_in) == (None, True)


@pytest.mark.parametrize("capa", ["-ERR what", "+OK\r\nTOP\r\n."])
def test_user_is_tried_where_no_way_to_log_in_is_announced(capa: str) -> None:
    outcome = tls(
        f"S: {capa}",
        "C: USER li@example.com",
        "S: +OK",
        "C: PASS open sesame",
        "S: -ERR [AUTH] no",
        login=LOGIN,
    )
    assert (outcome.code, outcome.session.stage) == ("auth.bad_credentials", Stage.LOGIN)


def test_a_refused_user_ends_the_login() -> None:
    outcome = tls(b"+OK\r\nUSER\r\n.\r\n", "C: USER li@example.com", "S: -ERR [LOGIN-DELAY] wait", login=LOGIN)
    assert outcome.code == "auth.rate_limited"


def test_an_answer_to_the_login_that_is_none_is_named() -> None:
    outcome = tls(b"+OK\r\nUSER\r\n.\r\n", "C: USER li@example.com", "S: 250 ok", login=LOGIN)
    assert (outcome.code, outcome.session.stage) == ("protocol.syntax", Stage.LOGIN)


def test_a_mailbox_that_does_not_open_is_named() -> None:
    outcome = tls(
        b"+OK\r\nSASL PLAIN\r\n.\r\n",
        "C: AUTH PLAIN",
        "S: + ",
        "C: AGxpQGV4YW1wbGUuY29tAG9wZW4gc2VzYW1l",
        "S: +OK",
        "C: STAT",
        "S: -ERR corrupt",
        login=LOGIN,
    )
    assert (outcome.code, outcome.session.stage, outcome.session.logged_in) == ("select.refused", Stage.MAILBOX, True)
