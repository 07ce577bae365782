"""When it is the network that answers: signs of a captive portal, and what clears it."""

from __future__ import annotations

import pytest

from fakes import IMAP, SMTP, endpoint, provider, report
from mailsetup import portal
from mailsetup.model import Service, SourceReport, Status

DOMAIN = "https://autoconfig.example.com/mail/config-v1.1.xml"
SAME_SITE = "https://example.com/.well-known/autoconfig/mail/config-v1.1.xml"
ISPDB = "https://autoconfig.thunderbird.net/v1.1/example.com"


def line(locator: str, code: str | None, detail: str = "", status: Status = Status.FAILED) -> SourceReport:
    return SourceReport("ispdb" if locator == ISPDB else "autoconfig", locator, status, code=code, detail=detail)


def certificate(locator: str, reason: str = "tls.cert.hostname") -> SourceReport:
    return line(locator, "http.certificate", reason)


def page(locator: str) -> SourceReport:
    return line(locator, "discover.not_autoconfig", status=Status.NOTHING)


def recognised(*reports: SourceReport) -> bool:
    return not portal.has_genuine_answer(reports) and portal.is_recognised(reports)


@pytest.mark.parametrize(
    "reason", ["tls.cert.hostname", "tls.cert.self_signed", "tls.cert.untrusted_issuer", "tls.cert.incomplete_chain"]
)
def test_certificates_of_others_at_unrelated_sites_are_a_portal(reason: str) -> None:
    assert recognised(certificate(DOMAIN, reason), certificate(ISPDB, reason))
    assert recognised(certificate(DOMAIN, reason), certificate(ISPDB, f"{reason}, https://login.example/"))


def test_web_pages_or_plain_text_in_place_of_files_at_unrelated_sites_are_a_portal() -> None:
    assert recognised(page(DOMAIN), page(ISPDB))
    assert recognised(line(DOMAIN, "tls.http_on_tls_port"), line(ISPDB, "tls.plaintext_on_tls_port"))
    assert recognised(page(DOMAIN), certificate(ISPDB))


def test_one_site_with_a_broken_web_server_is_no_portal() -> None:
    assert not recognised(certificate(DOMAIN), certificate(SAME_SITE), page(DOMAIN))
    assert not recognised(certificate(DOMAIN))
    assert not recognised(certificate(ISPDB))
    assert not recognised()


def test_sites_that_have_a_page_for_whatever_is_asked_are_no_portal() -> None:
    assert not recognised(page(DOMAIN), page("https://hoster.net/.well-known/x"), certificate("https://a.hoster.org/x"))


@pytest.mark.parametrize("reason", ["tls.cert.expired", "tls.cert.not_yet_valid", "tls.cert.weak_key"])
def test_a_certificate_that_is_out_of_date_everywhere_is_a_wrong_clock_and_no_portal(reason: str) -> None:
    assert not recognised(certificate(DOMAIN, reason), certificate(ISPDB, reason))


@pytest.mark.parametrize(
    "code", ["dns.timeout", "tcp.refused", "tcp.timeout", "http.timeout", "tls.eof", "dns.nxdomain"]
)
def test_silence_is_no_portal(code: str) -> None:
    assert not recognised(line(DOMAIN, code), line(ISPDB, code))
    assert recognised(line(SAME_SITE, code), certificate(DOMAIN), certificate(ISPDB))


@pytest.mark.parametrize(
    "genuine",
    [
        line(ISPDB, "http.status", "404", Status.NOTHING),
        line(ISPDB, "discover.domain_mismatch", status=Status.NOTHING),
        line(ISPDB, "xml.syntax"),
        line(ISPDB, "pacc.digest_mismatch"),
        line(ISPDB, None, status=Status.FOUND),
    ],
    ids=lambda report: str(report.code),
)
def test_one_genuine_answer_clears_the_network(genuine: SourceReport) -> None:
    others = (certificate(DOMAIN), certificate(ISPDB), page("https://hoster.org/x"))
    assert recognised(*others)
    assert not recognised(*others, genuine)


def test_what_was_not_asked_over_https_says_nothing() -> None:
    assert not recognised(page("example.com"), page("http://hoster.net/"), certificate("_imaps._tcp.example.org"))
    assert not portal.has_genuine_answer([report("srv", endpoint())])


def test_behind_a_portal_nothing_counts() -> None:
    found = report("srv", endpoint(IMAP), endpoint(SMTP, "smtp.example.com", 465))._replace(
        provider=provider(), services=(Service("jmap", "https://a.example.com/"),)
    )
    skipped = SourceReport("guess", "example.com", Status.SKIPPED, detail="--no-verify")
    first, second, third = portal.disbelieved([found, page(DOMAIN), skipped])
    for line_ in (first, second):
        assert (line_.status, line_.candidates, line_.provider, line_.services) == (Status.FAILED, (), None, ())
        assert [notice.code for notice in line_.notices] == ["captive-portal"]
    assert third == skipped


def test_a_certificate_of_another_name_is_told_from_other_trouble() -> None:
    assert portal.is_of_another_name(certificate(DOMAIN))
    assert not portal.is_of_another_name(certificate(DOMAIN, "tls.cert.expired"))
