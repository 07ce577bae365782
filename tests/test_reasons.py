"""Why an answer counted or not, in words that fit into a column."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from documents import code, read
from fakes import IMAP, PLAIN, POP3, SMTP, STARTTLS, endpoint, failed, provider, report
from mailsetup import api, discovery, i18n, text
from mailsetup.address import parse
from mailsetup.answers import conclude, with_others
from mailsetup.diagnosis import CODES
from mailsetup.model import Lookup, Notice, Protocol, ProviderStatus, Role, Service, SourceReport, Status
from mailsetup.ranking import rank
from mailsetup.reasons import NOT_ASKED, reason
from mailsetup.sources import mx

IMAPS, SMTPS = endpoint(), endpoint(SMTP, "smtp.example.com", 465)
OLD = endpoint(host="old.example.com")
# What sources and live connections can report; the rest needs a login or a command line.
AREAS = {"dns", "srv", "tcp", "tls", "greeting", "starttls", "protocol", "http", "xml", "discover", "pacc"}
REPORTED = sorted(code for code in CODES if code.partition(".")[0] in AREAS)
WIDTH = 24


@pytest.fixture
def chinese() -> Iterator[None]:
    i18n.use("zh")
    yield
    i18n.use("en")


def lookup(
    *reports: SourceReport,
    verified: dict[tuple[str, str, int, str], bool | None] | None = None,
    protocols: frozenset[Protocol] = frozenset(Protocol),
) -> Lookup:
    ranking = rank(reports, "example.com", protocols, verified)
    return conclude("example.com", parse("example.com"), reports, ranking, protocols, time.monotonic())


def reasons(answer: Lookup) -> list[str]:
    return [reason(line, answer) for line in answer.reports]


def reason_of(line: SourceReport) -> str:
    return reason(line, lookup())


def test_why_settings_won_or_lost() -> None:
    reports = (report("autoconfig", IMAPS, SMTPS), report("well-known", SMTPS), report("ispdb", OLD))
    assert reasons(lookup(*reports)) == ["recommended", "confirms it", "disagrees with autoconfig"]
    assert reasons(lookup(report("autoconfig", endpoint(port=143, security=PLAIN)))) == ["unencrypted: not used"]
    assert reasons(lookup(report("autoconfig", OLD), report("ispdb", IMAPS), verified={OLD.key: False})) == [
        "connection failed",
        "recommended",
    ]
    assert (
        reasons(lookup(report("autoconfig", IMAPS), report("srv", IMAPS), verified={IMAPS.key: False}))
        == ["connection failed, none better"] * 2
    )
    pop3 = report("srv", endpoint(POP3, "pop.example.com", 995))
    assert reasons(lookup(pop3, protocols=frozenset({IMAP}))) == ["other protocols"]


def test_the_winner_that_is_named_is_that_of_the_same_protocol() -> None:
    reports = (report("autoconfig", IMAPS), report("ispdb", SMTPS), report("srv", endpoint(SMTP, "b.example.com", 465)))
    assert reasons(lookup(*reports))[-1] == "disagrees with ispdb"
    plain_first = report("srv", endpoint(POP3, "b.example.com", 110, PLAIN), endpoint(SMTP, "b.example.com", 465))
    assert reasons(lookup(*reports[:2], plain_first))[-1] == "disagrees with ispdb"


def test_an_alternative_of_the_recommended_host_is_outranked_and_another_host_disagrees() -> None:
    same_host = report("ispdb", endpoint(port=143, security=STARTTLS))
    assert reasons(lookup(report("autoconfig", IMAPS), same_host))[-1] == "outranked by autoconfig"
    half = report("ispdb", IMAPS, endpoint(SMTP, "b.example.com", 465))
    assert reasons(lookup(report("autoconfig", IMAPS, SMTPS), half))[-1] == "confirms it, but not SMTP"
    assert reasons(lookup(report("autoconfig", IMAPS), report("ispdb", OLD, SMTPS)))[-1] == "recommended, but not IMAP"


def test_with_every_candidate_shown_the_winner_is_the_same() -> None:
    answer = lookup(report("autoconfig", IMAPS), report("ispdb", OLD))
    assert reasons(with_others(answer)) == reasons(answer) == ["recommended", "disagrees with autoconfig"]


def test_why_there_are_no_settings() -> None:
    assert reason_of(SourceReport("providers", "example.com", Status.NOTHING)) == "not in the database"
    assert reason_of(SourceReport("srv", "_imaps._tcp.example.com", Status.NOTHING)) == "no such record"
    assert reason_of(SourceReport("mx", "example.com", Status.NOTHING)) == "no such record"
    unknown = SourceReport("mx", "example.com", Status.NOTHING, detail="mx.example.com")
    assert reason_of(unknown) == "no known provider"
    assert reason_of(failed("autoconfig", "dns.timeout")) == "no answer in time"


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("404", "not found (404)"),
        ("410, https://b.example.com/c.xml", "not found (410)"),
        ("403", "refused (403)"),
        ("429", "refused (429)"),
        ("503", "server error (503)"),
    ],
)
def test_the_status_of_a_web_server_is_part_of_the_reason(detail: str, expected: str) -> None:
    assert reason_of(failed("autoconfig", "http.status")._replace(detail=detail)) == expected


def test_a_source_that_was_not_asked_names_the_option_that_forbade_it() -> None:
    answer = api.lookup("fred@unknown.example", offline=True)
    assert set(reasons(answer)[1:]) == {"--offline"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ProviderStatus.DISCONTINUED, "service closed"),
        (ProviderStatus.NO_CLIENT_ACCESS, "no mail clients allowed"),
        (ProviderStatus.ACTIVE, "no settings"),
    ],
)
def test_a_provider_without_settings_says_why(status: ProviderStatus, expected: str) -> None:
    closed = provider(status=status, endpoints=())
    assert reason_of(SourceReport("providers", "example", Status.FOUND, provider=closed)) == expected


def test_a_live_connection_works_or_says_what_failed() -> None:
    assert reason_of(SourceReport("live", "imap.example.com:993 tls", Status.FOUND)) == "connection works"
    assert reason_of(failed("live", "tls.cert.expired")) == "bad certificate"
    assert reason_of(failed("live", "greeting.bye")) == "not let in"


def test_a_file_for_other_domains_counts_from_the_owner_and_is_refused_from_others() -> None:
    foreign = report("autoconfig", IMAPS)._replace(code="discover.domain_mismatch")
    assert reasons(lookup(foreign)) == ["recommended"]
    refused = SourceReport("ispdb", "x", Status.NOTHING, code="discover.domain_mismatch")
    assert reason_of(refused) == "for other domains"


def test_a_code_that_nobody_phrased_has_no_words() -> None:
    assert reason_of(failed("autoconfig", "made.up")) == ""


@pytest.mark.parametrize("code", REPORTED)
def test_every_failure_has_words_that_fit(code: str) -> None:
    words = reason_of(failed("autoconfig", code)._replace(detail="418"))
    assert 0 < text.cells(words) <= WIDTH
    assert "{" not in words


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize("code", REPORTED)
def test_every_failure_has_words_that_fit_in_chinese(code: str) -> None:
    words = reason_of(failed("autoconfig", code)._replace(detail="418"))
    assert 0 < text.cells(words) <= WIDTH


@pytest.mark.parametrize("role", Role)
def test_every_role_has_words(role: Role) -> None:
    words = reason_of(report("ispdb", IMAPS)._replace(role=role))
    assert words
    assert "{" not in words


def test_the_document_explains_every_role_and_how_it_is_shown() -> None:
    (table,) = read("docs/ranking.md").section("Why an answer counted or not").tables
    shown = {code(cell)[0]: words for cell, words, _meaning in table}
    answer = lookup(report("ispdb", IMAPS))
    assert shown == {
        role.value: reason(report("ispdb", IMAPS)._replace(role=role), answer).replace("ispdb", "…") for role in Role
    }


@pytest.mark.parametrize(
    ("code", "expected"), [("captive-portal", "the network answered"), ("wildcard-dns", "every name exists")]
)
def test_what_makes_answers_worthless_is_said_instead_of_a_code(code: str, expected: str) -> None:
    line = failed("autoconfig", "http.certificate")._replace(notices=(Notice(code),))
    assert reason_of(line) == expected


def test_a_source_of_services_only_says_so() -> None:
    line = report("srv")._replace(status=Status.FOUND, services=(Service("jmap", "https://jmap.example.com/"),))
    assert reason_of(line) == "beside mail"


def test_every_reason_not_to_ask_has_words_that_fit() -> None:
    used = {discovery.OUTRUN, discovery.POINTLESS, mx.LEADS_NOWHERE, mx.IS_KNOWN, mx.NOT_TOLD}
    assert set(NOT_ASKED) == used
    for words in used - {discovery.OUTRUN}:
        assert text.cells(reason_of(SourceReport("mx-ispdb", "example.com", Status.SKIPPED, detail=words))) <= WIDTH
