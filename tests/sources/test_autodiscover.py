from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import pytest

from fakes import FakeNet, run, target
from mailsetup.errors import ConnectFailed, FetchFailed, LookupFailed, NetworkError
from mailsetup.model import Confidence, SourceReport, Status
from mailsetup.sources import Page, SRVRecord, autodiscover
from test_pox import ANSWER

DOMAIN = "https://example.com/autodiscover/autodiscover.xml"
HOST = "https://autodiscover.example.com/autodiscover/autodiscover.xml"
SRV = "_autodiscover._tcp.example.com"
HOSTER = "https://autodiscover.hoster.net/autodiscover/autodiscover.xml"
PLAIN = "http://autodiscover.example.com/autodiscover/autodiscover.xml"
STRANGE = FetchFailed("http.certificate", url=HOST, reason="tls.cert.hostname")
Answer = bytes | Page | NetworkError | Callable[[bytes], bytes | NetworkError]


def asked_about(body: bytes) -> str:
    (address,) = re.findall(rb"<EMailAddress>(.*)</EMailAddress>", body)
    return str(address.decode())


def answer(login: Callable[[str], str] = lambda address: address) -> Callable[[bytes], bytes]:
    """A server that fills in the login name."""
    return lambda body: ANSWER.replace("fred@example.com", login(asked_about(body))).encode()


def referral(action: str, value: str) -> bytes:
    element = action[0].upper() + action[1:]
    settings = f"<Action>{action}</Action><{element}>{value}</{element}>"
    return f"<Autodiscover><Response><Account>{settings}</Account></Response></Autodiscover>".encode()


def discover(
    posts: Mapping[str, Answer],
    *,
    srv: Sequence[SRVRecord] | NetworkError = (),
    redirect: str | NetworkError | None = None,
    query: str = "winifred@example.com",
    send_address: bool = False,
) -> tuple[dict[str, SourceReport], FakeNet]:
    """The reports by locator; plain http is allowed where it is said what it answers."""
    allowed = redirect is not None
    net = FakeNet(posts=posts, srv={SRV: srv}, redirects={PLAIN: redirect} if redirect is not None else {})
    asked = target(query, send_address=send_address, allow_http=allowed)
    reports, _seconds = run(autodiscover.discover(asked, net))
    return {report.locator: report for report in reports}, net


def told(net: FakeNet) -> list[str]:
    return [asked_about(body) for body in net.posted]


def status(code: int) -> NetworkError:
    return FetchFailed("http.status", url=HOST, status=str(code))


def test_the_domain_its_host_and_its_srv_record_are_asked() -> None:
    reports, net = discover({})
    assert sorted(net.asked) == [f"POST {HOST}", f"POST {DOMAIN}", f"SRV {SRV}"]
    assert list(reports) == [DOMAIN, HOST, SRV]
    assert {report.status for report in reports.values()} == {Status.NOTHING}


@pytest.mark.parametrize("url", [DOMAIN, HOST])
def test_what_the_domain_s_own_server_says_is_trusted_but_the_format_leaves_doubts(url: str) -> None:
    report = discover({url: answer()})[0][url]
    assert report.status is Status.FOUND
    assert [(c.endpoint.host, c.endpoint.port) for c in report.candidates] == [
        ("imap.example.com", 993),
        ("smtp.example.com", 587),
    ]
    assert {(c.trusted, c.confidence) for c in report.candidates} == {(True, Confidence.MEDIUM)}


def test_two_strangers_are_asked_about_and_their_names_turned_back_into_forms() -> None:
    reports, net = discover({HOST: answer()})
    assert len(net.posted) == len(set(told(net))) == 3  # one for the domain, which does not answer
    assert all(re.fullmatch(r"u[0-9a-f]{16}@example\.com", address) for address in told(net))
    assert reports[HOST].candidates[0].endpoint.username_form == "address"
    local = discover({HOST: answer(lambda address: address.partition("@")[0])})[0][HOST]
    assert local.candidates[0].endpoint.username_form == "local-part"


