"""A probe that is refused says what the words of that server mean, at each stage and for each kind of server."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from account import Account, log_in
from fakes import provider as a_provider
from lab import Authority
from lab.fakes import Expect, Say, StartTLS, Step
from mailsetup import refusals
from mailsetup.diagnosis import about
from mailsetup.index import Index
from mailsetup.model import Confidence, ProbeResult, Protocol, Provider, Stage

QQ = "535 Login Fail. Please enter your authorization code to login"
FAILED = "535 Error: authentication failed"


def imap(*after_login: Step) -> list[Step]:
    """Accepts the login."""
    return [
        *(StartTLS(), Say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"), Expect(), Say(b"+ \r\n"), Expect()),
        *(Say(b"a1 OK in\r\n"), *after_login),
    ]


NOT_CONNECTED = (Expect(b"a2 EXAMINE INBOX"), Say(b"a2 BAD User is authenticated but not connected.\r\n"))
UNSAFE = (
    *(Expect(b'a2 ID ("name" "mailsetup")'), Say(b"a2 OK\r\n"), Expect(b"a3 EXAMINE INBOX")),
    Say(b"a3 NO EXAMINE Unsafe Login. Please contact kefu@188.com for help\r\n"),
)


def pop3(refusal: bytes) -> list[Step]:
    return [
        StartTLS(),
        Say(b"+OK hi\r\n"),
        Expect(),
        Say(b"+OK\r\nSASL PLAIN\r\n.\r\n"),
        Expect(),
        Say(refusal + b"\r\n"),
    ]


def smtp(refusal: bytes) -> list[Step]:
    return [
        StartTLS(),
        Say(b"220 hi ESMTP\r\n"),
        Expect(),
        Say(b"250-hi\r\n250 AUTH PLAIN\r\n"),
        Expect(),
        Say(refusal + b"\r\n"),
    ]


def greeting(refusal: bytes) -> list[Step]:
    return [StartTLS(), Say(refusal + b"\r\n")]


SENDING: list[Step] = [
    *(StartTLS(), Say(b"220 hi ESMTP\r\n"), Expect(), Say(b"250-hi\r\n250 AUTH PLAIN\r\n"), Expect()),
    *(Say(b"235 in\r\n"), Expect(), Say(b"250 ok\r\n"), Expect(), Say(b"554 DT:SPM 163 smtp8,X\r\n")),
]


def probed(
    script: Sequence[Step],
    authority: Authority,
    protocol: Protocol = Protocol.SMTP,
    *,
    known: Provider | None = None,
    password: str = "no secret",
) -> ProbeResult:
    """The verdict on a server that plays ``script``; ``known`` is the provider that a lookup has named."""

    account = Account(provider=known, password=password)
    (result,) = log_in(account, [(protocol, script)], authority, named=known is None)
    return result


def entry(provider_id: str) -> Provider:
    found = Index.load().by_id(provider_id)
    assert found is not None
    return found


def remedies(result: ProbeResult, provider: Provider | None, language: str = "en") -> tuple[str, ...]:
    diagnosis = about(result, provider, language)
    assert diagnosis is not None
    return diagnosis.remedy


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_remedy_is_that_of_the_words_and_then_the_provider_s_notes(authority: Authority, language: str) -> None:
    qq = entry("qq")
    result = probed(smtp(QQ.encode()), authority, known=qq)
    assert (result.code, result.stage, result.retryable) == ("auth.app_password", Stage.LOGIN, False)
    assert result.refusal is not None
    assert result.refusal.confidence is Confidence.HIGH
    notes = tuple(note.text(language) for note in qq.notes if note.code in qq.needs)
    assert remedies(result, qq, language) == (result.refusal.remedy(language), *notes)
    assert remedies(result, qq, "en")[0].startswith("Do not type the QQ password")


def test_bytes_in_gbk_are_known_words(authority: Authority) -> None:
    result = probed(smtp("535 Error: 请使用授权码登录。".encode("gb18030")), authority, known=entry("qq"))
    assert result.code == "auth.app_password"
    assert result.facts["reply"] == "535 Error: 请使用授权码登录。"


def test_words_that_many_use_mean_what_they_mean_at_the_provider(authority: Authority) -> None:
    netease, google = entry("163"), entry("gmail")
    result = probed(smtp(FAILED.encode()), authority, known=netease)
    assert result.code == "auth.bad_credentials"
    assert remedies(result, netease)[0].startswith("Use the 16-character authorization code")
    result = probed(smtp(FAILED.encode()), authority, known=google)
    assert (result.code, result.refusal) == ("auth.bad_credentials", None)


def test_words_of_one_provider_are_not_applied_at_another(authority: Authority) -> None:
    result = probed(smtp(b"550 User has no permission"), authority, known=entry("gmail"))
    assert (result.code, result.refusal) == ("auth.bad_credentials", None)


@pytest.mark.produces("auth.service_disabled")
def test_where_nobody_knows_the_provider_the_remedy_has_a_condition(authority: Authority) -> None:
    result = probed(smtp(b"550 User has no permission"), authority)
    assert result.code == "auth.service_disabled"
    first, *general = remedies(result, None)
    assert first.startswith("If the mailbox is at NetEase 163 Mail, ")
    assert general == ["Log in to the web mail and switch on IMAP/POP3/SMTP in its settings."]


def test_words_that_many_use_say_nothing_where_nobody_knows_the_provider(authority: Authority) -> None:
    assert probed(smtp(FAILED.encode()), authority).refusal is None


@pytest.mark.produces
@pytest.mark.parametrize(
    ("protocol", "script", "provider", "stage", "code"),
    [
        (Protocol.IMAP, imap(*UNSAFE), "163", Stage.MAILBOX, "select.unsafe_login"),
        (Protocol.IMAP, imap(*NOT_CONNECTED), "outlook", Stage.MAILBOX, "select.refused"),
        (Protocol.POP3, pop3(b"-ERR Command Error. 10"), "yahoo", Stage.LOGIN, "auth.app_password"),
        (Protocol.SMTP, SENDING, "163", Stage.SEND, "send.content_rejected"),
        (Protocol.SMTP, greeting(b"421 HL:REP 163 smtp8"), "163", Stage.GREETING, "greeting.rejected"),
        (Protocol.SMTP, greeting(b"421 HL:ICC 163 smtp8"), "163", Stage.GREETING, "auth.rate_limited"),
    ],
)
def test_words_are_known_at_every_stage(
    authority: Authority, protocol: Protocol, script: list[Step], provider: str, stage: Stage, code: str
) -> None:
    known = entry(provider)
    result = probed(script, authority, protocol, known=known)
    assert (result.stage, result.code) == (stage, code)
    assert result.refusal is not None
    assert remedies(result, known)[0] == result.refusal.en


@pytest.mark.produces("auth.temporary")
def test_a_refusal_that_passes_may_be_tried_again(authority: Authority) -> None:
    result = probed(smtp(b"535 ERR.LOGIN.SYSTEMBUSY"), authority, known=entry("netease-qiye"))
    assert (result.code, result.retryable) == ("auth.temporary", True)
    assert remedies(result, entry("netease-qiye")) == (result.refusal.en if result.refusal else "",)


def test_what_a_server_says_about_other_things_is_not_looked_up(authority: Authority) -> None:
    result = probed(greeting(b"what? authorization code"), authority)
    assert (result.code, result.refusal) == ("greeting.wrong_protocol", None)


def test_the_words_are_known_though_the_password_is_one_of_them(authority: Authority) -> None:
    result = probed(smtp(QQ.encode()), authority, known=entry("qq"), password="authorization")
    assert result.code == "auth.app_password"
    assert "authorization" not in result.facts["reply"]


def test_a_named_server_is_known_by_its_host() -> None:
    assert refusals.owners("smtp.163.com") == {"163"}
    assert a_provider().id not in refusals.owners("smtp.163.com")
