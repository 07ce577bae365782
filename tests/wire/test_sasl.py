"""Logging in: which mechanism, the exchange, and what is never sent."""

from __future__ import annotations

import base64
import traceback
from itertools import chain, repeat

import pytest

from mailsetup.errors import DialogueFailed
from mailsetup.model import Protocol, Security
from mailsetup.wire import Login, ReadLine, Secret, Send, Token
from mailsetup.wire.sasl import choose

from .driver import BY_TOKEN, LOGIN, PASSWORD, TOKEN, ScriptedPeer, drive, play, start

EHLO = "C: EHLO [127.0.0.1]"
USER = "C: bGlAZXhhbXBsZS5jb20="
PASS = "C: b3BlbiBzZXNhbWU="


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\udcff"])
@pytest.mark.parametrize("field", ["username", "secret", "address"])
def test_what_would_end_a_command_early_is_refused_before_any_byte(
    protocol: Protocol, security: Security, character: str, field: str
) -> None:
    text = f"a{character}b"
    login = LOGIN._replace(**{field: Secret(text) if field == "secret" else text})  # type: ignore[arg-type]  # by name
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
    forms = LOGIN.secret_forms()
    assert set(forms) == {PASSWORD, PASS[3:], "AGxpQGV4YW1wbGUuY29tAG9wZW4gc2VzYW1l"}
    assert r"a\"b\\c" in Login("li", Secret('a"b\\c'), "").secret_forms()
    assert Login("li", Secret(""), "").secret_forms() == ()
    assert Login("li", Secret("\udcff"), "").secret_forms()


def test_a_secret_shows_itself_to_nobody() -> None:
    assert PASSWORD not in f"{LOGIN} {LOGIN!r} {[LOGIN]}"


@pytest.mark.parametrize(
    ("offered", "login", "chosen"),
    [
        ("LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256", LOGIN, "SCRAM-SHA-256"),
        ("LOGIN PLAIN SCRAM-SHA-1", LOGIN, "SCRAM-SHA-1"),
        ("LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256-PLUS", LOGIN, "PLAIN"),
        ("LOGIN XOAUTH2 OAUTHBEARER", LOGIN, "LOGIN"),
        ("XOAUTH2 OAUTHBEARER", LOGIN, None),
        ("LOGIN PLAIN SCRAM-SHA-256", LOGIN._replace(secret=Secret("😀")), "PLAIN"),
        ("SCRAM-SHA-256", LOGIN._replace(username="😀"), None),
        ("PLAIN SCRAM-SHA-256 XOAUTH2 OAUTHBEARER", BY_TOKEN, "OAUTHBEARER"),
        ("PLAIN SCRAM-SHA-256 XOAUTH2", BY_TOKEN, "XOAUTH2"),
        ("PLAIN SCRAM-SHA-256", BY_TOKEN, None),
    ],
)
def test_the_strongest_mechanism_that_can_carry_the_login_is_chosen(
    offered: str, login: Login, chosen: str | None
) -> None:
    assert choose(tuple(offered.split()), login) == chosen


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("offered", ["", "PLAIN LOGIN SCRAM-SHA-256"])
def test_a_token_goes_nowhere_that_takes_a_password(protocol: Protocol, offered: str) -> None:
    outcome = play(protocol, Security.TLS, *offering(protocol, offered), login=BY_TOKEN)
    assert (outcome.code, outcome.facts["mechanisms"]) == ("auth.oauth_not_offered", offered or "–")


@pytest.mark.parametrize("protocol", Protocol)
def test_a_password_that_only_mechanisms_are_offered_for_that_cannot_carry_it_is_not_sent(protocol: Protocol) -> None:
    login = LOGIN._replace(secret=Secret("😀"))
    outcome = play(protocol, Security.TLS, *offering(protocol, "SCRAM-SHA-256", disabled=True), login=login)
    assert (outcome.code, outcome.facts["mechanisms"]) == ("auth.prohibited_character", "SCRAM-SHA-256")


