"""What counts as an answer ("there is none") and what as trouble on the way to one."""

from __future__ import annotations

import pytest

from fakes import candidate, provider, run
from mailsetup.errors import ConnectFailed, FetchFailed, InvalidConfig, LookupFailed, MailsetupError, NetworkError
from mailsetup.model import Notice, Status
from mailsetup.sources import Found, ask, means_nothing

NOTHING = [
    LookupFailed("dns.nxdomain", name="autoconfig.example.com"),
    LookupFailed("dns.no_address", name="autoconfig.example.com"),
    LookupFailed("dns.bad_name", name="autodiscover.example.com"),
    ConnectFailed("tcp.refused", port="443"),
    *(FetchFailed("http.status", status=str(status)) for status in (400, 401, 403, 404, 405, 406, 410, 418, 422, 451)),
    InvalidConfig("discover.not_autoconfig"),
    InvalidConfig("discover.empty"),
    InvalidConfig("discover.invalid_values"),
    InvalidConfig("discover.domain_mismatch"),
]
FAILED = [
    *(LookupFailed(f"dns.{kind}") for kind in ("servfail", "timeout", "refused", "malformed", "truncated")),
    *(LookupFailed(f"dns.{kind}") for kind in ("cname_loop", "unreachable", "private_address")),
    *(ConnectFailed(f"tcp.{kind}") for kind in ("timeout", "reset", "unreachable")),
    *(ConnectFailed(f"tls.{kind}") for kind in ("eof", "timeout", "handshake_alert", "version_too_old")),
    ConnectFailed("tls.cert.expired"),
    *(FetchFailed("http.status", status=str(status)) for status in (204, 302, 500, 502, 503, 504, 599)),
    *(FetchFailed("http.status", status=str(status)) for status in (408, 421, 425, 429)),
    FetchFailed("http.status"),
    *(FetchFailed(f"http.{kind}") for kind in ("timeout", "too_large", "incomplete", "certificate", "downgrade")),
    *(FetchFailed(f"http.{kind}") for kind in ("redirect_loop", "too_many_redirects", "private_address", "bad_scheme")),
    *(InvalidConfig(f"xml.{kind}") for kind in ("syntax", "dtd", "depth", "encoding")),
    MailsetupError("pacc.digest_mismatch"),
]


@pytest.mark.parametrize("error", NOTHING, ids=str)
def test_an_answer_that_there_is_none_means_nothing(error: MailsetupError) -> None:
    assert means_nothing(error)


@pytest.mark.parametrize("error", FAILED, ids=str)
def test_everything_else_means_that_it_could_not_be_asked(error: MailsetupError) -> None:
    assert not means_nothing(error)


@pytest.mark.parametrize(
    "error", [e for e in NOTHING + FAILED if isinstance(e, (NetworkError, InvalidConfig))], ids=str
)
def test_expected_trouble_becomes_a_line_of_the_ledger(error: MailsetupError) -> None:
    async def question() -> Found:
        raise error

    report, _seconds = run(ask("autoconfig", "https://autoconfig.example.com/", question))
    assert report.status is (Status.NOTHING if means_nothing(error) else Status.FAILED)
    assert report.code == error.code
    assert (report.source, report.locator, report.candidates) == ("autoconfig", "https://autoconfig.example.com/", ())


def test_the_detail_does_not_repeat_what_was_asked() -> None:
    async def question() -> Found:
        raise FetchFailed("http.status", url="https://d/x", status="503")

    report, _seconds = run(ask("autoconfig", "https://d/x", question))
    assert report.detail == "503"

    report, _seconds = run(ask("autoconfig", "https://mail503.com/x", question))
    assert report.detail == "503, https://d/x"

    async def redirected() -> Found:
        raise FetchFailed("http.status", url="https://e/y", status="503")

    report, _seconds = run(ask("autoconfig", "https://d/x", redirected))
    assert report.detail == "503, https://e/y"


@pytest.mark.parametrize(
    ("failure", "detail"),
    [
        (InvalidConfig("xml.syntax", line="5", column="13"), "column 13, line 5"),
        (
            InvalidConfig("discover.domain_mismatch", domain="asked.example", covers="a.example, b.example"),
            "a.example, b.example",
        ),
    ],
    ids=str,
)
def test_the_detail_can_be_understood_without_the_names_of_the_facts(failure: InvalidConfig, detail: str) -> None:
    async def question() -> Found:
        raise failure

    report, _seconds = run(ask("mx-autoconfig", "https://d/x", question))
    assert report.detail == detail


@pytest.mark.parametrize("bug", [ValueError("x"), KeyError("x"), MailsetupError("data.index_missing")], ids=repr)
def test_any_other_exception_is_a_bug_and_propagates(bug: Exception) -> None:
    async def question() -> Found:
        raise bug

    with pytest.raises(type(bug)):
        run(ask("autoconfig", "x", question))


def test_candidates_or_a_provider_are_something_found() -> None:
    async def nothing() -> Found:
        return Found(detail="looked", code="dns.null_mx", notices=(Notice("null-mx"),))

    async def settings() -> Found:
        return Found((candidate(),))

    async def closed_provider() -> Found:
        return Found(provider=provider())

    report, _seconds = run(ask("mx", "x", nothing))
    assert (report.status, report.code, report.detail) == (Status.NOTHING, "dns.null_mx", "looked")
    assert report.notices == (Notice("null-mx"),)
    report, _seconds = run(ask("mx", "x", settings))
    assert (report.status, report.candidates) == (Status.FOUND, (candidate(),))
    report, _seconds = run(ask("mx", "x", closed_provider))
    assert (report.status, report.provider) == (Status.FOUND, provider())
    assert report.elapsed_ms >= 0