def test_an_answer_that_depends_on_the_person_proves_nothing() -> None:
    report = discover({HOST: answer(lambda address: "x-" + address)})[0][HOST]
    assert (report.status, report.code, report.candidates) == (Status.NOTHING, "discover.invalid_values", ())


def test_one_refusal_is_enough() -> None:
    _reports, net = discover({HOST: status(404), DOMAIN: status(404)})
    assert len(net.posted) == 2


@pytest.mark.parametrize("send_address", [False, True])
def test_the_real_address_is_told_to_the_domain_s_own_hosts_and_only_if_the_user_says_so(send_address: bool) -> None:
    srv = [SRVRecord(0, 0, 443, "autodiscover.hoster.net")]
    reports, net = discover({HOST: answer(), HOSTER: answer()}, srv=srv, send_address=send_address)
    assert reports[HOST].status is reports[SRV].status is Status.FOUND
    by_url = list(zip([url for url in net.asked if url.startswith("POST")], told(net), strict=True))
    named = {url for url, address in by_url if "winifred" in address}
    assert named == ({f"POST {HOST}", f"POST {DOMAIN}"} if send_address else set())
    assert reports[HOST].candidates[0].endpoint.username_form == "address"


def test_a_bare_domain_has_no_address_to_tell() -> None:
    reports, net = discover({HOST: answer()}, query="example.com", send_address=True)
    assert reports[HOST].status is Status.FOUND
    assert all(address.startswith("u") for address in told(net))


def test_a_redirect_to_another_owner_takes_only_a_stranger_along() -> None:
    class Redirecting(FakeNet):
        async def post(self, url: str, body: Callable[[str], bytes]) -> Page:
            if url != HOST:
                return await super().post(url, body)
            body("autodiscover.example.com")
            page = await super().post(HOSTER, body)
            return page._replace(chain=(HOST, HOSTER))

    net = Redirecting(posts={HOSTER: answer()})
    reports, _seconds = run(autodiscover.discover(target("winifred@example.com", send_address=True), net))
    report = next(report for report in reports if report.locator == HOST)
    assert report.status is Status.FOUND
    assert report.detail == f"{HOST} -> {HOSTER}"
    assert report.candidates[0].endpoint.username_form == "address"
    assert net.asked.count(f"POST {HOSTER}") == 2
    assert len([body for body in net.posted if b"winifred" in body]) == 1  # to the domain itself


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (status(401), Status.NOTHING),
        (status(403), Status.NOTHING),
        (status(405), Status.NOTHING),
        (status(429), Status.FAILED),
        (status(500), Status.FAILED),
        (FetchFailed("http.timeout", url=HOST), Status.FAILED),
        (FetchFailed("http.downgrade", url="http://x"), Status.FAILED),
        (FetchFailed("http.certificate", url=HOST, reason="tls.cert.expired"), Status.FAILED),
        (FetchFailed("http.certificate", url=HOST, reason="tls.cert.hostname"), Status.NOTHING),
        (ConnectFailed("tcp.refused", port="443"), Status.NOTHING),
        (ConnectFailed("tcp.timeout", port="443"), Status.FAILED),
        (LookupFailed("dns.servfail", name="autodiscover.example.com"), Status.FAILED),
        (b"<html></html>", Status.NOTHING),
        (b"<Autodiscover>", Status.FAILED),
    ],
    ids=str,
)
def test_what_an_answer_without_settings_means(failure: Answer, expected: Status) -> None:
    report = discover({HOST: failure})[0][HOST]
    assert (report.status, report.candidates) == (expected, ())
    assert report.code


def test_a_host_that_wants_a_login_is_taken_for_exchange() -> None:
    def notices(code: int, *, at: str = HOST) -> list[str]:
        return [notice.code for report in discover({at: status(code)})[0].values() for notice in report.notices]

    assert notices(401) == ["exchange"]
    assert notices(403) == notices(401, at=DOMAIN) == []  # any web site may want a login


