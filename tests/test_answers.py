"""From ledger and ranking to the answer: its status, its provider, and what the user must know."""

from __future__ import annotations

import time

import pytest

from fakes import IMAP, PLAIN, POP3, SMTP, STARTTLS, candidate, endpoint, failed, provider, report
from mailsetup import api
from mailsetup.address import parse
from mailsetup.answers import conclude, with_others
from mailsetup.errors import ExportError
from mailsetup.model import (
    Confidence,
    Lookup,
    Notice,
    Protocol,
    Provider,
    ProviderStatus,
    Service,
    SourceReport,
    Status,
)
from mailsetup.ranking import rank

IMAPS, SMTPS = endpoint(), endpoint(SMTP, "smtp.example.com", 465)
POP3S = endpoint(POP3, "pop.example.com", 995)
PLAIN_IMAP = endpoint(port=143, security=PLAIN)
OLD = endpoint(host="old.example.com")


def nothing(source: str, code: str | None = None, *notices: Notice) -> SourceReport:
    return SourceReport(source, f"{source} of example.com", Status.NOTHING, code=code, notices=notices)


def known(entry: Provider) -> SourceReport:
    """What the database says about a domain."""
    usable = entry.endpoints if entry.status is ProviderStatus.ACTIVE else ()
    return report("providers", *(e.endpoint for e in usable))._replace(status=Status.FOUND, provider=entry)


def answer(*reports: SourceReport, protocols: frozenset[Protocol] = frozenset(Protocol)) -> Lookup:
    address = parse("fred@example.com")
    ranking = rank(reports, address.domain, protocols)
    return conclude("fred@example.com", address, reports, ranking, protocols, time.monotonic())


def codes(lookup: Lookup) -> list[str]:
    """The warnings, but for those about half an answer: most answers here are no more than that."""
    return [notice.code for notice in lookup.notices if notice.code not in ("no-incoming", "no-outgoing")]


def facts(lookup: Lookup, code: str) -> dict[str, str]:
    (notice,) = (notice for notice in lookup.notices if notice.code == code)
    return dict(notice.facts)


def not_offered(service: str, protocol: str) -> Notice:
    return Notice("not-offered", {"service": service, "protocol": protocol})


def test_settings_from_a_trusted_source_are_an_answer_without_warnings() -> None:
    lookup = answer(report("autoconfig", IMAPS, SMTPS, confidence=Confidence.HIGH), nothing("ispdb"))
    assert lookup.status is Status.FOUND
    assert codes(lookup) == []
    assert [c.endpoint for c in lookup.recommended()] == [IMAPS, SMTPS]
    assert lookup.elapsed_ms >= 0
    assert (lookup.query, str(lookup.address)) == ("fred@example.com", "fred@example.com")


def test_nothing_only_if_every_source_said_so() -> None:
    lookup = answer(nothing("autoconfig", "dns.nxdomain"), nothing("ispdb", "http.status"), nothing("srv"))
    assert (lookup.status, codes(lookup)) == (Status.NOTHING, [])


def test_a_source_that_could_not_be_asked_leaves_the_question_open() -> None:
    lookup = answer(nothing("autoconfig"), failed("ispdb"), nothing("srv"))
    assert (lookup.status, codes(lookup)) == (Status.FAILED, [])


def test_sources_that_were_skipped_decide_nothing() -> None:
    lookup = answer(nothing("providers"), SourceReport("srv", "example.com", Status.SKIPPED, detail="--offline"))
    assert lookup.status is Status.NOTHING


def test_a_domain_that_does_not_exist_outweighs_a_database_that_did_not_answer() -> None:
    lookup = answer(failed("ispdb"), nothing("mx", "dns.nxdomain"), nothing("srv", "dns.nxdomain"))
    assert (lookup.status, codes(lookup)) == (Status.NOTHING, ["no-such-domain"])
    assert facts(lookup, "no-such-domain") == {"domain": "example.com"}


def test_a_missing_name_below_the_domain_says_nothing_about_the_domain() -> None:
    lookup = answer(failed("ispdb"), nothing("autoconfig", "dns.nxdomain"), nothing("mx"))
    assert (lookup.status, codes(lookup)) == (Status.FAILED, [])


