from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import IMAP, POP3, SMTP, STARTTLS, TLS, FakeNet, run, target
from mailsetup.errors import LookupFailed, NetworkError
from mailsetup.model import Confidence, Endpoint, Protocol, Security, Service, SourceReport, Status
from mailsetup.sources import SRVRecord, srv

IMAPS, SUBMISSION = "_imaps._tcp.example.com", "_submission._tcp.example.com"


def discover(records: dict[str, Sequence[SRVRecord] | NetworkError]) -> dict[str, SourceReport]:
    net = FakeNet(srv=records)
    reports, _seconds = run(srv.discover(target(), net))
    assert len(net.asked) == len(set(net.asked)) == len(reports) == 10
    return {report.locator: report for report in reports}


def imaps(*records: SRVRecord) -> SourceReport:
    return discover({IMAPS: records})[IMAPS]


def hosts(report: SourceReport) -> list[str]:
    return [candidate.endpoint.host for candidate in report.candidates]


@pytest.mark.parametrize(
    ("label", "protocol", "security"),
    [
        ("_imaps", IMAP, TLS),
        ("_imap", IMAP, STARTTLS),
        ("_pop3s", POP3, TLS),
        ("_pop3", POP3, STARTTLS),
        ("_submissions", SMTP, TLS),
        ("_submission", SMTP, STARTTLS),
    ],
)
def test_each_service_stands_for_a_protocol_and_its_security(
    label: str, protocol: Protocol, security: Security
) -> None:
    name = f"{label}._tcp.example.com"
    reports = discover({name: [SRVRecord(0, 1, 4711, "mail.example.com")]})
    (candidate,) = reports.pop(name).candidates
    assert candidate.endpoint == Endpoint(protocol, "mail.example.com", 4711, security, "unknown", ())
    assert not candidate.trusted
    assert candidate.evidence[0].locator == name
    assert {report.status for report in reports.values()} == {Status.NOTHING}


def test_submission_on_the_port_of_implicit_tls_means_implicit_tls() -> None:
    reports = discover({SUBMISSION: [SRVRecord(0, 1, 465, "smtp.example.com")]})
    (candidate,) = reports[SUBMISSION].candidates
    assert candidate.endpoint.security is TLS


def test_port_465_means_nothing_for_another_protocol() -> None:
    reports = discover({"_imap._tcp.example.com": [SRVRecord(0, 1, 465, "imap.example.com")]})
    (candidate,) = reports["_imap._tcp.example.com"].candidates
    assert candidate.endpoint.security is STARTTLS


def test_lowest_priority_comes_first_then_highest_weight_then_name() -> None:
    report = imaps(
        SRVRecord(20, 90, 993, "d.example.com"),
        SRVRecord(10, 10, 993, "c.example.com"),
        SRVRecord(10, 50, 993, "b.example.com"),
        SRVRecord(10, 50, 993, "a.example.com"),
        SRVRecord(30, 0, 9993, "e.example.com"),
        SRVRecord(30, 0, 993, "e.example.com"),
    )
    assert [host[0] for host in hosts(report)] == ["a", "b", "c", "d", "e", "e"]
    assert [c.endpoint.port for c in report.candidates][-2:] == [993, 9993]
    assert report.detail.startswith("10 50 993 a.example.com; 10 50 993 b.example.com; ")


RECORDS = st.builds(
    SRVRecord,
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.sampled_from(
        ["", "localhost", "10.0.0.1", "a.example.com", "b.example.com", "imap.example.net", "A_b.example.com"]
    )
    | st.text(max_size=20),
)


@given(st.lists(RECORDS, max_size=12).flatmap(lambda r: st.tuples(st.just(r), st.permutations(r))))
def test_the_order_in_which_records_arrive_never_matters(orders: tuple[list[SRVRecord], list[SRVRecord]]) -> None:
    first, second = (srv.interpret(srv.SERVICES[0], IMAPS, records, target()) for records in orders)
    assert first == second
    assert all(1 <= c.endpoint.port <= 65535 and c.endpoint.host.isascii() for c in first.candidates)


def test_an_endless_answer_is_cut() -> None:
    records = [SRVRecord(0, 0, 993, f"imap{number}.example.com") for number in range(100)]
    assert len(imaps(*records).candidates) == srv.MAX_RECORDS