def test_a_referral_is_followed_over_https() -> None:
    reports, net = discover({HOST: referral("redirectUrl", HOSTER), HOSTER: answer()})
    assert reports[HOST].status is Status.FOUND
    assert reports[HOST].detail == f"{HOST} -> {HOSTER}"
    assert net.asked.count(f"POST {HOSTER}") == 2


def test_a_referral_to_another_address_leads_to_the_host_of_its_domain() -> None:
    reports, net = discover({HOST: referral("redirectAddr", "boss@hoster.net"), HOSTER: answer()})
    assert reports[HOST].status is Status.FOUND
    assert not any("boss" in address for address in told(net))


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("redirectUrl", "http://autodiscover.hoster.net/autodiscover/autodiscover.xml"),
        ("redirectUrl", "https://10.0.0.1/autodiscover/autodiscover.xml"),
        ("redirectUrl", "https://localhost/"),
        ("redirectUrl", ""),
        ("redirectAddr", ""),
        ("redirectAddr", "boss"),
        ("redirectAddr", "boss@[10.0.0.1]"),
        ("redirectAddr", "boss@co.uk"),
        ("redirectAddr", "boss@github.io"),
    ],
)
def test_a_referral_that_must_not_be_followed_is_not(action: str, value: str) -> None:
    reports, net = discover({HOST: referral(action, value)})
    assert (reports[HOST].status, reports[HOST].code) == (Status.NOTHING, "discover.invalid_values")
    assert len(net.posted) == 2


def test_referrals_in_a_circle_end() -> None:
    reports, net = discover({HOST: referral("redirectUrl", HOSTER), HOSTER: referral("redirectUrl", HOST)})
    assert (reports[HOST].status, reports[HOST].code) == (Status.FAILED, "http.too_many_redirects")
    assert len(net.posted) == autodiscover.MAX_REFERRALS + 2


def test_what_the_srv_record_leads_to_is_not_trusted() -> None:
    records = [SRVRecord(9, 0, 443, "b.hoster.net"), SRVRecord(0, 1, 443, "autodiscover.hoster.net")]
    report = discover({HOSTER: answer()}, srv=records)[0][SRV]
    assert report.status is Status.FOUND
    assert {c.trusted for c in report.candidates} == {False}
    assert {c.confidence for c in report.candidates} == {Confidence.MEDIUM}  # the servers are the domain's own
    assert {(c.evidence[0].locator, c.evidence[0].detail) for c in report.candidates} == {(SRV, HOSTER)}
    elsewhere = ANSWER.replace("imap.example.com", "imap.hoster.net").replace("smtp.example.com", "smtp.hoster.net")
    report = discover({HOSTER: elsewhere.replace("fred@example.com", "").encode()}, srv=records)[0][SRV]
    assert {c.confidence for c in report.candidates} == {Confidence.LOW}


def test_the_port_of_the_srv_record_is_used() -> None:
    _reports, net = discover({}, srv=[SRVRecord(0, 0, 8443, "autodiscover.hoster.net")])
    assert "POST https://autodiscover.hoster.net:8443/autodiscover/autodiscover.xml" in net.asked


@pytest.mark.parametrize(
    ("srv", "expected", "code"),
    [
        ([SRVRecord(0, 0, 0, "")], Status.NOTHING, "srv.not_available"),
        ([SRVRecord(0, 0, 443, "10.0.0.1")], Status.NOTHING, "discover.invalid_values"),
        (LookupFailed("dns.servfail", name=SRV), Status.FAILED, "dns.servfail"),
        (LookupFailed("dns.nxdomain", name=SRV), Status.NOTHING, "dns.nxdomain"),
        ([], Status.NOTHING, None),
    ],
    ids=str,
)
def test_an_srv_record_that_leads_nowhere(
    srv: list[SRVRecord] | NetworkError, expected: Status, code: str | None
) -> None:
    reports, net = discover({}, srv=srv)
    assert (reports[SRV].status, reports[SRV].code) == (expected, code)
    assert len(net.posted) == 2