def test_a_domain_with_settings_exists() -> None:
    lookup = answer(report("ispdb", IMAPS), nothing("mx", "dns.nxdomain"))
    assert (lookup.status, codes(lookup)) == (Status.FOUND, [])


def test_settings_despite_a_failure_are_found_and_degraded() -> None:
    lookup = answer(report("ispdb", IMAPS), failed("autoconfig"), failed("srv", "dns.servfail"))
    assert (lookup.status, codes(lookup)) == (Status.FOUND, ["degraded", "slow"])
    assert codes(answer(report("ispdb", IMAPS), failed("srv", "dns.servfail"))) == ["degraded"]
    sources = facts(lookup, "degraded")["sources"]
    assert sources == "autoconfig autoconfig of example.com (http.timeout); srv srv of example.com (dns.servfail)"
    alike = (failed(source, "dns.servfail") for source in ("autoconfig", "srv", "srv", "dns"))
    degraded = facts(answer(report("ispdb", IMAPS), *alike, failed("pacc")), "degraded")["sources"]
    assert degraded == "autoconfig, srv, dns (dns.servfail); pacc pacc of example.com (http.timeout)"


@pytest.mark.parametrize("status", [ProviderStatus.DISCONTINUED, ProviderStatus.NO_CLIENT_ACCESS])
def test_a_provider_that_clients_cannot_use_is_named_and_nothing_is_found(status: ProviderStatus) -> None:
    entry = provider(status=status, needs=("app-password",))
    lookup = answer(known(entry))
    assert (lookup.status, lookup.provider, codes(lookup)) == (Status.NOTHING, entry, [status])
    assert facts(lookup, status) == {"provider": "example", "help": "https://help.example.com/"}


def test_a_closed_provider_is_an_answer_even_if_some_source_failed() -> None:
    lookup = answer(known(provider(status=ProviderStatus.DISCONTINUED)), failed("ispdb"))
    assert (lookup.status, codes(lookup)) == (Status.NOTHING, ["discontinued"])


def test_plaintext_alone_is_no_answer_and_says_why() -> None:
    lookup = answer(report("providers", PLAIN_IMAP))
    assert (lookup.status, codes(lookup)) == (Status.NOTHING, ["plaintext"])
    assert (lookup.incoming, lookup.outgoing) == ((), ())
    assert [c.endpoint for c in lookup.others] == [PLAIN_IMAP]


def test_plaintext_beside_something_better_is_not_mentioned() -> None:
    assert codes(answer(report("providers", IMAPS, PLAIN_IMAP))) == []


def test_all_folds_the_others_in_behind_and_warns_of_plaintext() -> None:
    lookup = answer(report("providers", IMAPS, PLAIN_IMAP), report("srv", OLD, endpoint(SMTP, "x.example.com", 465)))
    shown = with_others(lookup)
    assert [c.endpoint.host for c in shown.incoming] == ["imap.example.com", "old.example.com", "imap.example.com"]
    assert [c.endpoint.host for c in shown.outgoing] == ["x.example.com"]
    assert [c.endpoint.security for c in shown.incoming][-1] is PLAIN
    assert codes(shown).count("plaintext") == 1
    assert shown.incoming[: len(lookup.incoming)] == lookup.incoming
    assert set(shown.incoming + shown.outgoing) == set(lookup.incoming + lookup.outgoing + lookup.others)


def test_all_does_not_warn_twice_and_not_without_reason() -> None:
    assert codes(with_others(answer(report("providers", PLAIN_IMAP)))) == ["plaintext"]
    assert codes(with_others(answer(report("providers", IMAPS), report("ispdb", IMAPS, endpoint(port=1993))))) == []


def test_what_the_provider_demands_becomes_warnings() -> None:
    entry = provider(needs=("auth-code", "service-must-be-enabled", "imap-id"))
    assert codes(answer(known(entry))) == ["auth-code", "service-must-be-enabled", "imap-id"]


def test_the_imap_id_warning_is_only_for_imap() -> None:
    entry = provider(needs=("auth-code", "imap-id"), endpoints=(IMAPS, POP3S, SMTPS))
    assert codes(answer(known(entry), protocols=frozenset({POP3, SMTP}))) == ["auth-code"]
    assert codes(answer(known(entry), protocols=frozenset({IMAP, SMTP}))) == ["auth-code", "imap-id"]


