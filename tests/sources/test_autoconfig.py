"""The domain's own file: what is asked, what leaves this machine, and what an answer means."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from fakes import Answer, FakeNet, config, run, target
from mailsetup.errors import ConnectFailed, FetchFailed, LookupFailed, NetworkError
from mailsetup.model import Confidence, SourceReport, Status
from mailsetup.sources import Page, autoconfig, http_autoconfig

URL = "https://autoconfig.example.com/mail/config-v1.1.xml"
HTTP_URL = "http://autoconfig.example.com/mail/config-v1.1.xml"


def status(code: int) -> NetworkError:
    return FetchFailed("http.status", url=URL, status=str(code))


def discover(
    pages: dict[str, Answer], query: str = "fred@example.com", *, send_address: bool = False
) -> tuple[SourceReport, list[str]]:
    net = FakeNet(pages=pages)
    (report,), _seconds = run(autoconfig.discover(target(query, send_address=send_address), net))
    return report, [question.removeprefix("GET ") for question in net.asked]


def asked_address(url: str) -> str:
    (address,) = parse_qs(urlsplit(url).query)["emailaddress"]
    return address


def for_the_person(username: Callable[[str], str]) -> Callable[[str], bytes]:
    """A server that makes its file for the address in the URL."""
    return lambda url: config(username=username(asked_address(url)))


def test_the_bare_url_is_asked_once_and_its_settings_are_trusted() -> None:
    report, urls = discover({URL: config()})
    assert urls == [URL]
    assert (report.source, report.locator, report.status, report.code) == ("autoconfig", URL, Status.FOUND, None)
    assert [(c.endpoint.host, c.endpoint.username_form) for c in report.candidates] == [
        ("imap.example.com", "address"),
        ("smtp.example.com", "address"),
    ]
    for candidate in report.candidates:
        assert candidate.trusted
        assert candidate.confidence is Confidence.HIGH
        assert (candidate.evidence[0].locator, candidate.evidence[0].detail) == (URL, "Example Mail")


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (status(403), Status.NOTHING, "http.status"),
        (status(410), Status.NOTHING, "http.status"),
        (status(429), Status.FAILED, "http.status"),
        (status(500), Status.FAILED, "http.status"),
        (status(503), Status.FAILED, "http.status"),
        (LookupFailed("dns.nxdomain", name="autoconfig.example.com"), Status.NOTHING, "dns.nxdomain"),
        (LookupFailed("dns.servfail", name="autoconfig.example.com"), Status.FAILED, "dns.servfail"),
        (ConnectFailed("tcp.refused", port="443"), Status.NOTHING, "tcp.refused"),
        (ConnectFailed("tcp.timeout", port="443"), Status.FAILED, "tcp.timeout"),
        (ConnectFailed("tls.eof"), Status.FAILED, "tls.eof"),
        (FetchFailed("http.timeout", url=URL), Status.FAILED, "http.timeout"),
        (FetchFailed("http.certificate", url=URL, reason="tls.cert.expired"), Status.FAILED, "http.certificate"),
        (b"<!doctype html><title>Welcome</title>", Status.NOTHING, "discover.not_autoconfig"),
        (b"", Status.NOTHING, "discover.not_autoconfig"),
        (b'<clientConfig version="1.1"/>', Status.NOTHING, "discover.empty"),
        (b"<clientConfig><emailProvider>", Status.FAILED, "xml.syntax"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><clientConfig/>", Status.FAILED, "xml.dtd"),
        (config().replace(b"imap.", b"10.0.0.1/").replace(b"smtp.", b"@"), Status.NOTHING, "discover.invalid_values"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_an_answer_without_settings_means(answer: Answer, outcome: Status, code: str) -> None:
    report, urls = discover({URL: answer})
    assert (report.status, report.code, report.candidates) == (outcome, code, ())
    assert urls == [URL]


@pytest.mark.parametrize("code", [400, 404, 422])
def test_a_server_that_insists_on_an_address_is_asked_with_two_strangers(code: int) -> None:
    report, urls = discover({URL: status(code), URL + "?": for_the_person(lambda address: address)})
    assert urls[0] == URL
    strangers = [asked_address(url) for url in urls[1:]]
    assert len(set(strangers)) == len(strangers) == 2
    assert all(stranger.endswith("@example.com") for stranger in strangers)
    assert report.status is Status.FOUND
    assert {c.endpoint.username_form for c in report.candidates} == {"address"}
    assert "fred" not in " ".join(urls)


def test_a_stranger_s_name_in_the_answer_is_turned_back_into_a_placeholder() -> None:
    report, _urls = discover({URL: status(404), URL + "?": for_the_person(lambda address: address.partition("@")[0])})
    assert {c.endpoint.username_form for c in report.candidates} == {"local-part"}
    report, _urls = discover({URL: status(404), URL + "?": config(username="%EMAILADDRESS%")})
    assert {c.endpoint.username_form for c in report.candidates} == {"address"}
    report, _urls = discover({URL: status(404), URL + "?": config(username="shared")})
    assert {c.endpoint.username_form for c in report.candidates} == {"shared"}


def test_strangers_do_not_show_in_the_ledger() -> None:
    report, _urls = discover({URL: status(404), URL + "?": for_the_person(lambda address: address)})
    assert report.detail == "Example Mail"
    assert {c.evidence[0].locator for c in report.candidates} == {URL}


def test_an_answer_that_depends_on_the_person_proves_nothing() -> None:
    report, urls = discover({URL: status(404), URL + "?": for_the_person(lambda address: "x-" + address)})
    assert len(urls) == 3
    assert (report.status, report.code, report.candidates) == (Status.NOTHING, "http.status", ())
    assert report.detail == "404"


@pytest.mark.parametrize("code", [400, 404, 403, 410])
def test_strangers_that_are_refused_too_add_nothing_to_the_first_refusal(code: int) -> None:
    def refuse(url: str) -> NetworkError:
        return FetchFailed("http.status", url=url, status=str(code))

    report, urls = discover({URL: status(404), URL + "?": refuse})
    assert len(urls) == 3
    assert (report.status, report.code, report.detail) == (Status.NOTHING, "http.status", "404")


def test_strangers_that_could_not_be_asked_are_a_failure() -> None:
    report, _urls = discover({URL: status(404), URL + "?": FetchFailed("http.status", url=URL, status="503")})
    assert (report.status, report.code) == (Status.FAILED, "http.status")
    assert report.detail == "503"


def test_a_page_instead_of_a_file_for_strangers_is_nothing() -> None:
    report, _urls = discover({URL: status(404), URL + "?": b"<html><body>who?</body></html>"})
    assert (report.status, report.code) == (Status.NOTHING, "discover.not_autoconfig")


@pytest.mark.parametrize("code", [401, 403, 405, 429, 500])
def test_any_other_refusal_is_final(code: int) -> None:
    _report, urls = discover({URL: status(code), URL + "?": config()})
    assert urls == [URL]


def test_the_real_address_is_sent_only_when_the_user_says_so() -> None:
    report, urls = discover({URL + "?": for_the_person(lambda address: address)}, send_address=True)
    assert urls == [URL + "?emailaddress=fred@example.com"]
    assert {c.endpoint.username_form for c in report.candidates} == {"address"}
    report, _urls = discover({URL + "?": config(username="fred")}, send_address=True)
    assert {c.endpoint.username_form for c in report.candidates} == {"local-part"}


def test_the_address_in_the_url_is_escaped() -> None:
    _report, urls = discover({URL + "?": config()}, "f+r&e#d/@example.com", send_address=True)
    assert urls == [URL + "?emailaddress=f%2Br%26e%23d%2F@example.com"]
    assert asked_address(urls[0]) == "f+r&e#d/@example.com"


def test_a_bare_domain_has_no_address_to_send() -> None:
    report, urls = discover({URL: config()}, "example.com", send_address=True)
    assert urls == [URL]
    assert report.status is Status.FOUND


@pytest.mark.parametrize("pages", [{URL: config()}, {URL: status(404)}, {URL: status(404), URL + "?": config()}, {}])
def test_the_local_part_is_in_no_url(pages: dict[str, Answer]) -> None:
    _report, urls = discover(pages, "jörg.fred+x@example.com")
    assert urls
    assert not any(word in url for url in urls for word in ("fred", "j%C3%B6rg", "jörg"))


def test_redirects_are_shown_as_a_chain() -> None:
    chain = (URL, "https://www.example.com/c.xml", "https://hoster.example.net/c.xml")
    report, _urls = discover({URL: Page(chain[-1], chain, config())})
    assert report.status is Status.FOUND
    assert report.detail == " -> ".join(chain)
    assert {c.evidence[0].detail for c in report.candidates} == {" -> ".join(chain)}
    assert all(c.trusted for c in report.candidates)


def test_a_file_made_for_other_domains_counts_and_the_ledger_says_so() -> None:
    report, _urls = discover({URL: config(domain="hoster.example.net")})
    assert (report.status, report.code) == (Status.FOUND, "discover.domain_mismatch")
    assert len(report.candidates) == 2


def test_a_server_section_that_cannot_be_used_costs_only_itself() -> None:
    report, _urls = discover({URL: config().replace(b"<port>993", b"<port>0")})
    assert [c.endpoint.protocol for c in report.candidates] == ["smtp"]
    assert report.detail == "Example Mail; imap port: 0"
    report, _urls = discover({URL: config(display_name="").replace(b"<port>993", b"<port>0")})
    assert report.detail == "imap port: 0"


def test_plain_http_is_never_trusted_and_never_told_the_address() -> None:
    net = FakeNet(pages={HTTP_URL: config()})
    (report,), _seconds = run(http_autoconfig.discover(target(send_address=True, allow_http=True), net))
    assert net.asked == [f"GET {HTTP_URL}"]
    assert (report.source, report.status) == ("http-autoconfig", Status.FOUND)
    assert not any(c.trusted for c in report.candidates)
    assert {c.confidence for c in report.candidates} == {Confidence.LOW}


def test_plain_http_is_asked_only_with_leave() -> None:
    net = FakeNet(pages={HTTP_URL: config()})
    assert run(http_autoconfig.discover(target(), net))[0] == []
    assert net.asked == []


def test_a_redirect_from_http_to_https_does_not_make_it_trusted() -> None:
    net = FakeNet(pages={HTTP_URL: Page(URL, (HTTP_URL, URL), config())})
    (report,), _seconds = run(http_autoconfig.discover(target(allow_http=True), net))
    assert not any(c.trusted for c in report.candidates)