def offering(protocol: Protocol, mechanisms: str, *, disabled: bool = False) -> list[str | bytes]:
    """A session up to where the client chooses; ``disabled``: IMAP's LOGIN command is."""
    match protocol:
        case Protocol.IMAP:
            words = " LOGINDISABLED" * disabled + "".join(f" AUTH={name}" for name in mechanisms.split())
            return ["TLS", f"S: * OK [CAPABILITY IMAP4rev1{words}] ready"]
        case Protocol.POP3:
            lines = "USER\r\n" * (not disabled) + f"SASL {mechanisms}\r\n" * bool(mechanisms)
            return ["TLS", "S: +OK hi", "C: CAPA", f"+OK\r\n{lines}.\r\n".encode()]
        case Protocol.SMTP:
            auth = f"250 AUTH {mechanisms}" if mechanisms else "250 HELP"
            return ["TLS", "S: 220 x", EHLO, f"250-x\r\n{auth}\r\n".encode()]


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("token", ["a b", "a\x01b", "a\nb", "ä", "\udcff", "\x7f"])
def test_a_token_that_is_none_is_refused_before_any_byte(protocol: Protocol, token: str) -> None:
    outcome = drive(*start(protocol, Security.TLS, LOGIN._replace(secret=Token(token))), ScriptedPeer([]))
    assert (outcome.code, outcome.performed, outcome.facts) == ("input.bad_token", [], {})


def test_a_user_name_cannot_add_a_field_to_a_token() -> None:
    login = BY_TOKEN._replace(username="li\x01auth=Bearer other")
    outcome = drive(*start(Protocol.IMAP, Security.TLS, login), ScriptedPeer([]))
    assert (outcome.code, outcome.performed) == ("input.bad_credentials", [])


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SMTP_TOKEN = encoded(f"user=li@example.com\x01auth=Bearer {TOKEN}\x01\x01")


@pytest.mark.parametrize(
    ("challenge", "explanation"),
    [
        ('{"status":"401","schemes":"bearer","scope":"https://mail.example.com/"}', " (status: 401, scope: https://mail.example.com/)"),
        ('{"status":400}', " (status: 400)"),
        ('{"status":["x"],"scope":null}', ""),
        ('{"status":"\\ud800\\u001b[31m"}', " (status: ?[31m)"),
        ("[" * 6000, ""),
        ("not JSON", ""),
        ("[1]", ""),
        ("", ""),
        ('{"status":' + "9" * 5000 + "}", ""),
    ],
    ids=["XOAUTH2", "a number", "of other kinds", "not printable", "nested", "no JSON", "no object", "empty", "huge"],
)  # fmt: skip
def test_a_token_that_is_rejected_is_acknowledged_and_explained(challenge: str, explanation: str) -> None:
    outcome = play(
        Protocol.SMTP,
        Security.TLS,
        *offering(Protocol.SMTP, "XOAUTH2"),
        f"C: AUTH XOAUTH2 {SMTP_TOKEN}",
        *(f"S: 334 {encoded(challenge)}", "C: ", "S: 535 5.7.8 no"),
        login=BY_TOKEN,
    )
    assert (outcome.code, outcome.facts) == ("auth.oauth_token_rejected", {"reply": f"535 5.7.8 no{explanation}"})


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("535 5.7.8 no", "auth.oauth_token_rejected"),
        ("432 4.7.12 renew it", "auth.oauth_token_rejected"),
        ("454 4.7.0 later", "auth.temporary"),
        ("534 5.7.9 too weak", "auth.no_common_mechanism"),
        ("235 in after all", "auth.protocol_error"),
        ("334 ", "auth.protocol_error"),
    ],
)
def test_what_follows_an_explanation_decides(answer: str, code: str) -> None:
    outcome = play(
        Protocol.SMTP,
        Security.TLS,
        *offering(Protocol.SMTP, "XOAUTH2"),
        f"C: AUTH XOAUTH2 {SMTP_TOKEN}",
        *(f"S: 334 {encoded('{}')}", "C: ", f"S: {answer}"),
        login=BY_TOKEN,
    )
    assert outcome.code == code
    assert not outcome.session.logged_in


def test_a_name_is_written_so_that_it_ends_where_it_ends() -> None:
    login = BY_TOKEN._replace(username="a=b,c@example.com")
    message = f"n,a=a=3Db=2Cc@example.com,\x01host=mail.example.com\x01port=1234\x01auth=Bearer {TOKEN}\x01\x01"
    play(
        Protocol.SMTP,
        Security.TLS,
        *offering(Protocol.SMTP, "OAUTHBEARER"),
        *(f"C: AUTH OAUTHBEARER {encoded(message)}", "S: 535 no"),
        login=login,
    )