def test_a_target_of_a_dot_says_that_the_service_is_not_offered() -> None:
    report = imaps(SRVRecord(0, 0, 0, ""))
    assert (report.status, report.code, report.candidates) == (Status.NOTHING, "srv.not_available", ())
    (notice,) = report.notices
    assert (notice.code, dict(notice.facts)) == ("not-offered", {"service": "_imaps", "protocol": "IMAP"})


def test_a_dot_beside_a_real_target_is_ignored() -> None:
    report = imaps(SRVRecord(0, 0, 0, ""), SRVRecord(1, 0, 993, "imap.example.com"))
    assert hosts(report) == ["imap.example.com"]
    assert report.notices == ()


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "::1", "localhost", "mailserver", "imap_1.example.com", "-imap.example.com"),
        *("imap..example.com", "imap.\u202eexample.com", "imap\\032.example.com", "\x1b[31m.example.com", "imap.1"),
        *("xn--a.example.com", "a" * 64 + ".example.com"),
    ],
    ids=ascii,
)
def test_a_target_that_is_no_public_host_name_is_refused(host: str) -> None:
    report = imaps(SRVRecord(0, 0, 993, host))
    assert (report.status, report.code, report.candidates) == (Status.NOTHING, "discover.invalid_values", ())
    assert report.detail


def test_port_zero_is_refused_and_the_other_records_count() -> None:
    assert imaps(SRVRecord(0, 0, 0, "imap.example.com")).code == "discover.invalid_values"
    report = imaps(SRVRecord(0, 0, 0, "a.example.com"), SRVRecord(1, 0, 993, "b.example.com"))
    assert hosts(report) == ["b.example.com"]
    assert report.code is None


def test_a_host_outside_the_domain_is_less_sure() -> None:
    report = imaps(SRVRecord(0, 0, 993, "imap.example.com"), SRVRecord(1, 0, 993, "imap.notexample.com"))
    assert [c.confidence for c in report.candidates] == [Confidence.MEDIUM, Confidence.LOW]


def test_neighbours_under_a_public_suffix_are_outside() -> None:
    records = [SRVRecord(0, 0, 993, "imap.bar.co.uk"), SRVRecord(1, 0, 993, "imap.foo.co.uk")]
    found = srv.interpret(srv.SERVICES[0], "_imaps._tcp.mail.foo.co.uk", records, target("fred@mail.foo.co.uk"))
    assert [c.confidence for c in found.candidates] == [Confidence.LOW, Confidence.MEDIUM]


def test_one_name_that_fails_does_not_hide_the_others() -> None:
    reports = discover(
        {IMAPS: LookupFailed("dns.servfail", name=IMAPS), SUBMISSION: [SRVRecord(0, 0, 587, "smtp.example.com")]}
    )
    assert (reports[IMAPS].status, reports[IMAPS].code) == (Status.FAILED, "dns.servfail")
    assert reports[SUBMISSION].status is Status.FOUND


@pytest.mark.parametrize(
    ("label", "name"),
    [("_jmap", "jmap"), ("_caldavs", "caldav"), ("_carddavs", "carddav"), ("_sieve", "managesieve")],
)
def test_services_beside_mail_are_passed_on(label: str, name: str) -> None:
    place = f"{label}._tcp.example.com"
    reports = discover({place: [SRVRecord(9, 1, 444, "b.example.com"), SRVRecord(0, 1, 443, "a.example.com")]})
    report = reports.pop(place)
    assert (report.status, report.candidates, report.role) == (Status.FOUND, (), None)
    assert report.services == (
        Service(name, host="a.example.com", port=443, source="srv"),
        Service(name, host="b.example.com", port=444, source="srv"),
    )
    assert not any(report.services for report in reports.values())


def test_a_service_beside_mail_that_is_declined_or_invalid_is_nothing() -> None:
    declined = discover({"_jmap._tcp.example.com": [SRVRecord(0, 0, 0, "")]})["_jmap._tcp.example.com"]
    assert (declined.status, declined.code, declined.notices) == (Status.NOTHING, "srv.not_available", ())
    invalid = discover({"_jmap._tcp.example.com": [SRVRecord(0, 0, 443, "10.0.0.1")]})["_jmap._tcp.example.com"]
    assert (invalid.status, invalid.code, invalid.services) == (Status.NOTHING, "discover.invalid_values", ())