def test_demands_do_not_matter_where_nothing_is_recommended() -> None:
    assert codes(answer(known(provider(needs=("auth-code",), endpoints=(PLAIN_IMAP,))))) == ["plaintext"]


def test_the_provider_behind_the_mx_counts_if_the_servers_are_its_own() -> None:
    hoster = provider("hoster", domains=("hoster.net",), needs=("app-password",))
    via_mx = report("mx", IMAPS, SMTPS)._replace(provider=hoster)
    lookup = answer(via_mx)
    assert lookup.provider == hoster
    assert codes(lookup) == ["app-password", "untrusted"]
    assert facts(lookup, "untrusted") == {"hosts": "imap.example.com, smtp.example.com", "hosted": "yes"}
    named_by_anybody = report("srv", endpoint(POP3, "b.example.com", 995))
    assert facts(answer(via_mx, named_by_anybody), "untrusted")["hosted"] == ""
    elsewhere = endpoint(host="mail.example.org"), endpoint(SMTP, "mail.example.org", 465)
    assert answer(report("autoconfig", *elsewhere), via_mx).provider is None  # mail passes through the hoster only
    assert answer(report("autoconfig", IMAPS, SMTPS), via_mx).provider == hoster


def test_the_provider_by_domain_comes_before_the_one_behind_the_mx() -> None:
    own, hoster = provider(), provider("hoster", domains=("hoster.net",))
    assert answer(report("mx", IMAPS)._replace(provider=hoster), known(own)).provider == own


def test_a_closed_provider_behind_the_mx_is_named() -> None:
    closed = provider("closed", domains=("closed.net",), status=ProviderStatus.DISCONTINUED, endpoints=())
    lookup = answer(SourceReport("mx", "example.com", Status.FOUND, provider=closed))
    assert (lookup.status, lookup.provider, codes(lookup)) == (Status.NOTHING, closed, ["discontinued"])
    # Where the domain itself publishes settings, an old MX does not matter.
    lookup = answer(report("autoconfig", IMAPS), SourceReport("mx", "example.com", Status.FOUND, provider=closed))
    assert (lookup.status, lookup.provider, codes(lookup)) == (Status.FOUND, None, [])


def test_servers_that_nobody_vouches_for_are_named() -> None:
    lookup = answer(report("srv", IMAPS, SMTPS))
    assert codes(lookup) == ["untrusted"]
    assert facts(lookup, "untrusted") == {"hosts": "imap.example.com, smtp.example.com", "hosted": ""}
    assert codes(answer(report("srv", IMAPS, SMTPS), report("ispdb", IMAPS, SMTPS))) == []


def test_only_the_best_of_each_protocol_must_be_vouched_for() -> None:
    assert codes(answer(report("ispdb", IMAPS), report("http-autoconfig", endpoint(port=1993)))) == []
    lookup = answer(report("ispdb", IMAPS), report("srv", SMTPS))
    assert facts(lookup, "untrusted")["hosts"] == "smtp.example.com"


def test_srv_that_leads_elsewhere_is_said() -> None:
    away = endpoint(host="imap.hoster.net")
    lookup = answer(report("srv", away))
    assert codes(lookup) == ["untrusted", "cross-domain"]
    assert facts(lookup, "cross-domain") == {"hosts": "imap.hoster.net", "domain": "example.com"}
    assert codes(answer(report("srv", away), report("ispdb", away))) == []


def test_sources_that_disagree_are_a_conflict_and_with_the_database_it_is_stale() -> None:
    lookup = answer(report("autoconfig", IMAPS), report("ispdb", OLD))
    assert codes(lookup) == ["conflict"]
    assert facts(lookup, "conflict") == {"protocols": "IMAP", "others": "IMAP old.example.com (ispdb)"}
    lookup = answer(known(provider(endpoints=(OLD, endpoint(SMTP, "old.example.com", 465)))), report("ispdb", IMAPS))
    assert codes(lookup) == ["stale"]
    assert facts(lookup, "stale") == {"protocols": "IMAP", "others": "IMAP imap.example.com (ispdb)"}