@pytest.mark.parametrize(
    ("protocol", "extra_bytes"),
    [(Protocol.SMTP, 0), (Protocol.SMTP, 1), (Protocol.IMAP, 0), (Protocol.IMAP, 1)],
)
def test_an_initial_response_must_fit_into_the_line(protocol: Protocol, extra_bytes: int) -> None:
    limit, verb, ready = {
        Protocol.SMTP: (512, "AUTH XOAUTH2", "334 "),
        Protocol.IMAP: (8192, "a1 AUTHENTICATE XOAUTH2", "+ "),
    }[protocol]
    around = len(f"user={LOGIN.username}\x01auth=Bearer \x01\x01")
    # As many as base64 makes into the rest of the line: three bytes become four characters.
    size = (limit - len(f"{verb} \r\n")) // 4 * 3 - around
    token = "t" * (size + extra_bytes)
    response = encoded(f"user={LOGIN.username}\x01auth=Bearer {token}\x01\x01")
    begin = offering(protocol, "XOAUTH2")
    if protocol is Protocol.IMAP:
        begin = ["TLS", "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi"]
    lines = [f"C: {verb} {response}"] if not extra_bytes else [f"C: {verb}", f"S: {ready}", f"C: {response}"]
    refusal = {Protocol.SMTP: "S: 454 later", Protocol.IMAP: "S: a1 NO [UNAVAILABLE] later"}[protocol]
    outcome = play(protocol, Security.TLS, *begin, *lines, refusal, login=LOGIN._replace(secret=Token(token)))
    assert outcome.code == "auth.temporary"


def test_an_empty_token_cannot_be_told_from_none() -> None:
    assert LOGIN._replace(secret=Token("")).secret_forms() == ()


def said(steps: list[str | bytes]) -> list[bytes]:
    """The lines of the server."""
    texts = [step if isinstance(step, bytes) else step[3:].encode() for step in steps if step != "TLS"]
    clients = [isinstance(step, str) and step.startswith("C: ") for step in steps if step != "TLS"]
    return [line for text, client in zip(texts, clients, strict=True) if not client for line in text.splitlines()]


LOGINS_IN_PROGRESS: list[tuple[Protocol, list[str | bytes], Login]] = [
    *((Protocol.SMTP, offering(Protocol.SMTP, name), LOGIN) for name in ("PLAIN", "LOGIN", "SCRAM-SHA-256")),
    *((Protocol.SMTP, offering(Protocol.SMTP, name), BY_TOKEN) for name in ("XOAUTH2", "OAUTHBEARER")),
    *((protocol, offering(protocol, ""), LOGIN) for protocol in (Protocol.IMAP, Protocol.POP3)),
    (Protocol.IMAP, offering(Protocol.IMAP, ""), LOGIN._replace(secret=Secret(f"密{PASSWORD}"))),
]


@pytest.mark.parametrize(("protocol", "begin", "login"), LOGINS_IN_PROGRESS)
def test_a_traceback_with_local_variables_shows_no_secret(
    protocol: Protocol, begin: list[str | bytes], login: Login
) -> None:
    """A bug strikes when the secret is on its way, and the program that uses us logs all that it can."""

    class Bug(Exception):
        pass

    go_on = {Protocol.IMAP: b"+ ", Protocol.POP3: b"+OK", Protocol.SMTP: b"334 "}[protocol]
    struck = 0
    for strike in range(1, 4):
        _session, dialogue = start(protocol, Security.TLS, login)
        answers = chain(said(begin), repeat(go_on))
        sent = 0
        try:
            action = next(dialogue)
            while True:
                if isinstance(action, Send) and action.secret:
                    sent += 1
                    if sent == strike:
                        dialogue.throw(Bug())
                action = dialogue.send(next(answers) if isinstance(action, ReadLine) else b"")
        except (StopIteration, DialogueFailed):
            continue
        except Bug as bug:
            struck += 1
            trace = traceback.TracebackException.from_exception(bug, capture_locals=True)
            shown = repr(
                [frame.locals for frame in trace.stack if "/wire/test" not in frame.filename.replace("\\", "/")]
            )
            assert "session" in shown
            assert [form for form in (*login.secret_forms(), PASSWORD, TOKEN) if form in shown] == []
            assert SMTP_TOKEN not in shown
    assert struck
