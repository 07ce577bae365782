"""Records as the JSON objects of the contract: plain dictionaries, and the one way they are written.

Codes and values are never translated; ``message`` and ``remedy`` texts are in the user's language.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import i18n, text
from .errors import MailsetupError
from .model import (
    LIVE,
    ORIGIN_KINDS,
    Candidate,
    Endpoint,
    Lookup,
    Note,
    Notice,
    ProbeResult,
    Provider,
    Service,
    SourceReport,
    TLSFacts,
)

SCHEMA = 1
Object = dict[str, Any]


def dumps(value: object, *, ascii_only: bool) -> str:
    """``value`` on one line, with every character escaped that could act on a terminal."""
    line = json.dumps(value, ensure_ascii=ascii_only, separators=(", ", ": "))
    if line.isprintable():
        return line
    # What json leaves as it is although a terminal may act on it: DEL, C1, zero-width, bidirectional, separators.
    unsafe = (c for c in set(line) if not c.isprintable())
    return line.translate({ord(c): json.dumps(c)[1:-1] if c > "\x7f" else "\\u007f" for c in unsafe})


def lookup_object(answer: Lookup) -> Object:
    """The object for one lookup."""
    address = answer.address
    return {
        "schema": SCHEMA,
        "query": answer.query,
        "address": str(address) if address.local_part is not None else None,
        "domain": address.domain,
        **({"domain_unicode": address.domain_unicode} if address.domain_unicode != address.domain else {}),
        "status": answer.status,
        "provider": None if answer.provider is None else _provider_summary(answer.provider),
        "incoming": [candidate_object(candidate, answer) for candidate in answer.incoming],
        "outgoing": [candidate_object(candidate, answer) for candidate in answer.outgoing],
        "services": [_service(service) for service in answer.services],
        "sources": [_source(report) for report in answer.reports if report.source != LIVE],
        "live": [_source(report) for report in answer.reports if report.source == LIVE],
        "warnings": notices(answer.notices),
        "elapsed_ms": round(answer.elapsed_ms, 1),
    }


def candidate_object(candidate: Candidate, answer: Lookup) -> Object:
    """An ENDPOINT of the contract."""
    return _candidate(candidate, candidate.endpoint.username(answer.address))


def probe_object(query: str, results: Sequence[ProbeResult], answer: Lookup | None, elapsed_ms: float) -> Object:
    """The object for one probed target; ``answer`` is the lookup that named the endpoints, if there was one."""
    from .conclusion import usable  # a lookup has no use for it

    provider = None if answer is None else answer.provider
    return {
        "schema": SCHEMA,
        "query": query,
        "status": None if answer is None else answer.status,
        "results": [result_object(result, provider) for result in results],
        "recommended": [_setting(result) for result in usable(results)],
        "cause": _cause(results, () if answer is None else answer.notices),
        "warnings": [] if answer is None else notices(answer.notices),
        "elapsed_ms": round(elapsed_ms, 1),
    }


def result_object(result: ProbeResult, provider: Provider | None) -> Object:
    """A RESULT of the contract, of a server that ``provider`` is known to run."""
    from .diagnosis import about  # a lookup has no use for it

    diagnosis = about(result, provider, i18n.language())
    return {
        **_candidate(result.candidate, result.username),
        "outcome": "ok" if result.ok else "failed",
        "code": result.code,
        "stage": result.stage,
        "message": text.probe_success(result) if diagnosis is None else diagnosis.message,
        "remedy": [] if diagnosis is None else diagnosis.remedy,
        "retryable": result.retryable,
        "warnings": notices(result.notices),
        "addresses": [address._asdict() for address in result.addresses],
        "tls": None if result.tls is None else _tls(result.tls),
        "greeting": result.greeting,
        "capabilities": result.capabilities,
        "capabilities_before_tls": result.capabilities_before_tls,
        "mechanisms": result.mechanisms,
        "mechanism": result.mechanism,
        "delivery": None if result.delivery is None else result.delivery._asdict(),
        "round_trips": result.round_trips,
        "timing_ms": result.timing_ms,
    }


def provider_object(provider: Provider) -> Object:
    """The object for one provider."""
    return {
        "id": provider.id,
        "name": provider.name,
        "name_zh": provider.name_zh,
        "status": provider.status,
        "domains": provider.domains,
        "listed_domains": provider.listed_domains,
        "reported_domains": provider.reported_domains,
        "mx": provider.mx,
        "spf": provider.spf,
        "autodiscover": provider.autodiscover,
        "endpoints": [
            {**_endpoint(e), "confidence": confidence, "trusted": True, "verified": None}
            for e, confidence in provider.endpoints
        ],
        "needs": provider.needs,
        "notes": _notes(provider.notes),
        "conflicts": [conflict._asdict() for conflict in provider.conflicts],
        "wrong_hosts": provider.wrong_hosts,
        "webmail": provider.webmail,
        "help": provider.help,
        "sources": [
            {"kind": o.kind, "locator": o.locator, "facts": o.facts, "checked": o.checked or None}
            for o in provider.origins
        ],
        "evidence": sorted({origin.kind for origin in provider.origins}, key=ORIGIN_KINDS.index),
        "checked": provider.checked,
    }


def error_object(query: str, error: MailsetupError) -> Object:
    """The record that stands in the place of a target that could not be understood."""
    message = text.error(error)
    # Bytes that are no text reach us as lone surrogates (PEP 383), which strict JSON readers refuse (RFC 8259 §8.2).
    query = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in query)
    return {"schema": SCHEMA, "query": query, "status": "error", "code": error.code, "message": message}


def notices(items: Iterable[Notice]) -> list[Object]:
    """Warnings of the contract, each with its text."""
    return [{"code": notice.code, "message": text.notice(notice)} for notice in items]


def _provider_summary(provider: Provider) -> Object:
    return {
        "id": provider.id,
        "name": provider.name,
        "name_zh": provider.name_zh,
        "status": provider.status,
        "webmail": provider.webmail,
        "help": provider.help,
        "notes": _notes(text.notes(provider)),
    }


def _notes(items: Iterable[Note]) -> list[Object]:
    return [{"code": note.code, "message": note.text(i18n.language())} for note in items]


def _endpoint(endpoint: Endpoint) -> Object:
    return {
        "protocol": endpoint.protocol,
        "host": endpoint.host,
        "port": endpoint.port,
        "security": endpoint.security,
        "username_form": endpoint.username_form,
        "authentication": endpoint.authentication,
    }


def _candidate(candidate: Candidate, username: str | None) -> Object:
    return {
        **_endpoint(candidate.endpoint),
        "username": username,
        "confidence": candidate.confidence,
        "trusted": candidate.trusted,
        "verified": candidate.verified,
        "evidence": [evidence._asdict() for evidence in candidate.evidence],
    }


def _source(report: SourceReport) -> Object:
    return {
        "source": report.source,
        "locator": report.locator,
        "status": report.status,
        "role": report.role,
        "disagrees": report.disagrees,
        "code": report.code,
        "detail": report.detail,
        "elapsed_ms": round(report.elapsed_ms, 1),
    }


def _service(service: Service) -> Object:
    place = {"host": service.host, "port": service.port} if service.url is None else {"url": service.url}
    return {"service": service.name, **place, "source": service.source}


def _setting(result: ProbeResult) -> Object:
    endpoint = result.candidate.endpoint
    return {
        "protocol": endpoint.protocol,
        "host": endpoint.host,
        "port": endpoint.port,
        "security": endpoint.security,
        "username": result.username,
    }


def _cause(results: Sequence[ProbeResult], notices: Sequence[Notice]) -> Object | None:
    from .conclusion import cause

    found = cause(results, notices)
    return None if found is None else {"code": found.code, "message": found.message, "remedy": found.remedy}


def _tls(facts: TLSFacts) -> Mapping[str, Any]:
    return facts._asdict()
