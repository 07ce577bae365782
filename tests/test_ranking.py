"""Who wins, and how sure the winner is. Most of it as properties over made-up ledgers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import IMAP, PLAIN, POP3, SMTP, STARTTLS, TLS, UNAUTHENTICATED, candidate, endpoint, evidence, report
from mailsetup.model import Authentication, Candidate, Confidence, Endpoint, Protocol, SourceReport, Status
from mailsetup.ranking import (
    MAX_RECOMMENDED_PER_PROTOCOL,
    Disagreement,
    Ranking,
    authority,
    leaves_domain,
    merge,
    rank,
    strongest,
)

DOMAIN = "example.com"
# The first example loads the Public Suffix List, which takes longer than hypothesis expects of an example.
some_ledgers = settings(max_examples=30, deadline=None)
AUTHENTICATED = ("providers", "autoconfig", "well-known", "pacc", "ispdb", "autodiscover")
NEEDS_DNSSEC = ("mx", "mx-ispdb", "srv", "dns", "mailconf", "mx-autoconfig")
CERTAINTY = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)

IMAPS = endpoint()
FOREIGN = endpoint(host="imap.hoster.net")

ENDPOINTS = st.builds(
    Endpoint,
    st.sampled_from([IMAP, POP3, SMTP]),
    st.sampled_from(["imap.example.com", "mail.example.com", "imap.hoster.net", "example.com.evil.net"]),
    st.sampled_from([143, 465, 993]),
    st.sampled_from([TLS, STARTTLS, PLAIN]),
    st.sampled_from(["address", "local-part", "unknown"]),
    st.sampled_from([(), (Authentication.PASSWORD,), (Authentication.OAUTH2, Authentication.APP_PASSWORD)]),
)


@st.composite
def ledgers(
    draw: st.DrawFn, sources: tuple[str, ...] = AUTHENTICATED + UNAUTHENTICATED, *, dnssec: bool = True
) -> list[SourceReport]:
    """Some sources, each with a few endpoints; no source twice, as in a real ledger."""
    chosen = draw(st.lists(st.sampled_from(sources), unique=True, max_size=len(sources)))
    return [draw(reports_of(source, dnssec=dnssec)) for source in chosen]


@st.composite
def reports_of(draw: st.DrawFn, source: str, *, dnssec: bool = True) -> SourceReport:
    """A few endpoints that ``source`` names; ``dnssec`` says that what stands on DNS may be authenticated."""
    line = report(source, *draw(st.lists(ENDPOINTS, max_size=4)), confidence=draw(st.sampled_from(CERTAINTY)))
    return signed(line) if dnssec and source in NEEDS_DNSSEC and draw(st.booleans()) else line


def signed(line: SourceReport) -> SourceReport:
    """``line`` as if DNSSEC had authenticated everything in it."""
    trusted = [c._replace(evidence=tuple(e._replace(trusted=True) for e in c.evidence)) for c in line.candidates]
    return line._replace(candidates=tuple(trusted))


VERDICTS = st.dictionaries(ENDPOINTS.map(lambda e: e.key), st.sampled_from([True, False, None]), max_size=6)


def recommended(ranking: Ranking) -> tuple[Candidate, ...]:
    return ranking.incoming + ranking.outgoing


def everything(ranking: Ranking) -> tuple[Candidate, ...]:
    return recommended(ranking) + ranking.others


def hosts(candidates: tuple[Candidate, ...]) -> list[str]:
    return [c.endpoint.host for c in candidates]


@some_ledgers
@given(ledgers().flatmap(lambda ledger: st.tuples(st.just(ledger), st.permutations(ledger))), VERDICTS)
def test_the_order_of_arrival_never_changes_the_result(
    orders: tuple[list[SourceReport], list[SourceReport]],
    verdicts: dict[tuple[str, str, int, str], bool | None],
) -> None:
    first, second = (rank(reports, DOMAIN, verified=verdicts) for reports in orders)
    assert first == second


@some_ledgers
@given(ledgers(), VERDICTS)
def test_every_endpoint_that_was_named_appears_exactly_once(
    ledger: list[SourceReport], verdicts: dict[tuple[str, str, int, str], bool | None]
) -> None:
    named = {c.endpoint.key for line in ledger for c in line.candidates}
    keys = [c.endpoint.key for c in everything(rank(ledger, DOMAIN, verified=verdicts))]
    assert sorted(keys) == sorted(named)


@some_ledgers
@given(ledgers(), VERDICTS)
def test_plaintext_is_never_recommended(
    ledger: list[SourceReport], verdicts: dict[tuple[str, str, int, str], bool | None]
) -> None:
    assert all(c.endpoint.security is not PLAIN for c in recommended(rank(ledger, DOMAIN, verified=verdicts)))


@some_ledgers
@given(ledgers())
def test_incoming_and_outgoing_are_kept_apart_and_bounded(ledger: list[SourceReport]) -> None:
    ranking = rank(ledger, DOMAIN)
    assert all(c.endpoint.protocol is not SMTP for c in ranking.incoming)
    assert all(c.endpoint.protocol is SMTP for c in ranking.outgoing)
    for protocol in (IMAP, POP3, SMTP):
        alike = [c for c in recommended(ranking) if c.endpoint.protocol is protocol]
        assert len(alike) <= MAX_RECOMMENDED_PER_PROTOCOL
        assert len({authority(c, DOMAIN) for c in alike}) <= 1


@some_ledgers
@given(ledgers(), st.sampled_from(AUTHENTICATED + UNAUTHENTICATED).flatmap(reports_of), VERDICTS)
def test_an_agreeing_source_never_makes_a_setting_less_sure(
    ledger: list[SourceReport], further: SourceReport, verdicts: dict[tuple[str, str, int, str], bool | None]
) -> None:
    before = {c.endpoint.key: c for c in everything(rank(ledger, DOMAIN, verified=verdicts))}
    after = {c.endpoint.key: c for c in everything(rank([*ledger, further], DOMAIN, verified=verdicts))}
    for agreeing in further.candidates:
        new = after[agreeing.endpoint.key]
        assert set(new.evidence) >= set(agreeing.evidence)
        if (old := before.get(new.endpoint.key)) is not None:
            assert CERTAINTY.index(new.confidence) >= CERTAINTY.index(old.confidence)
            assert set(new.evidence) >= set(old.evidence)


@some_ledgers
@given(ledgers(AUTHENTICATED), ledgers(UNAUTHENTICATED, dnssec=False), VERDICTS)
def test_rumours_change_nothing_about_what_somebody_vouches_for_but_lift_it_to_medium_at_most(
    ledger: list[SourceReport],
    rumours: list[SourceReport],
    verdicts: dict[tuple[str, str, int, str], bool | None],
) -> None:
    before = {c.endpoint.key: c for c in everything(rank(ledger, DOMAIN, verified=verdicts))}
    after = {c.endpoint.key: c for c in everything(rank([*ledger, *rumours], DOMAIN, verified=verdicts))}
    for key, alone in before.items():
        together = after[key].confidence
        assert together is alone.confidence or (alone.confidence, together) == (Confidence.LOW, Confidence.MEDIUM)


def encrypted(ranking: Ranking, protocol: Protocol) -> list[Candidate]:
    """Everything for a protocol that could be recommended, best first."""
    alike = [c for c in everything(ranking) if c.endpoint.protocol is protocol]
    return [c for c in alike if c.endpoint.security is not PLAIN]


@some_ledgers
@given(ledgers())
def test_what_nobody_vouches_for_never_outranks_what_somebody_does(ledger: list[SourceReport]) -> None:
    ranking = rank(ledger, DOMAIN)
    for protocol in (IMAP, POP3, SMTP):
        trusted = [c.trusted for c in encrypted(ranking, protocol)]
        assert trusted == sorted(trusted, reverse=True)


@some_ledgers
@given(ledgers(), VERDICTS)
def test_no_verdict_lifts_what_can_lead_anywhere_above_what_somebody_vouches_for(
    ledger: list[SourceReport], verdicts: dict[tuple[str, str, int, str], bool | None]
) -> None:
    ranking = rank(ledger, DOMAIN, verified=verdicts)
    for protocol in (IMAP, POP3, SMTP):
        alike = encrypted(ranking, protocol)
        last = max((place for place, c in enumerate(alike) if c.trusted), default=-1)
        assert not any(
            leaves_domain(c, DOMAIN) or {e.source for e in c.evidence} <= {"http-autoconfig", "guess"}
            for c in alike[: last + 1]
        )


@some_ledgers
@given(ledgers(UNAUTHENTICATED, dnssec=False))
def test_rumours_alone_are_never_sure(ledger: list[SourceReport]) -> None:
    assert all(c.confidence is not Confidence.HIGH for c in everything(rank(ledger, DOMAIN)))


@some_ledgers
@given(ledgers())
def test_within_one_authority_the_unsure_comes_last_and_tls_before_starttls(ledger: list[SourceReport]) -> None:
    for group in (rank(ledger, DOMAIN).incoming, rank(ledger, DOMAIN).outgoing):
        for protocol in (IMAP, POP3, SMTP):
            order = [
                (c.confidence is Confidence.LOW, [TLS, STARTTLS].index(c.endpoint.security))
                for c in group
                if c.endpoint.protocol is protocol
            ]
            assert order == sorted(order)


@some_ledgers
@given(ledgers())
def test_imap_comes_before_pop3(ledger: list[SourceReport]) -> None:
    protocols = [c.endpoint.protocol for c in rank(ledger, DOMAIN).incoming]
    assert protocols == sorted(protocols, key=[IMAP, POP3].index)


@some_ledgers
@given(ledgers(), VERDICTS)
def test_a_server_that_works_comes_first_unless_only_what_is_easier_to_forge_does(
    ledger: list[SourceReport], verdicts: dict[tuple[str, str, int, str], bool | None]
) -> None:
    incoming = rank(ledger, DOMAIN, verified=verdicts).incoming
    if incoming and incoming[0].verified is False:
        forgeable = authority(candidate(FOREIGN, "srv"), DOMAIN)
        for other in incoming[1:]:
            weaker = authority(other, DOMAIN) > authority(incoming[0], DOMAIN)
            assert other.verified is False or (weaker and authority(other, DOMAIN) >= forgeable)


@some_ledgers
@given(ledgers(), VERDICTS)
def test_a_disproved_setting_is_recommended_only_if_there_is_no_other(
    ledger: list[SourceReport], verdicts: dict[tuple[str, str, int, str], bool | None]
) -> None:
    ranking = rank(ledger, DOMAIN, verified=verdicts)
    usable = [c for c in everything(ranking) if c.endpoint.security is not PLAIN]
    for chosen in recommended(ranking):
        if chosen.verified is False:
            rivals = [c for c in usable if c.endpoint.protocol is chosen.endpoint.protocol]
            assert all(c.verified is False for c in rivals)
            assert chosen.confidence is Confidence.LOW


def test_the_authorities_in_their_order() -> None:
    with_dnssec = ("srv", "mx-autoconfig", "dns")
    order = [
        *("providers", "autoconfig", "pacc", "srv with DNSSEC", "ispdb", "autodiscover", "mx-autoconfig with DNSSEC"),
        *("dns with DNSSEC", "mx", "dns", "srv", "http-autoconfig", "guess"),
    ]
    named = {source: candidate(FOREIGN, source) for source in order if " " not in source}
    named |= {f"{source} with DNSSEC": candidate(FOREIGN, source, trusted=True) for source in with_dnssec}
    classes = {source: authority(named[source], DOMAIN) for source in order}
    assert [classes[source] for source in order] == sorted(classes.values())
    assert len(set(classes.values())) == len(order)
    assert authority(candidate(FOREIGN, "something new"), DOMAIN) > classes["guess"]


@pytest.mark.parametrize("source", AUTHENTICATED + UNAUTHENTICATED)
def test_no_answer_of_a_source_is_in_a_better_class_than_its_strongest(source: str) -> None:
    plain = {authority(candidate(of, source), DOMAIN) for of in (IMAPS, FOREIGN)}
    assert min(plain) == strongest(source, dnssec=False)
    validated = authority(candidate(FOREIGN, source, trusted=source not in ("http-autoconfig", "guess")), DOMAIN)
    assert strongest(source, dnssec=True) == validated <= min(plain)


@pytest.mark.parametrize(
    ("source", "alike", "trusted"),
    [
        ("well-known", "autoconfig", True),
        ("mx-ispdb", "mx", False),
        ("mailconf", "srv", True),
        ("mx", "srv", True),
        ("mx-ispdb", "mx-autoconfig", True),
    ],
)
def test_authorities_that_are_alike(source: str, alike: str, trusted: bool) -> None:
    classes = {authority(candidate(FOREIGN, name, trusted=trusted), DOMAIN) for name in (source, alike)}
    assert len(classes) == 1


@pytest.mark.parametrize("source", ["srv", "mailconf", "mx-autoconfig", "autodiscover"])
def test_a_pointer_that_anybody_may_have_written_is_worth_what_its_target_is(source: str) -> None:
    inside, elsewhere = (authority(candidate(of, source, trusted=False), DOMAIN) for of in (IMAPS, FOREIGN))
    assert inside == authority(candidate(FOREIGN, "mx"), DOMAIN)
    assert elsewhere == authority(candidate(FOREIGN, "srv"), DOMAIN)


def test_whatever_plain_http_leads_to_is_worth_no_more_than_plain_http() -> None:
    redirected = evidence("autodiscover", "http://autodiscover.example.com/", trusted=False)
    assert authority(candidate()._replace(evidence=(redirected,)), "example.com") == authority(
        candidate(source="http-autoconfig"), "example.com"
    )


def test_the_strongest_evidence_decides() -> None:
    ranking = rank([report("srv", FOREIGN), report("ispdb", FOREIGN), report("mx", IMAPS)], DOMAIN)
    assert hosts(ranking.incoming) == ["imap.hoster.net"]
    assert hosts(ranking.others) == ["imap.example.com"]


def test_a_disproved_setting_sinks_below_a_weaker_source() -> None:
    reports = [report("autoconfig", IMAPS, confidence=Confidence.HIGH), report("srv", endpoint(host="b.example.com"))]
    assert hosts(rank(reports, DOMAIN).incoming) == ["imap.example.com"]
    ranking = rank(reports, DOMAIN, verified={IMAPS.key: False})
    assert hosts(ranking.incoming) == ["b.example.com"]
    (sunk,) = ranking.others
    assert (sunk.confidence, sunk.verified) == (Confidence.LOW, False)


def test_a_dead_imap_server_comes_behind_a_pop3_server_that_works() -> None:
    pop3s = endpoint(POP3, "pop.example.com", 995)
    reports = [report("autoconfig", IMAPS), report("srv", pop3s)]
    assert hosts(rank(reports, DOMAIN, verified={IMAPS.key: None}).incoming) == ["imap.example.com", "pop.example.com"]
    assert hosts(rank(reports, DOMAIN, verified={IMAPS.key: False}).incoming) == ["pop.example.com", "imap.example.com"]
    elsewhere = pop3s._replace(host="pop.evil.net")
    reports = [report("autoconfig", IMAPS), report("srv", elsewhere)]
    assert hosts(rank(reports, DOMAIN, verified={IMAPS.key: False}).incoming) == ["imap.example.com", "pop.evil.net"]


def test_a_check_that_could_not_decide_changes_nothing() -> None:
    reports = [report("autoconfig", IMAPS, confidence=Confidence.HIGH)]
    assert rank(reports, DOMAIN, verified={IMAPS.key: None}) == rank(reports, DOMAIN)
    (proved,) = rank(reports, DOMAIN, verified={IMAPS.key: True}).incoming
    assert proved.verified is True


def test_disproved_alternatives_of_the_best_are_not_recommended() -> None:
    second = endpoint(port=1993)
    ranking = rank([report("autoconfig", IMAPS, second)], DOMAIN, verified={IMAPS.key: True, second.key: False})
    assert [c.endpoint.port for c in ranking.incoming] == [993]


def test_the_source_s_own_order_is_kept() -> None:
    ports = [9001, 993, 7001]
    ranking = rank([report("autoconfig", *(endpoint(port=port) for port in ports))], DOMAIN)
    assert [c.endpoint.port for c in ranking.incoming] == ports


def test_recommendations_are_a_short_list() -> None:
    many = [endpoint(port=port) for port in range(1000, 1010)]
    ranking = rank([report("autoconfig", *many)], DOMAIN)
    assert len(ranking.incoming) == MAX_RECOMMENDED_PER_PROTOCOL
    assert len(ranking.others) == 10 - MAX_RECOMMENDED_PER_PROTOCOL


def test_only_the_protocols_asked_for_are_ranked() -> None:
    ledger = [report("autoconfig", IMAPS, endpoint(SMTP, "smtp.example.com", 465), endpoint(POP3, port=995))]
    ranking = rank(ledger, DOMAIN, frozenset({POP3}))
    assert [c.endpoint.protocol for c in everything(ranking)] == [POP3]


def test_plaintext_is_kept_among_the_others() -> None:
    ranking = rank([report("providers", endpoint(port=143, security=PLAIN))], DOMAIN)
    assert recommended(ranking) == ()
    assert [c.endpoint.security for c in ranking.others] == [PLAIN]


def test_equal_settings_merge_and_fill_each_other_in() -> None:
    vague = endpoint(username_form="unknown", authentication=())
    exact = endpoint(username_form="local-part", authentication=(Authentication.OAUTH2,))
    (merged,) = merge([report("srv", vague), report("ispdb", exact)], DOMAIN)
    assert merged.endpoint == exact
    assert [e.source for e in merged.evidence] == ["ispdb", "srv"]
    (merged,) = merge([report("autoconfig", vague), report("ispdb", exact)], DOMAIN)
    assert merged.endpoint == exact


def test_the_stronger_source_is_believed_about_the_login() -> None:
    theirs = endpoint(username_form="local-part", authentication=(Authentication.OAUTH2,))
    (merged,) = merge([report("ispdb", theirs), report("autoconfig", IMAPS)], DOMAIN)
    assert merged.endpoint == IMAPS


def test_a_source_that_names_a_setting_twice_is_one_witness() -> None:
    (merged,) = merge([report("ispdb", IMAPS, IMAPS)], DOMAIN)
    assert len(merged.evidence) == 1
    (ranked,) = rank([report("ispdb", IMAPS, IMAPS)], DOMAIN).incoming
    assert ranked.confidence is Confidence.MEDIUM


def test_independent_sources_make_a_setting_surer() -> None:
    def confidence(*sources: str) -> Confidence:
        reports = [report(source, IMAPS, confidence=Confidence.LOW) for source in sources]
        return rank(reports, DOMAIN).incoming[0].confidence

    assert confidence("ispdb") is Confidence.LOW
    assert confidence("ispdb", "srv") is Confidence.MEDIUM
    assert confidence("ispdb", "autoconfig", "something new") is Confidence.HIGH
    assert confidence("ispdb", "srv", "autoconfig") is Confidence.MEDIUM  # two of them vouch for it
    # Two files on one web server are one voice, and so are two roads into one database.
    assert confidence("autoconfig", "well-known", "http-autoconfig") is Confidence.LOW
    assert confidence("providers", "mx", "dns") is Confidence.LOW
    assert confidence("ispdb", "mx-ispdb") is Confidence.LOW
    # What one operator writes for several kinds of clients is one voice as well.
    assert confidence("autoconfig", "pacc", "autodiscover", "mailconf") is Confidence.LOW
    assert confidence("autodiscover", "srv") is Confidence.MEDIUM
    assert confidence(*UNAUTHENTICATED) is Confidence.MEDIUM  # nobody vouches: never sure
    assert confidence("ispdb", *UNAUTHENTICATED) is Confidence.MEDIUM  # nor do they add to what one vouches for


def confidences(*reports: SourceReport) -> dict[str, Confidence]:
    """Of every candidate, by host."""
    return {c.endpoint.host: c.confidence for c in everything(rank(reports, DOMAIN))}


def test_authenticated_sources_that_disagree_each_make_the_other_less_sure_by_one_step() -> None:
    own, ispdb = report("autoconfig", IMAPS, confidence=Confidence.HIGH), report("ispdb", FOREIGN)
    assert confidences(own, ispdb) == {IMAPS.host: Confidence.MEDIUM, FOREIGN.host: Confidence.LOW}
    # One step, however many others disagree.
    listed = report("providers", endpoint(host="old.example.com"), confidence=Confidence.HIGH)
    assert confidences(own, ispdb, listed)[IMAPS.host] is Confidence.MEDIUM


def test_what_is_contradicted_is_never_sure_however_many_agree() -> None:
    agreeing = [report(source, IMAPS, confidence=Confidence.HIGH) for source in ("providers", "autoconfig")]
    assert confidences(*agreeing) == {IMAPS.host: Confidence.HIGH}
    assert confidences(*agreeing, report("ispdb", FOREIGN))[IMAPS.host] is Confidence.MEDIUM


def test_a_forgery_makes_nothing_unsure_that_somebody_vouches_for_until_it_is_authenticated() -> None:
    own, forged = report("autoconfig", IMAPS, confidence=Confidence.HIGH), report("srv", FOREIGN)
    assert confidences(own, forged) == {IMAPS.host: Confidence.HIGH, FOREIGN.host: Confidence.LOW}
    assert confidences(own, signed(forged))[IMAPS.host] is Confidence.MEDIUM


def test_unauthenticated_sources_that_disagree_leave_both_unsure() -> None:
    other = report("mx", endpoint(host="b.example.com"))
    assert set(confidences(report("srv", IMAPS), other).values()) == {Confidence.LOW}


def test_an_alternative_that_one_source_has_beyond_the_other_is_less_sure_and_what_both_have_is_not() -> None:
    both, extra = IMAPS, endpoint(host="b.example.com")
    levels = confidences(report("autoconfig", both, extra, confidence=Confidence.HIGH), report("ispdb", both))
    assert levels == {both.host: Confidence.HIGH, extra.host: Confidence.MEDIUM}


UNVOUCHED = ("srv", "mailconf", "mx-autoconfig", "http-autoconfig")


def leaves(host: str, domain: str = DOMAIN, source: str = "srv") -> bool:
    return leaves_domain(candidate(endpoint(host=host), source), domain)


def test_a_pointer_leaves_the_domain_at_the_registrable_domain() -> None:
    assert not leaves("imap.example.com", "example.com")
    assert not leaves("imap.example.com", "mail.example.com")  # same owner
    assert leaves("imap.notexample.com", "example.com")
    assert leaves("example.com.evil.net", "example.com")
    assert leaves("imap.bar.co.uk", "foo.co.uk")
    assert not leaves("imap.foo.co.uk", "foo.co.uk")
    assert leaves("bar.github.io", "foo.github.io")


@pytest.mark.parametrize("source", [*UNVOUCHED, "autodiscover"])
def test_every_pointer_without_authentication_is_unsure_where_it_leaves_the_domain(source: str) -> None:
    away = candidate(FOREIGN, source, trusted=False)
    assert leaves_domain(away, DOMAIN)
    assert confidences(report(source)._replace(candidates=(away,))) == {FOREIGN.host: Confidence.LOW}
    inside = candidate(IMAPS, source, Confidence.MEDIUM, trusted=False)
    assert not leaves_domain(inside, DOMAIN)
    assert confidences(report(source)._replace(candidates=(inside,))) == {IMAPS.host: Confidence.MEDIUM}


@pytest.mark.parametrize("source", ["ispdb", "autodiscover", "mx", "mx-ispdb", "dns"])
def test_what_is_authenticated_or_leads_to_a_known_provider_vouches_for_a_host_elsewhere(source: str) -> None:
    assert not leaves(FOREIGN.host, source=source)
    pointer, voucher = candidate(FOREIGN, "srv"), candidate(FOREIGN, source)
    assert not leaves_domain(pointer._replace(evidence=pointer.evidence + voucher.evidence), DOMAIN)


def test_a_pointer_with_dnssec_or_to_a_server_of_a_known_provider_may_lead_elsewhere() -> None:
    assert not leaves_domain(candidate(FOREIGN, "srv", trusted=True), DOMAIN)
    (evidence,) = candidate(FOREIGN, "srv").evidence
    known = Candidate(FOREIGN, (evidence._replace(provider="hoster"),), Confidence.MEDIUM)
    assert not leaves_domain(known, DOMAIN)
    assert authority(known, DOMAIN) == authority(candidate(IMAPS, "srv"), DOMAIN)


def test_however_many_pointers_agree_nobody_vouches_for_a_host_elsewhere() -> None:
    forged = [report(source, FOREIGN) for source in UNVOUCHED]
    (away,) = rank(forged, DOMAIN).incoming
    assert len(away.evidence) == len(UNVOUCHED)
    assert leaves_domain(away, DOMAIN)
    assert away.confidence is Confidence.LOW


def test_sources_that_name_different_servers_are_a_conflict_and_those_who_disagree_are_named() -> None:
    def conflicts(*reports: SourceReport) -> tuple[Disagreement, ...]:
        return rank(reports, DOMAIN).conflicts

    own = report("autoconfig", IMAPS)
    assert conflicts(own, report("ispdb", FOREIGN)) == (Disagreement(IMAP, IMAPS.host, {"ispdb": (FOREIGN.host,)}),)
    assert conflicts(own, report("ispdb", IMAPS)) == ()
    # Another port of the same host is an alternative, not a contradiction.
    assert conflicts(own, report("ispdb", endpoint(port=143))) == ()
    # Forged or not, the user should know.
    (disagreement,) = conflicts(own, report("srv", FOREIGN), report("dns", FOREIGN))
    assert disagreement.others == {"dns": (FOREIGN.host,), "srv": (FOREIGN.host,)}
    # Two files of one server cannot contradict each other.
    assert conflicts(own, report("well-known", FOREIGN)) == ()
    # What is not recommended first is contradicted by nobody.
    assert conflicts(report("autoconfig", IMAPS, FOREIGN), report("ispdb", IMAPS)) == ()
    assert [c.protocol for c in conflicts(own, report("ispdb", FOREIGN), report("mx", endpoint(SMTP)))] == [IMAP]


def test_silence_and_plaintext_contradict_nothing() -> None:
    assert rank([report("autoconfig", IMAPS), report("srv")], DOMAIN).conflicts == ()
    plain = endpoint(host="old.example.com", port=143, security=PLAIN)
    assert rank([report("autoconfig", IMAPS), report("ispdb", plain)], DOMAIN).conflicts == ()


def test_an_empty_ledger_gives_an_empty_ranking() -> None:
    silent = SourceReport("srv", "x", Status.FAILED, code="dns.timeout")
    assert rank([], DOMAIN) == rank([silent], DOMAIN) == Ranking((), (), (), ())


@pytest.mark.parametrize("forged", ["srv", "mailconf", "mx-autoconfig", "http-autoconfig"])
def test_cutting_connections_does_not_lift_a_forgery_above_what_is_genuine(forged: str) -> None:
    genuine, evil = endpoint(), endpoint(host="imap.evil.net")
    reports = [report("autoconfig", genuine), report(forged, evil)]
    ranking = rank(reports, "example.com", verified={genuine.key: False, evil.key: True})
    assert [c.endpoint.host for c in ranking.incoming] == [genuine.host]
    assert [c.endpoint.host for c in ranking.others] == [evil.host]


def test_a_working_server_of_the_domain_itself_takes_the_place_of_a_dead_one() -> None:
    dead, works = endpoint(), endpoint(host="mail.example.com")
    reports = [report("autoconfig", dead), report("srv", works)]
    ranking = rank(reports, "example.com", verified={dead.key: False, works.key: True})
    assert [c.endpoint.host for c in ranking.incoming] == [works.host]


def test_a_server_that_lost_a_conflict_comes_behind_the_winner_whatever_its_encryption() -> None:
    winner = candidate(endpoint(SMTP, "smtp.example.com", 587, STARTTLS), "providers", confidence=Confidence.HIGH)
    loser = candidate(endpoint(SMTP, "smtp.example.com", 465), "providers", confidence=Confidence.LOW)
    ranking = rank([report("providers")._replace(candidates=(winner, loser))], "example.com")
    assert [c.endpoint.port for c in ranking.outgoing] == [587, 465]


def test_a_verdict_that_comes_with_a_setting_is_kept_and_a_later_one_counts_instead() -> None:
    proved = candidate(IMAPS, "guess", verified=True)
    (kept,) = rank([report("guess")._replace(candidates=(proved,))], DOMAIN).incoming
    assert kept.verified is True
    (later,) = rank([report("guess")._replace(candidates=(proved,))], DOMAIN, verified={IMAPS.key: False}).incoming
    assert later.verified is False


def test_a_pointer_that_leads_elsewhere_is_no_stronger_evidence_than_one_to_curated_data() -> None:
    (merged,) = merge([report("srv", FOREIGN), report("dns", FOREIGN), report("guess", FOREIGN)], DOMAIN)
    assert [evidence.source for evidence in merged.evidence] == ["dns", "srv", "guess"]