def test_a_service_that_is_not_offered_is_said_once_and_only_if_no_other_name_offers_it() -> None:
    no_pop3s, no_pop3 = not_offered("_pop3s", "POP3"), not_offered("_pop3", "POP3")
    reports = [nothing("srv", "srv.not_available", no_pop3s), nothing("srv", "srv.not_available", no_pop3)]
    lookup = answer(report("autoconfig", IMAPS), *reports)
    assert codes(lookup) == ["not-offered"]
    assert facts(lookup, "not-offered") == {"service": "_pop3s", "protocol": "POP3"}
    assert codes(answer(report("autoconfig", POP3S), *reports)) == []
    assert codes(answer(report("autoconfig", IMAPS), *reports, protocols=frozenset({IMAP}))) == []


def test_plaintext_is_no_offer() -> None:
    plain = endpoint(POP3, "pop.example.com", 110, PLAIN)
    lookup = answer(report("autoconfig", plain), nothing("srv", "srv.not_available", not_offered("_pop3s", "POP3")))
    assert codes(lookup) == ["not-offered", "plaintext"]


def test_a_null_mx_is_said_whether_settings_were_found_or_not() -> None:
    null_mx = nothing("mx", "dns.null_mx", Notice("null-mx"))
    assert codes(answer(null_mx)) == ["null-mx"]
    assert codes(answer(null_mx, report("autoconfig", IMAPS))) == ["null-mx"]


def test_offline_every_network_source_is_shown_as_not_asked() -> None:
    lookup = api.lookup("fred@unknown.example", offline=True)
    assert lookup.status is Status.NOTHING
    assert [r.status for r in lookup.reports] == [Status.NOTHING] + [Status.SKIPPED] * len(api.NETWORK_SOURCES)
    assert [r.source for r in lookup.reports] == ["providers", *api.NETWORK_SOURCES]
    assert {r.detail for r in lookup.reports[1:]} == {"--offline"}


def test_a_known_domain_needs_no_network_and_an_unknown_one_does() -> None:
    known_domain = api.from_database("fred@qq.com")
    assert known_domain is not None
    assert known_domain.status is Status.FOUND
    assert {r.source for r in known_domain.reports} == {"providers"}
    assert api.from_database("fred@unknown.example") is None
    assert api.from_database("fred@qq.com", online=True) is None
    only_smtp = api.from_database("fred@qq.com", frozenset({SMTP}))
    assert only_smtp is not None
    assert only_smtp.incoming == ()
    assert only_smtp.outgoing


def test_an_account_has_the_usable_servers_with_their_login_names() -> None:
    local = endpoint(username_form="local-part")
    lookup = answer(report("autoconfig", local, endpoint(port=143, security=STARTTLS), SMTPS))
    account = api.account_of(lookup, "Fred")
    assert [(s.endpoint.port, s.username) for s in account.incoming] == [(993, "fred"), (143, "fred@example.com")]
    assert [(s.endpoint.port, s.username) for s in account.outgoing] == [(465, "fred@example.com")]
    assert (account.display_name, account.provider) == ("Fred", None)
    plain = lookup._replace(incoming=(candidate(PLAIN_IMAP), candidate(IMAPS)))
    assert [s.endpoint for s in api.account_of(plain).incoming] == [IMAPS]


def test_the_account_of_a_domain_has_no_login_names() -> None:
    local = endpoint(username_form="local-part")
    account = api.account_of(answer(report("autoconfig", local, SMTPS))._replace(address=parse("example.com")))
    assert account.address.local_part is None
    assert [server.username for server in account.incoming + account.outgoing] == ["", ""]
    assert account.incoming[0].endpoint.username_form == "local-part"


