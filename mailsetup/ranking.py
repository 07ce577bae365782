"""From ledger lines to one ordered answer. Pure: the order in which sources answered never changes the result.

The rules, strongest first:

1. Equal endpoints merge and keep all their evidence; each independent source that agrees makes them surer.
2. A setting that a live connection disproved sinks below those that were not disproved, but never below SRV that leads
   elsewhere or plain http.
3. Authenticated sources before unauthenticated ones: the curated database, the domain's own https files, the ISPDB;
   then MX to the database, SRV inside the domain, SRV that leads elsewhere, plain http.
4. IMAP before POP3, the unsure after the rest, implicit TLS before STARTTLS (RFC 8314 §3), then the source's own order.
5. Plaintext is never recommended.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .address import same_owner
from .model import Candidate, Confidence, Endpoint, Protocol, Security, SourceReport

# Lower is better. SRV outside the domain comes after MX to a known provider: the latter is at least curated.
_CLASSES = {"providers": 0, "autoconfig": 1, "well-known": 1, "ispdb": 2, "srv": 3, "mx": 3, "http-autoconfig": 6}
_FOREIGN_SRV = 5
# From here on an answer can lead anywhere, and nothing but the way it came vouches for it.
_FORGEABLE = _FOREIGN_SRV
# Two files on the domain's own web server are one voice, and so are two roads into our own database.
_VOICES = {"well-known": "autoconfig", "http-autoconfig": "autoconfig", "mx": "providers"}
_SECURITY_ORDER = (Security.TLS, Security.STARTTLS, Security.PLAIN)
_PROTOCOL_ORDER = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
# A recommendation is a short list; what does not fit is still among the others.
MAX_RECOMMENDED_PER_PROTOCOL = 4
_CONFIDENCE_ORDER = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


class Ranking(NamedTuple):
    """The ordered answer."""

    incoming: tuple[Candidate, ...]  # recommended, best first
    outgoing: tuple[Candidate, ...]
    others: tuple[Candidate, ...]  # outranked, disproved or plaintext, best first
    conflicts: tuple[Protocol, ...]  # protocols for which independent sources name different servers


def rank(
    reports: Iterable[SourceReport],
    domain: str,
    protocols: frozenset[Protocol] = frozenset(Protocol),
    verified: Mapping[tuple[str, str, int, str], bool | None] | None = None,
) -> Ranking:
    """Order what ``reports`` found for ``domain``.

    ``verified`` maps ``Endpoint.key`` to the outcome of a live connection, for those that were tried.
    """
    merged = merge(reports)
    ranked = []
    for position, candidate in enumerate(merged):
        if candidate.endpoint.protocol in protocols:
            outcome = (verified or {}).get(candidate.endpoint.key)
            candidate = _weigh(candidate, outcome)
            ranked.append((_order(candidate, domain), position, candidate))
    ranked.sort(key=lambda entry: entry[:2])
    candidates = [candidate for _order_, _position, candidate in ranked]
    recommended = _recommended(candidates, domain)
    return Ranking(
        tuple(c for c in recommended if c.endpoint.protocol is not Protocol.SMTP),
        tuple(c for c in recommended if c.endpoint.protocol is Protocol.SMTP),
        tuple(c for c in candidates if c not in recommended),
        _conflicts(candidates),
    )


def merge(reports: Iterable[SourceReport]) -> list[Candidate]:
    """All candidates, equal endpoints once with all their evidence, in the order of the strongest source."""
    merged: dict[tuple[str, str, int, str], Candidate] = {}
    # Sorting by source and locator makes the result independent of the order of arrival.
    for report in sorted(reports, key=lambda r: (_CLASSES.get(r.source, 9), r.source, r.locator)):
        for candidate in report.candidates:
            known = merged.get(candidate.endpoint.key)
            merged[candidate.endpoint.key] = candidate if known is None else _combine(known, candidate)
    return list(merged.values())


def authority(candidate: Candidate, domain: str) -> int:
    """The class of the strongest evidence: lower is better."""
    return min(_class(evidence.source, candidate.endpoint, domain) for evidence in candidate.evidence)


def leaves_domain(candidate: Candidate, domain: str) -> bool:
    """Whether only unauthenticated pointers name this host, and it lies outside the domain and the database."""
    return all(e.source == "srv" for e in candidate.evidence) and not same_owner(candidate.endpoint.host, domain)


def _combine(known: Candidate, other: Candidate) -> Candidate:
    endpoint, further = known.endpoint, other.endpoint
    if endpoint.username_form == "unknown":
        endpoint = endpoint._replace(username_form=further.username_form)
    if not endpoint.authentication:
        endpoint = endpoint._replace(authentication=further.authentication)
    surest = max(known.confidence, other.confidence, key=_CONFIDENCE_ORDER.index)
    # A file may name one server twice, for two ways to log in: that is still one witness.
    evidence = dict.fromkeys(known.evidence + other.evidence)
    return Candidate(endpoint, tuple(evidence), surest)


def _weigh(candidate: Candidate, outcome: bool | None) -> Candidate:
    level = _CONFIDENCE_ORDER.index(candidate.confidence)
    voices = {_VOICES.get(evidence.source, evidence.source) for evidence in candidate.evidence}
    level += len(voices) - 1
    if not candidate.trusted:
        # However many unauthenticated sources agree, the same attacker may have written them all.
        level = min(level, _CONFIDENCE_ORDER.index(Confidence.MEDIUM))
    if outcome is False:
        level = 0
    return candidate._replace(confidence=_CONFIDENCE_ORDER[min(level, 2)], verified=outcome)


def _order(candidate: Candidate, domain: str) -> tuple[int, ...]:
    endpoint = candidate.endpoint
    rank_of_source = authority(candidate, domain)
    disproved = candidate.verified is False
    return (
        _PROTOCOL_ORDER.index(endpoint.protocol),
        endpoint.security is Security.PLAIN,
        # Whoever can forge SRV or http can also cut connections: that must not lift the forgery above what is genuine.
        disproved or rank_of_source >= _FORGEABLE,
        rank_of_source,
        disproved,
        # What lost a conflict in the database, and the like: better encryption does not make it right.
        candidate.confidence is Confidence.LOW,
        _SECURITY_ORDER.index(endpoint.security),
    )


def _recommended(candidates: list[Candidate], domain: str) -> list[Candidate]:
    """Per protocol the best usable candidate and those of the same authority that were not disproved."""
    chosen: dict[Protocol, list[Candidate]] = {}
    for candidate in candidates:
        if candidate.endpoint.security is Security.PLAIN:
            continue
        alike = chosen.setdefault(candidate.endpoint.protocol, [])
        if not alike or (
            len(alike) < MAX_RECOMMENDED_PER_PROTOCOL
            and authority(candidate, domain) == authority(alike[0], domain)
            and candidate.verified is not False
        ):
            alike.append(candidate)
    return [candidate for alike in chosen.values() for candidate in alike]


def _conflicts(candidates: list[Candidate]) -> tuple[Protocol, ...]:
    """Protocols for which independent voices name no host in common."""
    hosts: dict[Protocol, dict[str, set[str]]] = {}
    for candidate in candidates:
        if candidate.endpoint.security is Security.PLAIN:
            continue
        for evidence in candidate.evidence:
            voice = _VOICES.get(evidence.source, evidence.source)
            hosts.setdefault(candidate.endpoint.protocol, {}).setdefault(voice, set()).add(candidate.endpoint.host)
    return tuple(
        protocol for protocol, voices in hosts.items() if len(voices) > 1 and not set.intersection(*voices.values())
    )


def _class(source: str, endpoint: Endpoint, domain: str) -> int:
    if source == "srv" and not same_owner(endpoint.host, domain):
        return _FOREIGN_SRV
    return _CLASSES.get(source, 9)
