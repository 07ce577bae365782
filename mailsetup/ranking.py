"""From ledger lines to one ordered answer. Pure: the order in which sources answered never changes the result.

The rules, strongest first (docs/ranking.md has the reasons):

1. Equal endpoints merge and keep all their evidence. Independent sources that agree make them surer, those that name
   other hosts less sure; whoever is not authenticated makes nothing sure, and nothing authenticated unsure.
2. A setting that a live connection disproved sinks below those that were not disproved, IMAP below POP3 as well, but
   never below pointers that lead elsewhere or plain http.
3. Authenticated sources before unauthenticated ones, in the classes below.
4. IMAP before POP3, the unsure after the rest, implicit TLS before STARTTLS (RFC 8314 §3), then the source's own order.
5. Plaintext is never recommended.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .address import same_owner
from .model import (
    Candidate,
    Confidence,
    Endpoint,
    Evidence,
    Protocol,
    Security,
    SourceReport,
    best_per_protocol,
)

# The classes of authenticity, lower is better: of answers that were authenticated at every step on the way to them ...
_AUTHENTICATED = {
    "providers": 0,
    **dict.fromkeys(("autoconfig", "well-known"), 1),
    "pacc": 2,
    **dict.fromkeys(("srv", "mailconf", "mx"), 3),  # with DNSSEC, as everything below that DNS leads to
    "ispdb": 4,
    "autodiscover": 5,
    **dict.fromkeys(("mx-autoconfig", "mx-ispdb"), 6),
    "dns": 7,
}
# ... and of the others.
_ELSEWHERE, _PLAIN_HTTP, _UNKNOWN = 10, 11, 13
_UNAUTHENTICATED = {
    **dict.fromkeys(("mx", "mx-ispdb", "srv", "mailconf", "mx-autoconfig", "autodiscover"), 8),
    "dns": 9,
    "http-autoconfig": _PLAIN_HTTP,
    "guess": 12,
}
# From here on an answer can lead anywhere, and nothing but the way it came vouches for it.
_FORGEABLE = _ELSEWHERE
# Sources that can name any host.
_POINTERS = frozenset({"srv", "mailconf", "mx-autoconfig", "autodiscover"})
# Sources that can name only servers of hosters that a database knows.
_CURATED = frozenset({"mx", "mx-ispdb", "dns"})
# Sources that nothing but DNSSEC authenticates.
_NEEDS_DNSSEC = _CURATED | {"srv", "mailconf", "mx-autoconfig"}
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
_MEDIUM, _HIGH = 1, 2


class Disagreement(NamedTuple):
    """Independent sources name other hosts for a protocol than the best server that is recommended."""

    protocol: Protocol
    host: str  # of the recommended server
    others: Mapping[str, tuple[str, ...]]  # who disagrees -> hosts; sources in alphabetical order


class Ranking(NamedTuple):
    """The ordered answer."""

    incoming: tuple[Candidate, ...]  # recommended, best first
    outgoing: tuple[Candidate, ...]
    others: tuple[Candidate, ...]  # outranked, disproved or plaintext, best first
    conflicts: tuple[Disagreement, ...]


def rank(
    reports: Iterable[SourceReport],
    domain: str,
    protocols: frozenset[Protocol] = frozenset(Protocol),
    verified: Mapping[tuple[str, str, int, str], bool | None] | None = None,
    refused: Collection[tuple[str, str, int, str]] = (),
) -> Ranking:
    """Order what ``reports`` found for ``domain``.

    ``verified`` maps ``Endpoint.key`` to the outcome of a live connection, for those that were tried since the reports;
    ``refused`` has the keys of those that must not be recommended, whatever else is known.
    """
    reports = tuple(reports)
    merged = [candidate for candidate in merge(reports, domain) if candidate.endpoint.protocol in protocols]
    own, statements = _own_confidence(reports), _statements(merged)
    ranked = []
    for position, candidate in enumerate(merged):
        outcome = (verified or {}).get(candidate.endpoint.key, candidate.verified)
        candidate = candidate._replace(verified=outcome)
        candidate = candidate._replace(confidence=_confidence(candidate, domain, own, statements))
        ranked.append((_order(candidate, domain), position, candidate))
    ranked.sort(key=lambda entry: entry[:2])
    candidates = [candidate for _order_, _position, candidate in ranked]
    recommended = _recommended([c for c in candidates if c.endpoint.key not in refused], domain)
    incoming = [candidate for candidate in recommended if candidate.endpoint.protocol is not Protocol.SMTP]
    return Ranking(
        tuple(_disproved_last(incoming, domain)),
        tuple(c for c in recommended if c.endpoint.protocol is Protocol.SMTP),
        tuple(c for c in candidates if c not in recommended),
        _disagreements(recommended, statements),
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


def strongest(source: str, *, dnssec: bool) -> int:
    """The best class that answers of ``source`` can have; ``dnssec``: a resolver is trusted to validate them."""
    plain = _UNAUTHENTICATED.get(source, _UNKNOWN)
    return plain if source in _NEEDS_DNSSEC and not dnssec else _AUTHENTICATED.get(source, plain)


def leaves_domain(candidate: Candidate, domain: str) -> bool:
    """Whether this host lies outside the domain, and nothing vouches for it.

    What is not authenticated does not, however many say it: whoever can forge one can forge all of them. A database of
    known hosters does, because all a forger gains is that the password goes to a hoster that has no use for it.
    """
    vouched = any(e.trusted or e.provider or e.source in _CURATED for e in candidate.evidence)
    return not vouched and not same_owner(candidate.endpoint.host, domain)


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


# What each voice says about a protocol, with and without authentication: hosts, and the evidence for them. Nobody
# should use unencrypted servers, so these are neither agreed with nor contradicted.
_Statements = Mapping[Protocol, Mapping[tuple[str, bool], list[tuple[str, Evidence]]]]


def _statements(candidates: Iterable[Candidate]) -> _Statements:
    said: dict[Protocol, dict[tuple[str, bool], list[tuple[str, Evidence]]]] = {}
    for candidate in candidates:
        endpoint = candidate.endpoint
        if endpoint.security is not Security.PLAIN:
            voices = said.setdefault(endpoint.protocol, {})
            for evidence in candidate.evidence:
                voices.setdefault((_voice(evidence), evidence.trusted), []).append((endpoint.host, evidence))
    return said


def _contradictions(endpoint: Endpoint, statements: _Statements) -> list[tuple[str, Evidence]]:
    """What those say who name servers for the same protocol, and none on this host.

    Another port of the same host is an alternative, no contradiction.
    """
    voices = statements.get(endpoint.protocol, {}).values()
    return [one for said in voices if all(host != endpoint.host for host, _evidence in said) for one in said]


# How sure the surest source with or without authentication is of an endpoint, as a level; absent: there is none.
_OwnConfidence = Mapping[tuple[tuple[str, str, int, str], bool], int]


def _own_confidence(reports: Iterable[SourceReport]) -> _OwnConfidence:
    own: dict[tuple[tuple[str, str, int, str], bool], int] = {}
    for report in reports:
        for candidate in report.candidates:
            key = candidate.endpoint.key, candidate.trusted
            own[key] = max(own.get(key, 0), _CONFIDENCE_ORDER.index(candidate.confidence))
    return own


def _confidence(candidate: Candidate, domain: str, own: _OwnConfidence, statements: _Statements) -> Confidence:
    if candidate.verified is False or leaves_domain(candidate, domain):
        return Confidence.LOW
    key = candidate.endpoint.key
    authenticated = {_voice(evidence) for evidence in candidate.evidence if evidence.trusted}
    hearsay = {_voice(evidence) for evidence in candidate.evidence} - authenticated
    proved = own[key, True] + len(authenticated) - 1 if authenticated else 0
    # However many unauthenticated sources agree, the same forger may have written them all.
    rumoured = max(own.get((key, True), 0), own.get((key, False), 0)) + len(hearsay) - (not authenticated)
    level = min(max(proved, min(rumoured, _MEDIUM)), _HIGH)
    # Sources without authentication cannot make unsure what has it: anybody could write them.
    rivals = (evidence for _host, evidence in _contradictions(candidate.endpoint, statements))
    if any(rival.trusted or not candidate.trusted for rival in rivals):
        level = max(level - 1, 0)
    return _CONFIDENCE_ORDER[level]


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


def _disproved_last(recommended: list[Candidate], domain: str) -> list[Candidate]:
    """What was disproved behind what was not, of whichever protocol, but never behind what is easier to forge."""
    standing = [authority(candidate, domain) for candidate in recommended if candidate.verified is not False]

    def sinks(candidate: Candidate) -> bool:
        reach = max(authority(candidate, domain), _FORGEABLE - 1)
        return candidate.verified is False and any(strength <= reach for strength in standing)

    return sorted(recommended, key=sinks)


def _disagreements(recommended: Iterable[Candidate], statements: _Statements) -> tuple[Disagreement, ...]:
    found = []
    for best in best_per_protocol(recommended):
        # What the same voice says elsewhere, or without authentication, is no second opinion.
        agreeing = {
            voice
            for (voice, _trusted), said in statements[best.endpoint.protocol].items()
            if any(host == best.endpoint.host for host, _evidence in said)
        }
        others: dict[str, dict[str, None]] = {}
        for host, evidence in _contradictions(best.endpoint, statements):
            if _voice(evidence) not in agreeing:
                others.setdefault(evidence.source, {})[host] = None
        if others:
            hosts = {source: tuple(others[source]) for source in sorted(others)}
            found.append(Disagreement(best.endpoint.protocol, best.endpoint.host, hosts))
    return tuple(found)


def _voice(evidence: Evidence) -> str:
    return _VOICES.get(evidence.source, evidence.source)


def _class(evidence: Evidence, endpoint: Endpoint, domain: str) -> int:
    if evidence.trusted:
        return _AUTHENTICATED.get(evidence.source, _UNKNOWN)
    if evidence.locator.startswith("http://"):
        return _PLAIN_HTTP
    if evidence.source in _POINTERS and not evidence.provider and not same_owner(endpoint.host, domain):
        return _ELSEWHERE
    return _UNAUTHENTICATED.get(evidence.source, _UNKNOWN)
