"""Why each answer won, lost or was refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import IMAP, PLAIN, POP3, SMTP, STARTTLS, endpoint, failed, report
from mailsetup.model import Endpoint, Protocol, Role, SourceReport, Status
from mailsetup.ranking import Ranking, rank
from mailsetup.roles import assign
from test_ranking import DOMAIN, VERDICTS, everything, ledgers, recommended, some_ledgers

Verdicts = dict[tuple[str, str, int, str], bool | None]
WANTED = st.sets(st.sampled_from(Protocol), min_size=1).map(frozenset)
IMAPS, SMTPS = endpoint(), endpoint(SMTP, "smtp.example.com", 465)
OLD = endpoint(host="old.example.com")
PLAIN_IMAP = endpoint(port=143, security=PLAIN)


def roles(
    *reports: SourceReport, verified: Verdicts | None = None, protocols: frozenset[Protocol] = frozenset(Protocol)
) -> dict[str, Role | None]:
    ranking = rank(reports, DOMAIN, protocols, verified)
    return {line.source: line.role for line in assign(reports, ranking)}


@some_ledgers
@given(ledgers().flatmap(lambda ledger: st.tuples(st.just(ledger), st.permutations(ledger))), VERDICTS, WANTED)
def test_the_order_of_arrival_never_changes_a_role(
    orders: tuple[list[SourceReport], list[SourceReport]], verdicts: Verdicts, wanted: frozenset[Protocol]
) -> None:
    first, second = (roles(*reports, verified=verdicts, protocols=wanted) for reports in orders)
    assert first == second


@some_ledgers
@given(ledgers(), VERDICTS, WANTED)
def test_exactly_the_evidence_of_what_is_recommended_won_or_confirmed(
    ledger: list[SourceReport], verdicts: Verdicts, wanted: frozenset[Protocol]
) -> None:
    ranking = rank(ledger, DOMAIN, wanted, verdicts)
    lines = assign(ledger, ranking)
    assert {line.source for line in lines if line.role in (Role.WON, Role.CONFIRMED)} == {
        evidence.source for candidate in recommended(ranking) for evidence in candidate.evidence
    }
    assert {line.source for line in lines if line.role is Role.WON} == {
        candidate.evidence[0].source for candidate in recommended(ranking)
    }


@some_ledgers
@given(ledgers(), VERDICTS, WANTED)
def test_every_role_of_a_loser_is_true_of_its_settings(
    ledger: list[SourceReport], verdicts: Verdicts, wanted: frozenset[Protocol]
) -> None:
    ranking = rank(ledger, DOMAIN, wanted, verdicts)
    for line in assign(ledger, ranking):
        keys = {candidate.endpoint.key for candidate in line.candidates}
        ranked = [candidate for candidate in everything(ranking) if candidate.endpoint.key in keys]
        usable = [candidate for candidate in ranked if candidate.endpoint.security is not PLAIN]
        match line.role:
            case None:
                assert not line.candidates
            case Role.NOT_ASKED_FOR:
                assert line.candidates and not ranked
            case Role.PLAINTEXT:
                assert ranked and not usable
            case Role.DISPROVED:
                assert any(candidate.verified is False for candidate in usable)
            case Role.WON | Role.CONFIRMED:
                assert usable
            case Role.OUTRANKED:
                assert usable and not any(candidate.verified is False for candidate in usable)
                assert {c.endpoint.protocol for c in usable} <= {c.endpoint.protocol for c in recommended(ranking)}


def test_roles_change_nothing_else_in_a_ledger() -> None:
    lines = [report("autoconfig", IMAPS), failed("ispdb"), report("srv", OLD), report("mx")]
    assigned = assign(lines, rank(lines, DOMAIN))
    assert [line._replace(role=None, disagrees=()) for line in assigned] == lines


def test_the_strongest_source_wins_and_those_that_agree_confirm() -> None:
    assert roles(report("srv", IMAPS), report("autoconfig", IMAPS, SMTPS), report("ispdb", SMTPS, OLD)) == {
        "autoconfig": Role.WON,
        "srv": Role.CONFIRMED,
        "ispdb": Role.CONFIRMED,
    }


def test_sources_of_which_each_names_one_direction_both_win() -> None:
    assert roles(report("autoconfig", IMAPS), report("srv", SMTPS)) == {"autoconfig": Role.WON, "srv": Role.WON}


def test_an_alternative_that_is_recommended_too_has_won() -> None:
    starttls = endpoint(port=143, security=STARTTLS)
    assert roles(report("autoconfig", IMAPS), report("well-known", starttls))["well-known"] is Role.WON


def test_a_source_of_which_nothing_is_recommended_is_outranked() -> None:
    assert roles(report("autoconfig", IMAPS, SMTPS), report("ispdb", OLD))["ispdb"] is Role.OUTRANKED


def test_where_a_live_connection_decided_the_ledger_says_so() -> None:
    assert roles(report("autoconfig", OLD), report("ispdb", IMAPS), verified={OLD.key: False, IMAPS.key: True}) == {
        "autoconfig": Role.DISPROVED,
        "ispdb": Role.WON,
    }


@pytest.mark.parametrize("verdict", [None, True])
def test_a_connection_that_disproved_nothing_decides_nothing(verdict: bool | None) -> None:
    assert roles(report("autoconfig", IMAPS), report("ispdb", OLD), verified={OLD.key: verdict})["ispdb"] is (
        Role.OUTRANKED
    )


def test_what_is_recommended_for_want_of_anything_better_has_won() -> None:
    assert roles(report("autoconfig", IMAPS), verified={IMAPS.key: False}) == {"autoconfig": Role.WON}


def test_unencrypted_settings_are_refused_unless_there_are_others() -> None:
    assert roles(report("autoconfig", PLAIN_IMAP)) == {"autoconfig": Role.PLAINTEXT}
    assert roles(report("autoconfig", IMAPS), report("ispdb", PLAIN_IMAP, OLD))["ispdb"] is Role.OUTRANKED


def test_other_protocols_than_those_asked_for_are_no_rivals() -> None:
    pop3 = endpoint(POP3, "pop.example.com", 995)
    assert roles(report("autoconfig", IMAPS), report("srv", pop3), protocols=frozenset({IMAP})) == {
        "autoconfig": Role.WON,
        "srv": Role.NOT_ASKED_FOR,
    }


def test_the_ledger_names_who_disagrees_and_about_what() -> None:
    def disagreeing(*reports: SourceReport) -> dict[str, tuple[Protocol, ...]]:
        return {line.source: line.disagrees for line in assign(reports, rank(reports, DOMAIN)) if line.disagrees}

    other = endpoint(SMTP, "mx.example.com", 465)
    assert disagreeing(report("autoconfig", IMAPS, SMTPS), report("ispdb", IMAPS, other), report("srv", OLD)) == {
        "ispdb": (SMTP,),
        "srv": (IMAP,),
    }
    assert disagreeing(report("autoconfig", IMAPS), report("ispdb", endpoint(port=143))) == {}  # another port
    assert disagreeing(report("autoconfig", IMAPS), report("pacc", OLD)) == {}  # the same operator's words
    assert disagreeing(report("autoconfig", IMAPS), report("ispdb", PLAIN_IMAP._replace(host="old.example.com"))) == {}


def test_one_line_of_a_source_does_not_disagree_if_another_line_of_it_agrees() -> None:
    lines = [
        report("srv", endpoint(host=host))._replace(locator=host) for host in ("imap.example.com", "b.example.com")
    ]
    lines.append(report("autoconfig", IMAPS))
    assert [line.disagrees for line in assign(lines, rank(lines, DOMAIN))] == [(), (), ()]


def test_who_named_no_settings_has_no_role() -> None:
    reports = [report("mx"), failed("autoconfig"), SourceReport("srv", "x", Status.SKIPPED)]
    assert {line.role for line in assign(reports, Ranking((), (), (), ()))} == {None}


def test_a_file_that_names_one_setting_twice_has_one_role() -> None:
    twice: tuple[Endpoint, ...] = (IMAPS, IMAPS._replace(username_form="local-part"))
    assert roles(report("ispdb", *twice), report("srv", IMAPS)) == {"ispdb": Role.WON, "srv": Role.CONFIRMED}