def test_where_https_has_a_stranger_plain_http_says_where_to_ask_but_proves_nothing() -> None:
    reports, net = discover({HOST: STRANGE, HOSTER: answer()}, redirect=HOSTER)
    assert list(reports) == [DOMAIN, HOST, PLAIN, SRV]
    report = reports[PLAIN]
    assert (report.status, report.detail) == (Status.FOUND, f"{PLAIN} -> {HOSTER}")
    assert {(c.trusted, c.evidence[0].locator) for c in report.candidates} == {(False, PLAIN)}
    assert {c.confidence for c in report.candidates} == {Confidence.MEDIUM}  # the servers are the domain's own
    assert net.asked.count(f"GET {PLAIN}") == 1
    elsewhere = ANSWER.replace("imap.example.com", "imap.hoster.net").replace("smtp.example.com", "smtp.hoster.net")
    body = elsewhere.replace("fred@example.com", "").encode()
    found = discover({HOST: STRANGE, HOSTER: body}, redirect=HOSTER)[0][PLAIN]
    assert {c.confidence for c in found.candidates} == {Confidence.LOW}


def test_plain_http_is_not_asked_unless_the_user_allows_it() -> None:
    reports, net = discover({HOST: STRANGE, HOSTER: answer()})
    assert list(reports) == [DOMAIN, HOST, SRV]
    assert not [question for question in net.asked if "http://" in question]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (STRANGE, True),
        (FetchFailed("http.certificate", url=HOST, reason="tls.cert.self_signed"), True),
        (ConnectFailed("tcp.refused", port="443"), True),
        (ConnectFailed("tls.http_on_tls_port"), True),
        (answer(), False),
        (status(401), False),
        (status(404), False),
        (b"<html></html>", False),
        (ConnectFailed("tcp.timeout", port="443"), False),
        (LookupFailed("dns.nxdomain", name="autodiscover.example.com"), False),
    ],
    ids=str,
)
def test_plain_http_is_asked_only_where_nobody_is_there_for_https(said: Answer, asked: bool) -> None:
    reports, net = discover({HOST: said, HOSTER: answer()}, redirect=HOSTER)
    assert (PLAIN in reports) is (f"GET {PLAIN}" in net.asked) is asked


@pytest.mark.parametrize(
    ("redirect", "expected", "code"),
    [
        ("", Status.NOTHING, "discover.not_autoconfig"),
        (HOST, Status.NOTHING, "discover.not_autoconfig"),  # where nobody was found to answer
        (status(404), Status.NOTHING, "http.status"),
        (status(503), Status.FAILED, "http.status"),
        (FetchFailed("http.bad_scheme", url="http://autodiscover.hoster.net/"), Status.FAILED, "http.bad_scheme"),
        (FetchFailed("http.private_address", url="https://a.example.net/"), Status.FAILED, "http.private_address"),
        (ConnectFailed("tcp.refused", port="80"), Status.NOTHING, "tcp.refused"),
        ("https://login.portal.net/", Status.NOTHING, "dns.nxdomain"),
    ],
    ids=str,
)
def test_plain_http_that_leads_nowhere(redirect: str | NetworkError, expected: Status, code: str) -> None:
    reports, net = discover({HOST: STRANGE}, redirect=redirect, send_address=True)
    assert (reports[PLAIN].status, reports[PLAIN].code) == (expected, code)
    assert not any("http://" in question for question in net.asked if question.startswith("POST"))


def test_where_plain_http_leads_nobody_learns_who_is_asking() -> None:
    _reports, net = discover({HOST: STRANGE, HOSTER: answer()}, redirect=HOSTER, send_address=True)
    by_url = zip([url for url in net.asked if url.startswith("POST")], told(net), strict=True)
    assert {address[0] for url, address in by_url if url == f"POST {HOSTER}"} == {"u"}
