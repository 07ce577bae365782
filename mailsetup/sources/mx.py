"""MX records to the curated database: whose servers take the domain's mail (RFC 5321 §5.1).

A mail exchanger is not a mailbox host. It only tells which hoster's entry applies, and only through patterns that the
database holds; a host name is never derived from it.
"""

from __future__ import annotations

from typing import NamedTuple

from ..address import owned_domain, parse_host
from ..database import candidates
from ..errors import InputError, LookupFailed
from ..model import Confidence, Notice, ProviderStatus, SourceReport, Status
from . import Found, MXRecord, Net, Target, ask, evidence_in_dns

NAME = "mx"

# What takes the mail of a domain without keeping it, and what to tell about it.
_GATEWAYS = {ProviderStatus.FILTER: "mx-is-filter", ProviderStatus.FORWARDER: "mx-is-forwarder"}


# Why nobody is asked by way of the MX.
LEADS_NOWHERE = "MX leads nowhere else"
IS_KNOWN = "MX is in the database"
NOT_TOLD = "MX could not be asked"


class Operator(NamedTuple):
    """Who runs a mail exchanger that the database does not know: under which names to ask for settings."""

    exchanger: str
    domain: str  # registrable by the Public Suffix List, never above it
    parent: str  # the exchanger without its first label; equal to ``domain`` or below it
    validator: str | None = None  # of the MX records, as in ``Records``


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report: the provider behind the domain's mail exchangers."""
    domain = target.address.domain

    async def question() -> Found:
        records = await net.mx(domain)
        return interpret(records, target, records.validator)

    return [await ask(NAME, domain, question)]


def interpret(records: list[MXRecord], target: Target, validator: str | None = None) -> Found:
    """The provider that the most preferred known exchanger points to; ``validator`` as in ``Records``."""
    exchangers = sorted(record for record in records if record.host)
    if records and not exchangers:
        # RFC 7505 §3: the domain takes no mail at all. Beside other records it says nothing: that is a mistake.
        return Found(code="dns.null_mx", detail="0 .", notices=(Notice("null-mx"),))
    domain = target.address.domain
    gateway: Found | None = None
    unknown: MXRecord | None = None
    for record in exchangers:
        provider = target.database.by_mx(record.host)
        if provider is None:
            unknown = unknown or record
            continue
        detail = f"{record.host} -> {provider.id}"
        if provider.status in _GATEWAYS:
            facts = {"name": provider.name, "domain": domain}
            gateway = gateway or Found(detail=detail, notices=(Notice(_GATEWAYS[provider.status], facts),))
            continue
        evidence = evidence_in_dns(NAME, domain, detail, validator)
        # Plain DNS is not authenticated, so the pointer limits how sure the settings can be.
        at_most = Confidence.HIGH if evidence.trusted else Confidence.MEDIUM
        if unknown is not None and unknown.preference < record.preference:
            # It may be an unknown filter of the hoster's customer, or the mail server, to which the hoster is a spare.
            at_most = Confidence.LOW
            evidence = evidence._replace(detail=f"{evidence.detail}, after {unknown.host}")
        found = candidates(provider, evidence, domain, record.host, at_most=at_most)
        return Found(found, evidence.detail, provider=provider)
    return gateway or Found(detail=", ".join(record.host for record in exchangers)[:200])


async def operator(source: str, target: Target, net: Net) -> Operator | SourceReport:
    """Who runs the domain's mail exchangers, or the report of ``source`` that nobody is asked by way of them."""
    domain = target.address.domain
    try:
        records = await net.mx(domain)
    except LookupFailed:
        return SourceReport(source, domain, Status.SKIPPED, detail=NOT_TOLD)  # the report of ``mx`` says why
    found = operator_of(records, target)
    if isinstance(found, str):
        return SourceReport(source, domain, Status.SKIPPED, detail=found)
    return found._replace(validator=records.validator)


def operator_of(records: list[MXRecord], target: Target) -> Operator | str:
    """Who runs the most preferred exchanger, or why nobody is to be asked.

    What the database knows needs no asking: a hoster's entry is better, and filters and forwarders have no mailboxes.
    """
    hosts = [record.host for record in sorted(records) if record.host]
    if any(target.database.by_mx(host) is not None for host in hosts):
        return IS_KNOWN
    try:
        exchanger = parse_host(hosts[0]) if hosts else ""
    except InputError:
        exchanger = ""
    domain = owned_domain(exchanger) if exchanger else None
    if domain is None or domain == target.address.domain:
        return LEADS_NOWHERE
    return Operator(exchanger, domain, exchanger if exchanger == domain else exchanger.partition(".")[2])
