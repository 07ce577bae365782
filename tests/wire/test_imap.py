"""IMAP: what a server may do wrong, and what the client must do about it."""

from __future__ import annotations

from typing import Any

import pytest

from mailsetup.model import Protocol, Security, Stage
from mailsetup.wire import MAX_CAPABILITY_LINE_BYTES, MAX_LINES, Login, Secret

from . import driver
from .driver import LOGIN, Outcome

READY = "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready"


def play(security: Security, *steps: Any, login: Login | None = None) -> Outcome:
    return driver.play(Protocol.IMAP, security, *steps, login=login)


def tls(*steps: Any, login: Login | None = None) -> Outcome:
    return play(Security.TLS, "TLS", *steps, login=login)


def starttls(*steps: Any) -> Outcome:
    return play(Security.STARTTLS, *steps)


@pytest.mark.parametrize(
    ("greeting", "code", "seen"),
    [
        (b"* BYE Autologout; too many connections\r\n", "greeting.bye", None),
        (b"+OK POP3 ready\r\n", "greeting.wrong_protocol", "pop3"),
        (b"220 mail.example.com ESMTP\r\n", "greeting.wrong_protocol", "smtp"),
        (b"220 (vsFTPd 3.0.5)\r\n", "greeting.wrong_protocol", "ftp"),
        (b"* FOO\r\n", "greeting.wrong_protocol", "unknown"),
        (b"\r\n", "greeting.wrong_protocol", "unknown"),
        (b"\x00\xff\xfe\x1b]0;x\x07\n", "greeting.wrong_protocol", "unknown"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "greeting.ssh", None),
        (b"HTTP/1.1 400 Bad Request\r\n", "greeting.http", None),
        (b"<!DOCTYPE html>\r\n", "greeting.http", None),
        (b"", "greeting.eof", None),
        (b"* OK half a line", "greeting.eof", None),
    ],
)
def test_a_wrong_greeting_is_classified(greeting: bytes, code: str, seen: str | None) -> None:
    outcome = starttls(greeting)
    assert (outcome.code, outcome.session.stage, outcome.facts.get("seen")) == (code, Stage.GREETING, seen)
    assert seen is None or outcome.facts["expected"] == "imap"


def test_a_greeting_with_capabilities_saves_asking_for_them() -> None:
    outcome = tls("S: * OK [CAPABILITY IMAP4rev1 ID] ready", "C: a1 LOGOUT")
    assert outcome.code is None
    assert outcome.session.capabilities == ("IMAP4rev1", "ID")
    assert outcome.session.stage is Stage.CAPABILITY


def test_letter_case_and_bare_line_feeds_do_not_matter() -> None:
    outcome = starttls(
        b"* ok [capability imap4rev1 starttls] ready\n",
        "C: a1 STARTTLS",
        b"a1 ok go\n",
        "TLS",
        "C: a2 CAPABILITY",
        b"* capability imap4rev1 auth=plain\na2 Ok done\n",
        "C: a3 LOGOUT",
    )
    assert outcome.code is None
    assert outcome.session.mechanisms == ("PLAIN",)


def test_a_greeting_in_an_unknown_encoding_is_shown_somehow() -> None:
    outcome = tls(b"* OK [CAPABILITY IMAP4rev1] \xff\xff\x1b[31m\xe2\x80\xae\r\n", "C: a1 LOGOUT")
    assert outcome.code is None
    assert outcome.session.greeting.startswith("* OK [CAPABILITY IMAP4rev1] ")
    assert outcome.session.greeting.isprintable()


def test_starttls_that_is_not_offered_ends_the_dialogue() -> None:
    assert starttls("S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready").code == "starttls.not_offered"


@pytest.mark.parametrize("answer", ["a1 NO not now", "a1 BAD what"])
def test_a_refused_starttls_ends_the_dialogue(answer: str) -> None:
    outcome = starttls("S: * OK [CAPABILITY IMAP4rev1 STARTTLS] ready", "C: a1 STARTTLS", f"S: {answer}")
    assert (outcome.code, outcome.session.stage) == ("starttls.refused", Stage.STARTTLS)


def test_preauth_before_starttls_is_an_attack() -> None:
    outcome = starttls("S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome")
    assert (outcome.code, outcome.session.logged_in) == ("starttls.preauth", False)


def test_preauth_inside_tls_needs_no_login() -> None:
    outcome = tls(
        "S: * PREAUTH [CAPABILITY IMAP4rev1] welcome",
        "C: a1 EXAMINE INBOX",
        "S: a1 OK done",
        "C: a2 LOGOUT",
        login=LOGIN,
    )
    assert (outcome.code, outcome.session.logged_in) == (None, True)


