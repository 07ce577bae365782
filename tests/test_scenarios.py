"""Every scenario comes out as it must, and ``docs/scenarios.md`` lists them all.

Run with MAILSETUP_UPDATE_GOLDEN=1 to write the tables of that document, then review the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from documents import UPDATE, read, replace
from lab import Lab
from mailsetup.discovery import SOURCES
from names import Hijacker
from product import Finished, run
from relay import Relay
from scenarios import CHAPTERS, SCENARIOS, Scenario

DOCUMENT = read("docs/scenarios.md")
# How a server is written: as a target of ``mailsetup probe``, the port only where it is not the standard one.
_SCHEMES = {
    ("imap", "tls"): ("imaps", 993),
    ("imap", "starttls"): ("imap", 143),
    ("pop3", "tls"): ("pop3s", 995),
    ("pop3", "starttls"): ("pop3", 110),
    ("smtp", "tls"): ("smtps", 465),
    ("smtp", "starttls"): ("smtp", 587),
}
# What every ledger is full of: no such name, and nobody there.
_USUAL = frozenset({None, "dns.nxdomain", "dns.no_address", "tcp.refused"})
_HEAD = "| published how | settings | confidence | from | with it | exit |\n|---|---|---|---|---|---|\n"


@contextmanager
def name_server(scenario: Scenario, lab: Lab) -> Iterator[str]:
    """The only name server that is asked: the real one, unless the scenario wants something else of it."""
    if not (scenario.everyone or scenario.records or scenario.faults):
        yield lab.nameserver
        return
    if scenario.everyone is not None:
        with Hijacker(lab.address(scenario.everyone)) as hijacker:
            yield hijacker.option
        return
    records = {
        key: [lab.address(value[1:]) if value.startswith("@") else value for value in values]
        for key, values in scenario.records.items()
    }
    with Relay(lab.nameserver, records, scenario.faults) as relay:
        yield relay.option


def look_up(scenario: Scenario, lab: Lab) -> Finished:
    """``mailsetup lookup --json`` about an address of the domain, with the whole ledger."""
    with name_server(scenario, lab) as nameserver:
        network = ["--nameserver", nameserver, "--ca-file", str(lab.ca_file)]
        network += ["--allow-private"] if scenario.allow_private else []
        return run("lookup", f"fred@{scenario.domain}", "--json", "--explain", *network, *scenario.options)


def server(setting: Any) -> str:
    """A server of a JSON answer as a URL."""
    scheme, port = _SCHEMES[setting["protocol"], setting["security"]]
    return f"{scheme}://{setting['host']}" + ("" if setting["port"] == port else f":{setting['port']}")


def unusual(record: Any) -> list[str]:
    """The codes in the ledger that not every ledger has, each with its source."""
    told = {
        (line["source"], line["code"])
        for line in record["sources"]
        if line["code"] not in _USUAL and not (line["code"] == "http.status" and line["status"] == "nothing")
    }
    told |= {("live", line["code"]) for line in record["live"] if line["code"]}
    return sorted(f"{source} {code}" for source, code in told)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: f"{scenario.domain}: {scenario.published}")
def test_a_scenario_comes_out_as_it_must(lab: Lab, scenario: Scenario) -> None:
    finished = look_up(scenario, lab)
    record = finished.record
    servers = record["incoming"] + record["outgoing"]
    naming = [line["source"] for line in record["sources"] if line["role"] in ("won", "confirmed")]
    assert (finished.code, finished.stderr) == (scenario.exit_code, "")
    assert unusual(record) == sorted(scenario.ledger)
    assert {warning["code"] for warning in record["warnings"]} == set(scenario.warnings)
    if scenario.provider is None:
        assert [server(setting) for setting in servers] == list(scenario.servers)
    else:
        evidence = [" ".join((e["locator"], e["detail"])) for setting in servers for e in setting["evidence"]]
        assert evidence
        assert all(scenario.provider in text.split() for text in evidence)
    assert [setting["confidence"] for setting in servers[:1]] == ([scenario.confidence] if scenario.confidence else [])
    assert list(dict.fromkeys(naming)) == list(scenario.sources)


@pytest.mark.parametrize("domain", ["person.test", "personal.test"])
def test_login_names_of_made_up_people_become_a_form_for_everybody(lab: Lab, domain: str) -> None:
    (scenario,) = [scenario for scenario in SCENARIOS if scenario.domain == domain]
    record = look_up(scenario, lab).record
    names = {(setting["username_form"], setting["username"]) for setting in record["incoming"] + record["outgoing"]}
    assert names == {("local-part", "fred")}


def test_every_source_stands_alone_in_a_scenario() -> None:
    alone = {scenario.sources[0] for scenario in CHAPTERS["One source alone"] if len(scenario.sources) == 1}
    assert alone == {source.NAME for source in SOURCES}


def test_no_two_scenarios_are_the_same() -> None:
    setups = [(s.domain, s.options, str(s.records), str(s.faults), s.everyone, s.allow_private) for s in SCENARIOS]
    assert len(set(setups)) == len(SCENARIOS) >= 40


def row(scenario: Scenario) -> str:
    """The line of the document about one scenario."""
    if scenario.provider is not None:
        settings = f"those of `{scenario.provider}` in the database"
    else:
        settings = " ".join(f"`{name}`" for name in scenario.servers)
    told = [
        *(f"`{code}`" for code in sorted(scenario.warnings)),
        *(f"{line.replace(' ', ' `')}`" for line in scenario.ledger),
    ]
    cells = [scenario.published, settings, scenario.confidence, " ".join(scenario.sources), ", ".join(told)]
    return f"| {' | '.join(cell or '–' for cell in cells)} | {scenario.exit_code} |\n"


def test_the_document_lists_every_scenario() -> None:
    assert DOCUMENT.headings[1:] == [(2, chapter) for chapter in CHAPTERS]
    for chapter, scenarios in CHAPTERS.items():
        written = f"## {chapter}\n{DOCUMENT.section(chapter).text}".rstrip()
        table = f"## {chapter}\n\n{_HEAD}{''.join(map(row, scenarios))}".rstrip()
        if UPDATE and written != table:
            replace(DOCUMENT, written, table)
        else:
            assert written == table
