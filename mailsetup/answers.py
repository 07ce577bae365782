"""From ranked candidates to the answer: its status, the provider and everything the user must know. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import islice

from .model import (
    Address,
    Candidate,
    Confidence,
    Lookup,
    Notice,
    Protocol,
    Provider,
    ProviderStatus,
    Security,
    Service,
    SourceReport,
    Status,
    best_per_protocol,
)
from .ranking import Ranking, leaves_domain
from .roles import assign

# What explains why there is no better answer.
_IF_NOTHING_IS_FOUND = frozenset({"exchange", "wildcard-dns"})
MOST_OTHERS = 6  # servers in a warning; the ledger has all of them
PRIVATE = "dns.private_address"  # what has only such addresses is refused unless the user allows them


def conclude(
    query: str,
    address: Address,
    reports: Sequence[SourceReport],
    ranking: Ranking,
    protocols: frozenset[Protocol],
    started: float,
    failures: Mapping[tuple[str, str, int, str], str] | None = None,
) -> Lookup:
    """The lookup that ``reports`` and their ``ranking`` amount to; ``started`` is a ``time.monotonic()`` reading.

    ``failures`` maps ``Endpoint.key`` to the code with which a live connection failed.
    """
    failures = failures or {}
    recommended = ranking.incoming + ranking.outgoing
    provider = _provider(reports, recommended)
    missing = any(report.code == "dns.nxdomain" and report.source == "mx" for report in reports)
    # Both answer the question for good, whatever else could not be asked.
    settled = missing or (provider is not None and provider.status is not ProviderStatus.ACTIVE)
    if recommended:
        status = Status.FOUND
    elif not settled and (PRIVATE in failures.values() or any(r.status is Status.FAILED for r in reports)):
        status = Status.FAILED
    else:
        status = Status.NOTHING
    notices = [*_about_provider(provider, recommended), *_from_sources(reports, ranking, protocols)]
    if recommended and protocols == frozenset(Protocol):
        for wanted, servers in (("no-incoming", ranking.incoming), ("no-outgoing", ranking.outgoing)):
            if not servers:
                notices.append(Notice(wanted, {"domain": address.domain}))
    if missing and not recommended:
        notices.append(Notice("no-such-domain", {"domain": address.domain}))
    if private := _private(reports, failures, only_refused=bool(recommended)):
        notices.append(Notice("private-address", {"hosts": ", ".join(private)}))
    if recommended:
        notices += _about_trust(reports, ranking, address.domain, failures)
    elif any(candidate.endpoint.security is Security.PLAIN for candidate in ranking.others):
        notices.append(Notice("plaintext"))
    return Lookup(
        query,
        address,
        status,
        provider,
        ranking.incoming,
        ranking.outgoing,
        ranking.others,
        assign(reports, ranking),
        tuple(notices),
        (time.monotonic() - started) * 1000,
        _services(reports),
    )


def with_others(lookup: Lookup) -> Lookup:
    """``lookup`` with every candidate in its lists, the recommended ones first, and a warning if some are plaintext."""
    incoming = tuple(c for c in lookup.others if c.endpoint.protocol is not Protocol.SMTP)
    outgoing = tuple(c for c in lookup.others if c.endpoint.protocol is Protocol.SMTP)
    notices = lookup.notices
    plain = any(candidate.endpoint.security is Security.PLAIN for candidate in lookup.others)
    if plain and not any(notice.code == "plaintext" for notice in notices):
        notices += (Notice("plaintext"),)
    return lookup._replace(incoming=lookup.incoming + incoming, outgoing=lookup.outgoing + outgoing, notices=notices)


def _provider(reports: Sequence[SourceReport], recommended: Sequence[Candidate]) -> Provider | None:
    """The provider by domain, or the one behind the MX if the recommended servers are its own."""
    for report in reports:
        if report.source == "providers" and report.provider is not None:
            return report.provider
    hosts = {candidate.endpoint.host for candidate in recommended}
    for report in reports:
        provider = report.provider
        if provider is not None and (not hosts or hosts & {c.endpoint.host for c in report.candidates}):
            return provider
    return None


def _services(reports: Sequence[SourceReport]) -> tuple[Service, ...]:
    """What is named beside mail, each place once, with the first source that names it."""
    places: dict[tuple[str, str | None, str | None, int | None], Service] = {}
    for report in reports:
        for service in report.services:
            places.setdefault((service.name, service.url, service.host, service.port), service)
    return tuple(places.values())


def _about_provider(provider: Provider | None, recommended: Sequence[Candidate]) -> list[Notice]:
    if provider is None:
        return []
    facts = {"provider": provider.id, "help": provider.help or ""}
    if provider.status is not ProviderStatus.ACTIVE:
        return [Notice(str(provider.status), facts)]
    protocols = {candidate.endpoint.protocol for candidate in recommended}
    return [
        Notice(code, facts)
        for code in provider.needs
        if recommended and (code != "imap-id" or Protocol.IMAP in protocols)
    ]


def _from_sources(reports: Sequence[SourceReport], ranking: Ranking, protocols: frozenset[Protocol]) -> list[Notice]:
    """What sources have to say beside settings, each thing once."""
    offered = {candidate.endpoint.protocol.upper() for candidate in ranking.incoming + ranking.outgoing}
    wanted = {protocol.upper() for protocol in protocols}
    notices: dict[tuple[str, str], Notice] = {}
    for report in reports:
        for notice in report.notices:
            protocol = notice.facts.get("protocol", "")
            # "Not offered" under one label means little if the protocol is offered under another.
            if protocol and (protocol in offered or protocol not in wanted):
                continue
            if notice.code in _IF_NOTHING_IS_FOUND and offered:
                continue
            notices.setdefault((notice.code, protocol), notice)
    return list(notices.values())


def _rests_on_mentions(candidate: Candidate, reports: Sequence[SourceReport]) -> bool:
    """Whether only our own database names it, and rests on old or unchecked mentions there."""
    own = all(evidence.source in ("providers", "mx") for evidence in candidate.evidence)
    if not own or candidate.verified is not None:
        return False
    # What the reports say, because a contradiction makes a setting unsure as well.
    named = (c for report in reports for c in report.candidates if c.endpoint.key == candidate.endpoint.key)
    return all(c.confidence is Confidence.LOW for c in named)


def _by_trouble(failed: Sequence[SourceReport]) -> str:
    """The sources that could not be asked, each trouble once; where only one has it, with what was asked."""
    troubles: dict[str, list[SourceReport]] = {}
    for report in failed:
        troubles.setdefault(report.code or "", []).append(report)
    return "; ".join(
        f"{', '.join(dict.fromkeys(report.source for report in alike))} ({code})"
        if len(alike) > 1
        else f"{alike[0].source} {alike[0].locator} ({code})"
        for code, alike in troubles.items()
    )


def _private(
    reports: Sequence[SourceReport], failures: Mapping[tuple[str, str, int, str], str], *, only_refused: bool
) -> list[str]:
    """Hosts that were refused for their private addresses: mail servers, and web servers unless ``only_refused``."""
    refused = {host for (_protocol, host, _port, _security), code in failures.items() if code == PRIVATE}
    if not only_refused:
        unasked = (report.locator for report in reports if report.code in (PRIVATE, "http.private_address"))
        refused |= {locator.partition("://")[2].partition("/")[0] or locator for locator in unasked}
    return sorted(refused)


def _about_trust(
    reports: Sequence[SourceReport],
    ranking: Ranking,
    domain: str,
    failures: Mapping[tuple[str, str, int, str], str],
) -> list[Notice]:
    notices = []
    best = best_per_protocol(ranking.incoming + ranking.outgoing)
    # Guesses are untrusted, too, but for another reason, and they have a warning of their own.
    heard = [candidate for candidate in best if any(e.source != "guess" for e in candidate.evidence)]
    untrusted = [candidate for candidate in heard if not candidate.trusted]
    if untrusted:
        hosts = ", ".join(sorted({candidate.endpoint.host for candidate in untrusted}))
        # A pointer to a hoster's own servers is another risk than servers that anybody could have named.
        is_hosted = all(any(e.provider or e.source in ("mx", "dns") for e in c.evidence) for c in untrusted)
        notices.append(Notice("untrusted", {"hosts": hosts, "hosted": "yes" if is_hosted else ""}))
    unproved = sorted({c.endpoint.host for c in best if _rests_on_mentions(c, reports)})
    if unproved:
        notices.append(Notice("unverified", {"hosts": ", ".join(unproved)}))
    foreign = sorted({candidate.endpoint.host for candidate in best if leaves_domain(candidate, domain)})
    if foreign:
        notices.append(Notice("cross-domain", {"hosts": ", ".join(foreign), "domain": domain}))
    disproved = [candidate.endpoint for candidate in best if candidate.verified is False]
    if disproved:
        servers = (f"{e.host}:{e.port} ({failures[e.key]})" if e.key in failures else e.host for e in disproved)
        notices.append(Notice("live-failed", {"servers": ", ".join(servers)}))
    if ranking.conflicts:
        known = any(report.source == "providers" and report.candidates for report in reports)
        others = (
            f"{conflict.protocol.upper()} {host} ({source})"
            for conflict in ranking.conflicts
            for source, hosts in conflict.others.items()
            for host in hosts
        )
        facts = {
            "protocols": ", ".join(conflict.protocol.upper() for conflict in ranking.conflicts),
            "others": ", ".join(islice(others, MOST_OTHERS)),
        }
        notices.append(Notice("stale" if known else "conflict", facts))
    failed = [report for report in reports if report.status is Status.FAILED]
    if failed:
        notices.append(Notice("degraded", {"sources": _by_trouble(failed)}))
    if any((report.code or "").endswith(".timeout") for report in failed):
        notices.append(Notice("slow"))
    return notices