def test_bytes_that_come_with_the_go_ahead_are_an_injection() -> None:
    outcome = starttls(
        "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] ready",
        "C: a1 STARTTLS",
        b"a1 OK go\r\n* CAPABILITY AUTH=PLAIN\r\n",
    )
    assert (outcome.code, outcome.session.over_tls) == ("starttls.injection", False)


def test_what_the_go_ahead_says_about_capabilities_is_forgotten() -> None:
    outcome = starttls(
        "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] ready",
        "C: a1 STARTTLS",
        "S: a1 OK [CAPABILITY IMAP4rev1 AUTH=EVIL] go",
        "TLS",
        "C: a2 CAPABILITY",
        b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na2 OK done\r\n",
        "C: a3 LOGOUT",
    )
    assert outcome.session.capabilities == ("IMAP4rev1", "AUTH=PLAIN")
    assert outcome.session.mechanisms == ("PLAIN",)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"a2 OK wrong tag\r\n", "protocol.syntax"),
        (b"a1 PERHAPS\r\n", "protocol.syntax"),
        (b"a1 BAD unknown\r\n", "protocol.syntax"),
        (b"a1 OK but no list\r\n", "protocol.syntax"),
        (b"* {0}\r\nCAPABILITY IMAP4rev1\r\na1 OK an empty literal hides nothing\r\n", "protocol.syntax"),
        (b"+ go on\r\n", "protocol.syntax"),
        (b"\r\n", "protocol.syntax"),
        (b"* X\r\n" * (MAX_LINES + 1), "protocol.too_many_lines"),
        (b"* LIST {65537}\r\n", "protocol.literal_too_long"),
        (b"* LIST {4294967295}\r\n", "protocol.literal_too_long"),
        (b"* LIST {" + b"9" * 5000 + b"}\r\n", "protocol.literal_too_long"),
        (b"* LIST" + b" {0}\r\n" * (MAX_LINES + 2), "protocol.too_many_lines"),
        (b"* CAPABILITY " + b"x" * MAX_CAPABILITY_LINE_BYTES, "protocol.line_too_long"),
        (b"* LIST {5}\r\nabc", "protocol.eof"),
    ],
)
def test_a_broken_answer_is_named(answer: bytes, code: str) -> None:
    assert tls("S: * OK ready", "C: a1 CAPABILITY", answer).code == code


def test_capabilities_in_an_unknown_encoding_are_shown_somehow() -> None:
    outcome = tls(b"* OK [CAPABILITY IMAP4rev1 X-\xff\xff] ready\r\n", "C: a1 LOGOUT")
    assert outcome.session.capabilities == ("IMAP4rev1", "X-ÿÿ")


def test_a_capability_list_may_be_long() -> None:
    words = b" X-LONG" * 9000
    assert len(words) > 60_000
    outcome = tls("S: * OK ready", "C: a1 CAPABILITY", b"* CAPABILITY" + words + b"\r\na1 OK done\r\n", "C: a2 LOGOUT")
    assert (outcome.code, outcome.session.capabilities) == (None, ("X-LONG",))


def test_text_that_ends_like_a_literal_is_no_literal() -> None:
    outcome = tls(
        "S: * OK ready", "C: a1 CAPABILITY", b"* CAPABILITY IMAP4rev1\r\n* NO see {5}\r\na1 OK {5}\r\n", "C: a2 LOGOUT"
    )
    assert outcome.code is None


def test_a_bye_in_the_middle_is_kept_as_the_reason() -> None:
    outcome = tls("S: * OK ready", "C: a1 CAPABILITY", "S: * BYE shutting down")
    assert (outcome.code, outcome.session.farewell) == ("protocol.eof", "shutting down")


def test_starttls_is_asked_for_where_the_greeting_does_not_tell() -> None:
    outcome = starttls("S: * OK ready", "C: a1 CAPABILITY", b"* CAPABILITY IMAP4rev1\r\na1 OK done\r\n")
    assert (outcome.code, outcome.session.stage) == ("starttls.not_offered", Stage.CAPABILITY)


def test_a_plain_connection_is_described_without_tls() -> None:
    outcome = play(Security.PLAIN, READY, "C: a1 LOGOUT")
    assert (outcome.code, outcome.session.mechanisms, outcome.session.over_tls) == (None, ("PLAIN",), False)