@pytest.mark.parametrize(
    ("lookup", "code"),
    [
        (answer(report("autoconfig", SMTPS)), "export.no_incoming"),
        (answer(report("autoconfig", IMAPS)), "export.no_outgoing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_account_needs_servers_for_both_directions(lookup: Lookup, code: str) -> None:
    with pytest.raises(ExportError) as refusal:
        api.account_of(lookup)
    assert refusal.value.code == code


def test_an_account_for_one_direction_needs_no_servers_for_the_other() -> None:
    sending = api.account_of(answer(report("autoconfig", SMTPS)), protocols=(Protocol.SMTP,))
    assert (sending.incoming, [server.endpoint for server in sending.outgoing]) == ((), [SMTPS])
    receiving = api.account_of(answer(report("autoconfig", IMAPS)), protocols=(Protocol.IMAP, Protocol.POP3))
    assert ([server.endpoint for server in receiving.incoming], receiving.outgoing) == ([IMAPS], ())


def test_recommending_what_a_live_connection_disproved_carries_a_warning() -> None:
    reports = [report("autoconfig", IMAPS)]
    ranking = rank(reports, "example.com", verified={IMAPS.key: False})
    failures = {IMAPS.key: "tls.cert.hostname"}
    lookup = conclude("example.com", parse("example.com"), reports, ranking, frozenset(Protocol), 0.0, failures)
    assert facts(lookup, "live-failed") == {"servers": f"{IMAPS.host}:993 (tls.cert.hostname)"}
    assert lookup.status is Status.FOUND


@pytest.mark.parametrize("code", ["exchange", "wildcard-dns"])
def test_why_there_is_no_better_answer_is_worth_a_word_only_where_nothing_was_found(code: str) -> None:
    line = nothing("autodiscover")._replace(notices=(Notice(code),))
    assert codes(answer(line)) == [code]
    assert codes(answer(line, report("autoconfig", IMAPS, SMTPS))) == []


def test_what_has_only_private_addresses_was_not_asked() -> None:
    reports = [report("srv", IMAPS, SMTPS)]
    refused = {IMAPS.key: "dns.private_address"}

    def looked_up(*protocols: Protocol) -> Lookup:
        ranking = rank(reports, "example.com", frozenset(protocols), {IMAPS.key: False}, refused)
        return conclude("x", parse("example.com"), reports, ranking, frozenset(protocols), 0.0, refused)

    assert (looked_up(IMAP).status, looked_up(IMAP).incoming) == (Status.FAILED, ())
    assert [c.endpoint for c in looked_up(IMAP).others] == [IMAPS]
    assert looked_up(IMAP, SMTP).status is Status.FOUND
    for lookup in (looked_up(IMAP), looked_up(IMAP, SMTP)):
        assert facts(lookup, "private-address") == {"hosts": IMAPS.host}
        assert "live-failed" not in codes(lookup)


def test_half_an_answer_says_what_is_missing_unless_only_one_protocol_was_asked_for() -> None:
    def missing(*reports: SourceReport, protocols: frozenset[Protocol] = frozenset(Protocol)) -> list[str]:
        return [notice.code for notice in answer(*reports, protocols=protocols).notices]

    assert missing(report("autoconfig", IMAPS)) == ["no-outgoing"]
    assert missing(report("autoconfig", SMTPS)) == ["no-incoming"]
    assert missing(report("autoconfig", POP3S, SMTPS)) == []
    assert missing(report("autoconfig", IMAPS), protocols=frozenset({IMAP})) == []
    assert missing(nothing("autoconfig")) == []


def test_servers_that_rest_on_old_mentions_are_named_unless_they_were_reached() -> None:
    weak = report("providers", IMAPS, SMTPS, confidence=Confidence.LOW)._replace(provider=provider())
    lookup = answer(weak)
    assert codes(lookup) == ["unverified"]
    assert facts(lookup, "unverified") == {"hosts": "imap.example.com, smtp.example.com"}
    assert codes(answer(report("providers", IMAPS, SMTPS)._replace(provider=provider()))) == []
    assert "unverified" not in codes(answer(weak, report("autoconfig", IMAPS, SMTPS)))


def test_services_beside_mail_are_named_once_each_by_the_first_source() -> None:
    place = Service("jmap", "https://jmap.example.com/session", source="autoconfig")
    other = Service("jmap", host="jmap.example.com", port=443, source="srv")
    first = report("autoconfig")._replace(services=(place,))
    lookup = answer(first, report("pacc")._replace(services=(place._replace(source="pacc"),)), nothing("srv"))
    assert lookup.services == (place,)
    assert lookup.status is Status.NOTHING  # there is nothing to set up mail with
    assert answer(first, report("srv")._replace(services=(other,))).services == (place, other)


def test_a_guess_has_a_warning_of_its_own_instead_of_that_of_forgeries() -> None:
    guessed = report("guess", IMAPS, SMTPS, confidence=Confidence.LOW)._replace(notices=(Notice("guessed"),))
    assert codes(answer(guessed)) == ["guessed"]
