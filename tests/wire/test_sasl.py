"""Logging in: which mechanism, the exchange, and what is never sent."""

from __future__ import annotations

import pytest

from mailsetup.model import Protocol, Security
from mailsetup.wire import Login, Secret

from .driver import LOGIN, PASSWORD, ScriptedPeer, drive, play, start

EHLO = "C: EHLO [127.0.0.1]"
USER = "C: bGlAZXhhbXBsZS5jb20="
PASS = "C: b3BlbiBzZXNhbWU="


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\udcff"])
@pytest.mark.parametrize("field", ["username", "password", "address"])
def test_what_would_end_a_command_early_is_refused_before_any_byte(
    protocol: Protocol, security: Security, character: str, field: str
) -> None:
    text = f"a{character}b"
    login = LOGIN._replace(**{field: Secret(text) if field == "password" else text})  # type: ignore[arg-type]  # by name
    outcome = drive(*start(protocol, security, login), ScriptedPeer([]))
    assert (outcome.code, outcome.performed) == ("input.bad_credentials", [])
    assert "a" not in outcome.facts.values()


def test_plain_is_preferred_to_login() -> None:
    outcome = play(
        Protocol.IMAP,
        Security.TLS,
        "TLS",
        "S: * OK [CAPABILITY IMAP4rev1 AUTH=LOGIN AUTH=PLAIN AUTH=CRAM-MD5] ready",
        "C: a1 AUTHENTICATE PLAIN",
        "S: a1 NO [AUTHENTICATIONFAILED] no",
        login=LOGIN,
    )
    assert outcome.code == "auth.bad_credentials"


def test_login_sends_the_name_and_then_the_password() -> None:
    outcome = play(
        Protocol.IMAP,
        Security.TLS,
        "TLS",
        "S: * OK [CAPABILITY IMAP4rev1 AUTH=LOGIN] ready",
        "C: a1 AUTHENTICATE LOGIN",
        b"* 1 EXISTS\r\n+ VXNlciBOYW1lAA==\r\n",
        USER,
        "S: + UGFzc3dvcmQA",
        PASS,
        "S: a1 NO no",
        login=LOGIN,
    )
    assert outcome.code == "auth.bad_credentials"


@pytest.mark.parametrize("challenge", ["!!!", "VXNlcm5hbWU", "用户"])
def test_a_challenge_that_is_not_base64_gets_no_answer(challenge: str) -> None:
    outcome = play(
        Protocol.SMTP,
        Security.TLS,
        "TLS",
        "S: 220 x",
        EHLO,
        b"250-x\r\n250 AUTH LOGIN\r\n",
        "C: AUTH LOGIN",
        f"S: 334 {challenge}",
        login=LOGIN,
    )
    assert (outcome.code, outcome.facts["reply"]) == ("auth.protocol_error", challenge)


def test_endless_challenges_end() -> None:
    outcome = play(
        Protocol.SMTP,
        Security.TLS,
        "TLS",
        "S: 220 x",
        EHLO,
        b"250-x\r\n250 AUTH LOGIN\r\n",
        "C: AUTH LOGIN",
        "S: 334 VXNlcm5hbWU6",
        USER,
        "S: 334 UGFzc3dvcmQ6",
        PASS,
        "S: 334 UGFzc3dvcmQ6",
        login=LOGIN,
    )
    assert outcome.code == "auth.protocol_error"


def test_every_form_in_which_the_password_travels_is_known() -> None:
    forms = LOGIN.password_forms()
    assert set(forms) == {PASSWORD, PASS[3:], "AGxpQGV4YW1wbGUuY29tAG9wZW4gc2VzYW1l"}
    assert r"a\"b\\c" in Login("li", Secret('a"b\\c'), "").password_forms()
    assert Login("li", Secret(""), "").password_forms() == ()
    assert Login("li", Secret("\udcff"), "").password_forms()


def test_a_secret_shows_itself_to_nobody() -> None:
    assert PASSWORD not in f"{LOGIN} {LOGIN!r} {[LOGIN]}"