def test_a_login_without_tls_is_refused_before_any_byte() -> None:
    outcome = play(Security.PLAIN, login=LOGIN)
    assert (outcome.code, outcome.performed) == ("auth.privacy_required", [])


@pytest.mark.parametrize(
    ("capabilities", "code"),
    [
        ("LOGINDISABLED", "auth.login_disabled"),
        ("LOGINDISABLED AUTH=XOAUTH2 AUTH=OAUTHBEARER", "auth.oauth_required"),
        ("LOGINDISABLED AUTH=GSSAPI AUTH=CRAM-MD5", "auth.no_common_mechanism"),
        ("LOGINDISABLED AUTH=XOAUTH2 AUTH=NTLM", "auth.no_common_mechanism"),
    ],
)
def test_a_server_that_takes_no_password_gets_none(capabilities: str, code: str) -> None:
    outcome = tls(f"S: * OK [CAPABILITY IMAP4rev1 {capabilities}] ready", login=LOGIN)
    assert (outcome.code, outcome.sent()) == (code, [])


def test_login_disabled_does_not_forbid_sasl() -> None:
    outcome = tls(
        "S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN] ready",
        "C: a1 AUTHENTICATE PLAIN",
        "S: a1 NO [AUTHENTICATIONFAILED] no",
        login=LOGIN,
    )
    assert outcome.code == "auth.bad_credentials"


def test_the_login_command_quotes_what_needs_it() -> None:
    outcome = tls(
        "S: * OK [CAPABILITY IMAP4rev1] ready",
        r'C: a1 LOGIN "a\"b" "c\\d\"e"',
        "S: a1 NO no",
        login=Login('a"b', Secret(r'c\d"e'), ""),
    )
    assert outcome.code == "auth.bad_credentials"


def test_the_login_command_sends_other_scripts_as_literals() -> None:
    outcome = tls(
        "S: * OK [CAPABILITY IMAP4rev1] ready",
        "C: a1 LOGIN {6}",
        "S: + go on",
        "C: 用户 {6}",
        b"* OK still here\r\n+\r\n",
        "C: 密码",
        "S: a1 OK done",
        "C: a2 EXAMINE INBOX",
        "S: a2 OK done",
        "C: a3 LOGOUT",
        login=Login("用户", Secret("密码"), ""),
    )
    assert (outcome.code, outcome.session.logged_in) == (None, True)


def test_a_literal_refused_is_a_refused_login() -> None:
    login = Login("用户", Secret("x"), "")
    outcome = tls("S: * OK [CAPABILITY IMAP4rev1] ready", "C: a1 LOGIN {6}", "S: a1 NO [LIMIT] wait", login=login)
    assert outcome.code == "auth.rate_limited"


def test_a_login_accepted_before_the_password_is_an_error() -> None:
    login = Login("用户", Secret("x"), "")
    outcome = tls("S: * OK [CAPABILITY IMAP4rev1] ready", "C: a1 LOGIN {6}", "S: a1 OK welcome", login=login)
    assert (outcome.code, outcome.session.logged_in) == ("auth.protocol_error", False)


def test_a_login_command_that_is_asked_to_go_on_is_an_error() -> None:
    outcome = tls(
        "S: * OK [CAPABILITY IMAP4rev1] ready", 'C: a1 LOGIN "li@example.com" "open sesame"', "S: + more", login=LOGIN
    )
    assert outcome.code == "auth.protocol_error"


def test_a_refusal_of_id_does_not_matter() -> None:
    outcome = tls(
        "S: * PREAUTH [CAPABILITY IMAP4rev1 ID] ready",
        'C: a1 ID ("name" "mailsetup")',
        "S: a1 NO never",
        "C: a2 EXAMINE INBOX",
        "S: a2 OK done",
        "C: a3 LOGOUT",
        login=LOGIN,
    )
    assert outcome.code is None


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("a1 NO [NONEXISTENT] no such mailbox", "select.refused"),
        ("a1 BAD User is authenticated but not connected.", "select.refused"),
        ("a1 NO EXAMINE unsafe LOGIN. Please contact us", "select.unsafe_login"),
    ],
)
def test_an_inbox_that_does_not_open_is_named(answer: str, code: str) -> None:
    outcome = tls("S: * PREAUTH [CAPABILITY IMAP4rev1] ready", "C: a1 EXAMINE INBOX", f"S: {answer}", login=LOGIN)
    assert (outcome.code, outcome.session.stage) == (code, Stage.MAILBOX)
    assert outcome.facts["reply"] == answer.removeprefix("a1 ")
