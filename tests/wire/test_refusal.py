"""What a refusal means by the standards, and how patterns are found in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import IMAP, POP3, SMTP
from mailsetup.model import Confidence, Protocol, Refusal
from mailsetup.wire.refusal import code_for, find_standard, is_explained, is_retryable, matches, precision, recognize


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
        ("NO [ALERT [UNAVAILABLE] later", "auth.temporary"),
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
        ("432 4.3.2 Concurrent connections limit exceeded", "auth.temporary"),
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


def test_a_server_explains_what_it_refuses_itself() -> None:
    explained = {"auth.temporary", "select.refused", "send.relay_denied", "greeting.bye", "protocol.eof"}
    others = {"tls.eof", "tcp.refused", "starttls.refused", "protocol.syntax", "greeting.ssh"}
    assert {code for code in explained | others if is_explained(code)} == explained


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("Unsafe Login", "NO SELECT unsafe  LOGIN. Please contact us"),
        ("no select", "NO SELECT"),
        ("请使用授权码", "535 Error: 请使用授权码登录"),
        ("input from * to server", "550 Invalid input from 203.0.113.9 to server"),
        ("input from * to server", "input from to server"),  # any text is also none
        ("a*b*c", "a c b b c"),
        ("*word is required", "password is REQUIRED"),
        ("word*", "wording"),
        ("5.7.3", "5.7.30 5.7.3"),  # not the first place, but the second
        ("[webalert", "NO [WEBALERT https://example.com/]"),
        ("(#MBR1212)", "(#mbr1212)"),
        ("no * failed", "NO LOGIN failedly failed"),
    ],
)
def test_a_pattern_is_found(pattern: str, text: str) -> None:
    assert matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("Unsafe Login", "NO Login is not safe"),
        ("5.7.3", "5.7.30"),
        ("5.7.3", "15.7.3"),
        ("word is required", "password is required"),
        ("word", "wording"),
        ("a*b", "b a"),
        ("a*a", "a"),
        ("login.fail", "login fail"),  # no regular expression
        ("unsafe login", ""),
        ("*", "anything"),  # demands nothing, so it says nothing
        ("", ""),
    ],
)
def test_a_pattern_is_not_found(pattern: str, text: str) -> None:
    assert not matches(pattern, text)


def test_a_pattern_is_as_exact_as_what_it_demands() -> None:
    assert precision("a * bc") == precision("*abc") == 3
    assert precision("*") == 0


@given(
    st.lists(st.text("ab c", min_size=1).filter(str.strip), min_size=1, max_size=3),
    st.lists(st.text("ab c"), min_size=4, max_size=4),
)
def test_whatever_is_put_between_the_pieces_they_are_found(pieces: list[str], between: list[str]) -> None:
    text = "".join(gap + piece for gap, piece in zip(between, [*pieces, ""], strict=False))
    assert matches(f"*{'*'.join(pieces)}*", text)


ANYBODY = Refusal((), (), (), (SMTP,), "refused", "auth.temporary", "Wait.", "请稍候。", "a page", "2026-01-31")
OURS = ANYBODY._replace(providers=("ours", "sister"), names=("Ours", "Sister"), names_zh=("我们", "姐妹"))
TWICE_SAID = OURS._replace(ambiguous=True)


@pytest.mark.parametrize(
    ("refusal", "providers", "confidence"),
    [
        (ANYBODY, (), Confidence.HIGH),
        (ANYBODY, ("other",), Confidence.HIGH),
        (OURS, (), Confidence.MEDIUM),
        (OURS, ("sister",), Confidence.HIGH),
        (OURS, ("other", "ours"), Confidence.HIGH),
        (TWICE_SAID, (), Confidence.LOW),
        (TWICE_SAID, ("ours",), Confidence.HIGH),
    ],
)
def test_how_sure_known_words_are_depends_on_whose_server_it_is(
    refusal: Refusal, providers: tuple[str, ...], confidence: Confidence
) -> None:
    found = recognize([refusal], SMTP, "451 refused", frozenset(providers))
    assert [each.confidence for each in found] == [confidence]


@pytest.mark.parametrize("refusal", [OURS, TWICE_SAID])
def test_words_of_one_provider_say_nothing_at_another(refusal: Refusal) -> None:
    assert list(recognize([refusal], SMTP, "451 refused", {"other"})) == []


def test_words_of_one_protocol_say_nothing_in_another() -> None:
    assert list(recognize([ANYBODY], IMAP, "NO refused", frozenset())) == []
    assert list(recognize([ANYBODY], None, "NO refused", frozenset())) == [ANYBODY]


def test_the_order_of_the_refusals_is_kept() -> None:
    found = recognize([OURS, ANYBODY], SMTP, "451 refused", frozenset())
    assert [refusal.providers for refusal in found] == [OURS.providers, ()]


@pytest.mark.parametrize(
    ("text", "protocol", "code"),
    [
        ("AUTHENTICATIONFAILED", IMAP, "auth.bad_credentials"),
        ("login-delay", POP3, "auth.rate_limited"),
        ("imaplib.error: [EXPIRED] Password too old", IMAP, "auth.password_expired"),
        ("-ERR [SYS/TEMP] later", POP3, "auth.temporary"),
        ("5.7.8", SMTP, "auth.bad_credentials"),
        ("454 4.7.0 Temporary authentication failure", SMTP, "auth.temporary"),
        ("Invalid login: 535 wrong", SMTP, "auth.bad_credentials"),
        ("the server answered 530: log in first", SMTP, "auth.required"),
        ("421", SMTP, "greeting.temporary"),
        ("432 4.7.12 A password transition is needed", SMTP, "auth.password_expired"),
        ("NO LOGIN failed.", IMAP, "auth.bad_credentials"),
        ("a2 BAD what", IMAP, "auth.protocol_error"),
        ("NO EXAMINE denied", IMAP, "select.refused"),
        ("NO [NONEXISTENT] Unknown Mailbox: Sent", IMAP, "select.refused"),
        ("NO [OVERQUOTA] Quota exceeded (mailbox for user is full)", IMAP, "select.refused"),
        ("-ERR no", POP3, "auth.bad_credentials"),
    ],
)
def test_a_standard_reply_is_found_in_any_text(text: str, protocol: Protocol, code: str) -> None:
    standard = find_standard(text, None)
    assert standard is not None
    assert (standard.protocol, standard.code) == (protocol, code)
    assert find_standard(text, protocol) == standard
    others = [find_standard(text, other) for other in Protocol if other is not protocol]
    assert standard not in others


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "No such file",
        "smtp.example.com port 465 did not answer",
        "version 5.7.81 of 2535-12-01",
        "10.5.7.8",
        "HTTP 503 Service Unavailable",
        "the limit has expired",
        "NOTHING",
    ],
)
def test_other_numbers_and_words_are_no_replies(text: str) -> None:
    assert find_standard(text, None) is None
