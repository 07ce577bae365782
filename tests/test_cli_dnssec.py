"""Settings in DNS, with a resolver that validates: signed zones are believed, tampered ones are not taken for empty."""

from __future__ import annotations

from typing import Any

import pytest

from lab import Lab
from product import run


def look_up(lab: Lab, domain: str, *arguments: str, nameserver: str = "resolver.test") -> Any:
    """The JSON object of a lookup through one of the laboratory's name servers."""
    network = ("--nameserver", lab.address(nameserver), "--ca-file", str(lab.ca_file), "--allow-private")
    return run("lookup", domain, "--json", "--no-verify", *arguments, *network)


def codes(record: Any) -> set[str]:
    return {warning["code"] for warning in record["warnings"]}


@pytest.mark.parametrize(
    ("domain", "source", "confidence"),
    [
        ("srvonly.test", "srv", "high"),
        ("mailconf.test", "mailconf", "high"),
        ("outlooksrv.test", "autodiscover", "medium"),
        ("customer.test", "mx-autoconfig", "medium"),
        ("mxlisted.test", "mx-ispdb", "medium"),
        ("hosted.test", "mx", "high"),
        ("aliased.test", "dns", "medium"),
        ("filtered.test", "dns", "low"),
    ],
)
def test_what_signed_records_lead_to_is_trusted_and_without_validation_it_is_not(
    lab: Lab, domain: str, source: str, confidence: str
) -> None:
    signed = look_up(lab, domain).record
    best = signed["incoming"][0]
    assert (best["trusted"], best["confidence"]) == (True, confidence)
    (evidence,) = [evidence for evidence in best["evidence"] if evidence["source"] == source]
    assert evidence["trusted"] is True
    words = f"DNSSEC, validated by the resolver {lab.address('resolver.test')}"
    assert evidence["detail"].endswith(words)
    assert any(words in line["detail"] for line in signed["sources"] if line["source"] == source)
    assert not codes(signed) & {"untrusted", "cross-domain"}

    plain = look_up(lab, domain, nameserver="ns.test").record
    assert plain["incoming"][0]["host"] == best["host"]
    assert plain["incoming"][0]["trusted"] is False
    assert "untrusted" in codes(plain)


def test_signed_records_make_what_they_contradict_less_sure_and_unsigned_ones_do_not(lab: Lab) -> None:
    record = look_up(lab, "conflict.test").record
    assert [(e["host"], e["confidence"]) for e in record["incoming"]] == [("imap.guess.test", "medium")]
    assert "conflict" in codes(record)
    assert {line["source"] for line in record["sources"] if line["disagrees"] == ["imap"]} == {"srv"}
    unsigned = look_up(lab, "conflict.test", nameserver="ns.test").record
    assert [(e["host"], e["confidence"]) for e in unsigned["incoming"]] == [("imap.guess.test", "high")]
    assert "conflict" in codes(unsigned)


def test_a_tampered_zone_is_a_failure_and_not_an_empty_one(lab: Lab) -> None:
    finished = look_up(lab, "tampered.test")
    assert finished.code == 3
    assert finished.record["status"] == "failed"
    assert finished.record["incoming"] == finished.record["outgoing"] == []
    assert {line["code"] for line in finished.record["sources"] if line["source"] == "srv"} == {"dns.servfail"}
    # Who does not validate falls for it, with a warning.
    fooled = look_up(lab, "tampered.test", nameserver="ns.test").record
    assert fooled["incoming"][0]["host"] == "mail.example.test"
    assert {"untrusted", "cross-domain"} <= codes(fooled)


def test_the_word_of_a_resolver_elsewhere_needs_the_users_consent_and_a_name(lab: Lab) -> None:
    consent = run("lookup", "srvonly.test", "--trust-ad")
    assert (consent.code, consent.stdout) == (2, "")
    assert consent.stderr == ("mailsetup: error: --trust-ad is about the resolver that --nameserver names: give both\n")
    # An authoritative server says nothing about validation, however much it is trusted.
    assert look_up(lab, "srvonly.test", "--trust-ad", nameserver="ns.test").record["incoming"][0]["trusted"] is False
