"""From ledger lines to one ordered answer. Pure: the order in which sources answered never changes the result.

The rules, strongest first:

1. Equal endpoints merge and keep all their evidence; each independent source that agrees makes them surer.
2. A setting that a live connection disproved sinks below those that were not disproved, but never below pointers that
   lead elsewhere or plain http.
3. Authenticated sources before unauthenticated ones: the curated database, the domain's own https files, the ISPDB,
   Autodiscover; then what plain DNS points to: curated data and hosts inside the domain, the weaker pointers to the
   database, hosts elsewhere; then plain http and guesses.
4. IMAP before POP3, the unsure after the rest, implicit TLS before STARTTLS (RFC 8314 §3), then the source's own order.
5. Plaintext is never recommended.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .address import same_owner
from .model import Candidate, Confidence, Endpoint, Evidence, Protocol, Security, SourceReport

# Lower is better. What plain DNS points to outside the domain comes after pointers to curated data.
_CLASSES = {
    "providers": 0,
    **dict.fromkeys(("autoconfig", "well-known", "pacc"), 1),
    "ispdb": 2,
    "autodiscover": 3,
    **dict.fromkeys(("mx", "mx-ispdb", "srv", "mailconf", "mx-autoconfig"), 4),
    "dns": 5,
    "http-autoconfig": 7,
    "guess": 8,
}
# Sources that can name any host, and stand on plain DNS: always, or in the case of Autodiscover found by SRV.
_POINTERS = frozenset({"srv", "mailconf", "mx-autoconfig", "autodiscover"})
_POINTER_INSIDE, _POINTER_ELSEWHERE = 4, 6
# From here on an answer can lead anywhere, and nothing but the way it came vouches for it.
_FORGEABLE = _POINTER_ELSEWHERE
# What one operator writes into several files is one voice, and so are the roads into one database.
_VOICES = {
    **dict.fromkeys(("well-known", "http-autoconfig", "pacc", "autodiscover", "mailconf"), "autoconfig"),
    **dict.fromkeys(("mx", "dns"), "providers"),
    "mx-ispdb": "ispdb",
}
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

    ``verified`` maps ``Endpoint.key`` to the outcome of a live connection, for those that were tried since the reports.
    """
    merged = merge(reports, domain)
    ranked = []
    for position, candidate in enumerate(merged):
        if candidate.endpoint.protocol in protocols:
            outcome = (verified or {}).get(candidate.endpoint.key, candidate.verified)
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


def merge(reports: Iterable[SourceReport], domain: str) -> list[Candidate]:
    """All candidates, equal endpoints once with all their evidence, in the order of the strongest source."""
    merged: dict[tuple[str, str, int, str], Candidate] = {}
    # Sorting by source and locator makes the result independent of the order of arrival.
    named = [
        (authority(candidate, domain), report.source, report.locator, position, candidate)
        for report in reports
        for position, candidate in enumerate(report.candidates)
    ]
    for *_place, candidate in sorted(named, key=lambda entry: entry[:4]):
        known = merged.get(candidate.endpoint.key)
        merged[candidate.endpoint.key] = candidate if known is None else _combine(known, candidate)
    return list(merged.values())


def authority(candidate: Candidate, domain: str) -> int:
    """The class of the strongest evidence: lower is better."""
    return min(_class(evidence, candidate.endpoint, domain) for evidence in candidate.evidence)


def leaves_domain(candidate: Candidate, domain: str) -> bool:
    """Whether only unauthenticated pointers name this host, and it lies outside the domain and the database."""
    pointed = all(e.source in _POINTERS and not e.trusted for e in candidate.evidence)
    return pointed and not same_owner(candidate.endpoint.host, domain)


def _combine(known: Candidate, other: Candidate) -> Candidate:
    endpoint, further = known.endpoint, other.endpoint
    if endpoint.username_form == "unknown":
        endpoint = endpoint._replace(username_form=further.username_form)
    if not endpoint.authentication:
        endpoint = endpoint._replace(authentication=further.authentication)
    surest = max(known.confidence, other.confidence, key=_CONFIDENCE_ORDER.index)
    # A file may name one server twice, for two ways to log in: that is still one witness.
    evidence = dict.fromkeys(known.evidence + other.evidence)
    return Candidate(endpoint, tuple(evidence), surest, known.verified if other.verified is None else other.verified)


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
        # Whoever can forge DNS or http can also cut connections: that must not lift the forgery above what is genuine.
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


def _class(evidence: Evidence, endpoint: Endpoint, domain: str) -> int:
    if evidence.source in _POINTERS and not evidence.trusted:
        return _POINTER_INSIDE if same_owner(endpoint.host, domain) else _POINTER_ELSEWHERE
    return _CLASSES.get(evidence.source, 9)
