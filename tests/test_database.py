from __future__ import annotations

import pytest

from fakes import SMTP, endpoint, evidence, index, provider
from mailsetup import database
from mailsetup.model import Confidence, Conflict, Origin, ProviderStatus, RatedEndpoint, Security, Status


def test_an_unknown_domain_is_nothing_and_not_a_failure() -> None:
    report = database.discover("example.net", index(provider()))
    assert (report.status, report.candidates, report.provider) == (Status.NOTHING, (), None)
    assert (report.source, report.locator) == ("providers", "example.net")


def test_a_known_domain_gives_the_provider_and_its_settings() -> None:
    report = database.discover("example.com", index(provider()))
    assert (report.status, report.locator) == (Status.FOUND, "example")
    assert report.provider == provider()
    assert [c.endpoint for c in report.candidates] == [e.endpoint for e in provider().endpoints]
    assert all(c.trusted and c.confidence is Confidence.HIGH for c in report.candidates)
    assert report.detail == "official-page; checked 2026-01-02"


def test_a_subdomain_is_another_domain_unless_the_entry_says_otherwise() -> None:
    assert database.discover("mail.example.com", index(provider())).provider is None
    wildcard = provider(domains=("*.example.com",))
    assert database.discover("mail.example.com", index(wildcard)).provider == wildcard
    assert database.discover("notexample.com", index(wildcard)).provider is None


@pytest.mark.parametrize("status", [ProviderStatus.DISCONTINUED, ProviderStatus.NO_CLIENT_ACCESS])
def test_a_provider_that_clients_cannot_use_is_found_but_has_no_settings(status: ProviderStatus) -> None:
    report = database.discover("example.com", index(provider(status=status)))
    assert report.status is Status.FOUND
    assert report.provider is not None
    assert report.candidates == ()


@pytest.mark.parametrize(
    ("own", "at_most", "expected"),
    [
        (Confidence.HIGH, Confidence.HIGH, Confidence.HIGH),
        (Confidence.HIGH, Confidence.MEDIUM, Confidence.MEDIUM),
        (Confidence.MEDIUM, Confidence.HIGH, Confidence.MEDIUM),
        (Confidence.LOW, Confidence.MEDIUM, Confidence.LOW),
        (Confidence.MEDIUM, Confidence.LOW, Confidence.LOW),
    ],
)
def test_settings_are_as_sure_as_the_entry_and_the_road_to_it(
    own: Confidence, at_most: Confidence, expected: Confidence
) -> None:
    entry = provider()
    entry = entry._replace(endpoints=tuple(RatedEndpoint(e.endpoint, own) for e in entry.endpoints))
    assert {c.confidence for c in database.candidates(entry, evidence("mx"), "example.com", at_most=at_most)} == {
        expected
    }


def test_support_names_every_kind_once_and_the_newest_date() -> None:
    origins = (
        Origin("quoted", "a", (), "2025-01-01"),
        Origin("live-checked", "b", (), "2026-11-21"),
        Origin("quoted", "c", (), ""),
    )
    assert database.support(provider()._replace(origins=origins)) == "quoted, live-checked; checked 2026-11-21"
    assert database.support(provider()._replace(origins=origins[2:])) == "quoted"
    assert database.support(provider()._replace(origins=())) == ""


def test_a_reported_domain_is_never_surer_than_low_however_sound_the_servers() -> None:
    entry = provider(domains=("example.com",))._replace(reported_domains=("example.net", "*.example.com"))
    assert {c.confidence for c in database.discover("example.com", index(entry)).candidates} == {Confidence.HIGH}
    for domain in ("example.net", "a.example.com"):
        reported = database.discover(domain, index(entry))
        assert reported.provider == entry
        assert {c.confidence for c in reported.candidates} == {Confidence.LOW}


def test_a_domain_that_one_list_names_is_never_surer_than_medium_however_sound_the_servers() -> None:
    domains = ("example.com", "example.net", "*.example.org")
    entry = provider(domains=domains)._replace(listed_domains=domains[1:])
    for domain, confidence in (("example.com", "high"), ("example.net", "medium"), ("a.example.org", "medium")):
        assert {c.confidence for c in database.discover(domain, index(entry)).candidates} == {confidence}


def test_hosts_are_named_after_the_domain_or_the_exchanger_where_the_entry_says_so() -> None:
    entry = provider(endpoints=(endpoint(host="mail.%EMAILDOMAIN%"), endpoint(SMTP, "%MX%", 465)))
    named = database.candidates(entry, evidence("mx"), "example.net", "w1.example.com")
    assert [c.endpoint.host for c in named] == ["mail.example.net", "w1.example.com"]
    without = database.candidates(entry, evidence("providers"), "example.net")
    assert [c.endpoint.host for c in without] == ["mail.example.net"]


def test_support_tells_who_was_outvoted_and_by_which_rule() -> None:
    rival = Conflict(SMTP, "smtp.old.example", 587, Security.STARTTLS, ("K-9", "a list"), "successor")
    words = database.support(provider()._replace(conflicts=(rival,)))
    assert words.endswith("; outvoted: SMTP smtp.old.example:587 starttls by K-9, a list (successor)")
