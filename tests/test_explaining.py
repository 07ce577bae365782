"""What a pasted message means: the best meaning first, and how sure that is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import IMAP, POP3, SMTP
from mailsetup import i18n
from mailsetup.client_errors import CLIENT_ERRORS, VAGUE_ERRORS
from mailsetup.explaining import Explanation, explain
from mailsetup.index import Index
from mailsetup.model import Confidence, Protocol
from mailsetup.pasted import MAX_BYTES, lines

INDEX = Index.load()
LOGIN_FAIL = "535 Login Fail. Please enter your authorization code to login"
FAILED = "535 Error: authentication failed"


def explained(text: str, provider: str | None = None, protocol: Protocol | None = None) -> Explanation:
    known = None if provider is None else INDEX.by_id(provider)
    return explain(lines(text.encode()), INDEX, "en", known, protocol)


def codes(text: str, provider: str | None = None) -> list[str]:
    return [match.code for match in explained(text, provider).matches]


def test_words_of_a_provider_are_likely_its_own_until_the_provider_is_known() -> None:
    guess = explained(LOGIN_FAIL).matches[0]
    assert (guess.code, guess.confidence, guess.providers) == ("auth.app_password", Confidence.MEDIUM, ("qq",))
    assert guess.provider is not None
    assert guess.provider.id == "qq"
    assert guess.remedy[0].startswith("If the mailbox is at QQ Mail: Do not type the QQ password")
    sure = explained(LOGIN_FAIL, "qq").matches[0]
    assert (sure.code, sure.confidence) == ("auth.app_password", Confidence.HIGH)
    assert sure.remedy[0].startswith("Do not type the QQ password")


def test_the_provider_s_notes_follow_the_remedy() -> None:
    provider = INDEX.by_id("qq")
    assert provider is not None
    remedies = explained(LOGIN_FAIL, "qq").matches[0].remedy
    assert remedies[1:] == tuple(note.en for note in provider.notes if note.code in provider.needs)


def test_a_server_that_the_text_names_tells_the_provider() -> None:
    known = explained(f"imap.163.com: {FAILED}", protocol=SMTP).matches[0]
    assert (known.confidence, known.providers[0]) == (Confidence.HIGH, "163")
    assert "the 16-character authorization code" in known.remedy[0]
    assert explained("smtp.qq.com:465 535 wrong").matches[0].provider == INDEX.by_id("qq")


def test_a_host_and_port_in_the_text_are_told_again() -> None:
    (match,) = explained("cannot reach imap.example.com:993: Connection refused").matches
    assert match.message == "imap.example.com is there, but nothing listens on port 993."


ERRORS = {error.code: error.pattern for error in (*CLIENT_ERRORS, *VAGUE_ERRORS)}


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize("text", [*ERRORS.values(), "535", "538", "534 5.7.9", "454", "421", "-ERR no", "a1 NO no"])
def test_a_meaning_has_no_gaps_where_only_the_error_is_known(text: str, language: str) -> None:
    i18n.use(language)
    try:
        meanings = explain(lines(text.replace("*", " x ").encode()), INDEX, language).matches
    finally:
        i18n.use("en")
    assert meanings
    for meaning in meanings:
        for sentence in (meaning.message, *meaning.remedy):
            assert "…" not in sentence.replace(" …：", "：").replace(" …:", ":")  # there are more such providers
            assert "–" not in sentence
            assert not sentence.startswith("the ")
            assert "服务器 " not in sentence


def test_the_words_of_the_server_make_what_its_client_says_superfluous() -> None:
    assert codes("Login to server imap.example.com failed: NO [UNAVAILABLE] later") == ["auth.temporary"]
    assert codes("authentication failed; Connection refused") == ["tcp.refused", "auth.bad_credentials"]


def test_what_to_do_in_another_program_names_no_options_of_this_one() -> None:
    (match,) = explained("handshake operation timed out").matches
    assert not any("--timeout" in remedy for remedy in match.remedy)
    assert match.remedy[-1].startswith("`mailsetup probe ADDRESS --login`")


def test_words_with_several_meanings_come_last_unless_the_provider_is_known() -> None:
    unknown = explained(FAILED).matches
    assert [match.confidence for match in unknown] == [Confidence.HIGH, Confidence.LOW]
    assert unknown[0].source.startswith("RFC 4954")
    assert unknown[1].remedy[0].startswith("If the mailbox is at NetEase 163 Mail, ")
    known = explained(FAILED, "126").matches
    assert [match.confidence for match in known] == [Confidence.HIGH]
    assert known[0].remedy[0].startswith("Use the 16-character authorization code")


def test_words_of_another_provider_are_not_applied() -> None:
    sources = [match.source for match in explained("550 User has no permission", "gmail").matches]
    assert sources == []
    assert codes("550 User has no permission", "163") == ["auth.service_disabled"]


def test_the_general_advice_is_kept_where_the_provider_is_not_sure() -> None:
    likely, sure = explained("NO SELECT Unsafe Login").matches
    assert (likely.confidence, sure.confidence) == (Confidence.MEDIUM, Confidence.HIGH)
    assert likely.code == sure.code == "select.unsafe_login"
    assert len(explained("NO SELECT Unsafe Login", "163").matches) == 1


def test_known_words_make_the_standard_meaning_superfluous() -> None:
    assert "auth.bad_credentials" not in codes(LOGIN_FAIL)
    assert "auth.no_common_mechanism" not in codes("534-5.7.9 Application-specific password required")


@pytest.mark.parametrize(
    ("text", "code", "protocols"),
    [
        ("NO [UNAVAILABLE] later", "auth.temporary", (IMAP,)),
        ("-ERR [IN-USE] locked", "auth.temporary", (POP3,)),
        ("454 4.7.0", "auth.temporary", (SMTP,)),
        ("AUTHENTICATIONFAILED", "auth.bad_credentials", (IMAP,)),
        ("Connection timed out", "tcp.timeout", ()),
    ],
)
def test_standard_replies_and_errors_of_clients_are_explained(
    text: str, code: str, protocols: tuple[Protocol, ...]
) -> None:
    (match,) = explained(text).matches
    assert (match.code, match.protocols) == (code, protocols)
    assert match.remedy


def test_a_protocol_leaves_out_what_is_said_in_others() -> None:
    assert [match.providers for match in explained(LOGIN_FAIL, protocol=POP3).matches] == [()]  # the words of anybody
    assert explained("454 4.7.0", protocol=IMAP).matches == ()


def test_a_whole_traceback_is_understood() -> None:
    traceback = (
        "Traceback (most recent call last):\n"
        '  File "send.py", line 7, in <module>\n'
        "    server.login(user, password)\n"
        "smtplib.SMTPAuthenticationError: (535, b'Login Fail. Please enter your authorization code to login. "
        "More information in http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256')\n"
    )
    best = explained(traceback).matches[0]
    assert (best.code, best.providers) == ("auth.app_password", ("qq",))
    assert "Traceback" not in best.message  # the line that says it is enough
    assert "Login Fail" in best.message


def test_a_reply_of_several_lines_is_understood() -> None:
    pasted = "535-5.7.8 Username and Password not\n535 5.7.8 accepted"
    assert codes(pasted) == ["auth.bad_credentials"]
    pasted = "534-5.7.9 Application-specific password required. Learn more at\r\n534 5.7.9 https://x - gsmtp"
    assert codes(pasted)[0] == "auth.app_password"


def test_a_message_begins_with_a_capital_though_the_server_has_no_name() -> None:
    assert explained(LOGIN_FAIL).matches[0].message.startswith("The server wants an app password")


def test_a_secret_is_in_no_part_of_the_answer() -> None:
    explanation = explained(f"C: AUTH PLAIN AGxpQGV4YW1wbGUuY29tAHNlY3JldA==\nS: {LOGIN_FAIL}\npassword: hunter22\n")
    assert explanation.matches
    assert "AGxpQGV4" not in repr(explanation)
    assert "hunter22" not in repr(explanation)


@pytest.mark.parametrize("text", ["hello", "it does not work", "250 ok", "登录失败"])
def test_what_says_nothing_is_not_explained(text: str) -> None:
    assert explained(text).matches == ()


@given(st.binary(max_size=300), st.sampled_from([None, *Protocol]), st.sampled_from([None, "qq", "gmail"]))
def test_every_text_ends_in_an_answer(data: bytes, protocol: Protocol | None, provider: str | None) -> None:
    known = None if provider is None else INDEX.by_id(provider)
    explanation = explain(lines(data), INDEX, "zh", known, protocol)
    assert explanation.query.isprintable()
    for match in explanation.matches:
        assert match.message.isprintable()
        assert all(match.remedy)


@pytest.mark.parametrize("piece", ["login ", "[A ", "5.7.3 0", "535 error: ", "smtp.", "imap.a.b", "权码", "a", "NO "])
def test_the_longest_text_is_explained_in_time_that_grows_with_its_length(piece: str) -> None:
    def seconds(size: int) -> float:
        pasted = lines((piece * (size // len(piece.encode()))).encode())
        best = float("inf")
        for _ in range(2):
            began = time.process_time()
            explain(pasted, INDEX, "en")
            best = min(best, time.process_time() - began)
        return best

    explained("warm")
    # Sixteen times the length: quadratic time would be 256 times as long.
    assert seconds(MAX_BYTES) < 64 * max(seconds(MAX_BYTES // 16), 0.002)
