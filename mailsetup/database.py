"""The curated database, by mail domain: the only source that needs no network."""

from __future__ import annotations

from .index import Index
from .model import Candidate, Confidence, Evidence, Provider, ProviderStatus, SourceReport, Status

NAME = "providers"


def discover(domain: str, index: Index) -> SourceReport:
    """What the database knows about ``domain``: a report that carries the provider and its settings."""
    provider = index.by_domain(domain)
    if provider is None:
        return SourceReport(NAME, domain, Status.NOTHING)
    evidence = Evidence(NAME, provider.id, trusted=True, detail=support(provider))
    found = candidates(provider, evidence)
    return SourceReport(NAME, provider.id, Status.FOUND, found, detail=evidence.detail, provider=provider)


def candidates(provider: Provider, evidence: Evidence, at_most: Confidence = Confidence.HIGH) -> tuple[Candidate, ...]:
    """The provider's settings, none of them surer than ``at_most``; () unless clients can use the provider."""
    if provider.status is not ProviderStatus.ACTIVE:
        return ()
    order = list(Confidence)
    return tuple(
        Candidate(endpoint, (evidence,), max(confidence, at_most, key=order.index))
        for endpoint, confidence in provider.endpoints
    )


def support(provider: Provider) -> str:
    """What the provider's entry rests on, e.g. "quoted, live-checked; checked 2026-11-21"."""
    kinds = ", ".join(dict.fromkeys(origin.kind for origin in provider.origins))
    return f"{kinds}; checked {provider.checked}" if provider.checked else kinds
