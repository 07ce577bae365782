"""The curated database, by mail domain: the only source that needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from .address import parse
from .errors import InputError
from .index import Index
from .model import (
    Candidate,
    Confidence,
    Endpoint,
    Evidence,
    Provider,
    ProviderStatus,
    Security,
    SourceReport,
    Status,
)

NAME = "providers"


def find(index: Index, key: str) -> Provider:
    """The provider with this id or name, or of this mail domain, address, MX host or server.

    Raise InputError if there is none, or if a server is that of several.
    """
    named = (
        provider for provider in index if key.casefold() in (provider.name.casefold(), provider.name_zh.casefold())
    )
    found = index.by_id(key.lower()) or next(named, None)
    if found is None and ("." in key or "@" in key):
        host = parse(key).domain
        found = index.by_domain(host) or index.by_mx(host)
        if found is None and (owners := [provider for provider in index if host in _servers(provider)]):
            if len(owners) > 1:
                ids = ", ".join(provider.id for provider in owners)
                raise InputError("input.several_providers", query=key, ids=ids)
            found = owners[0]
    if found is None:
        raise InputError("input.unknown_provider", query=key)
    return found


def search(index: Index, words: Sequence[str]) -> list[Provider]:
    """The providers that have something with each of ``words`` in it; () as words for all.

    Those that are called so or have such mail domains come first, then those that have such servers or MX hosts.
    """
    wanted = [word.casefold().rpartition("@")[2] for word in words]
    covered = {word: [found.id for found in (index.by_domain(word), index.by_mx(word)) if found] for word in wanted}
    called: list[Provider] = []
    related: list[Provider] = []
    for provider in index:
        names = (provider.id, provider.name, provider.name_zh, *provider.domains, *provider.reported_domains)
        hosts = (*provider.mx, *provider.spf, *provider.autodiscover, *_servers(provider), *provider.wrong_hosts)
        if all(_occurs(word, names) for word in wanted):
            called.append(provider)
        elif all(provider.id in covered[word] or _occurs(word, names + hosts) for word in wanted):
            related.append(provider)
    return called + related


def _occurs(word: str, names: Iterable[str]) -> bool:
    return any(word in name.casefold() for name in names)


def _servers(provider: Provider) -> tuple[str, ...]:
    return tuple(endpoint.host for endpoint, _confidence in provider.endpoints)


def discover(domain: str, index: Index) -> SourceReport:
    """What the database knows about ``domain``: a report that carries the provider and its settings."""
    provider = index.by_domain(domain)
    if provider is None:
        return SourceReport(NAME, domain, Status.NOTHING)
    evidence = Evidence(NAME, provider.id, trusted=True, detail=support(provider))
    found = candidates(provider, evidence, domain, at_most=_at_most(domain, provider))
    return SourceReport(NAME, provider.id, Status.FOUND, found, detail=evidence.detail, provider=provider)


def candidates(
    provider: Provider, evidence: Evidence, domain: str, mx_host: str = "", *, at_most: Confidence = Confidence.HIGH
) -> tuple[Candidate, ...]:
    """The provider's settings for ``domain``, none of them surer than ``at_most``; () unless clients can use it.

    ``mx_host`` is the mail exchanger that led to the provider. Servers that are named after it are left out without it.
    """
    if provider.status is not ProviderStatus.ACTIVE:
        return ()
    order = list(Confidence)
    return tuple(
        Candidate(_filled_in(endpoint, domain, mx_host), (evidence,), max(confidence, at_most, key=order.index))
        for endpoint, confidence in provider.endpoints
        if mx_host or "%MX%" not in endpoint.host
    )


def support(provider: Provider) -> str:
    """What the provider's entry rests on, e.g. "quoted, live-checked; checked 2026-11-21"."""
    kinds = ", ".join(dict.fromkeys(origin.kind for origin in provider.origins))
    words = f"{kinds}; checked {provider.checked}" if provider.checked else kinds
    rivals = [
        f"{conflict.protocol.upper()} {conflict.host}:{conflict.port} {conflict.security}"
        f" by {', '.join(conflict.said_by)} ({conflict.rule})"
        for conflict in provider.conflicts
    ]
    return "; outvoted: ".join([words, *rivals])


def owner_of(host: str, index: Index) -> str | None:
    """The id of the provider whose server ``host`` is: of an active one, and not from old mentions only."""
    return _owners(index).get(host)


@lru_cache(maxsize=1)
def _owners(index: Index) -> dict[str, str]:
    # Whoever registers a name that only an old mention has can receive passwords there.
    return {
        rated.endpoint.host: provider.id
        for provider in index
        if provider.status is ProviderStatus.ACTIVE
        for rated in provider.endpoints
        if rated.confidence is not Confidence.LOW
        and rated.endpoint.security is not Security.PLAIN
        and "%" not in rated.endpoint.host
    }


def _at_most(domain: str, provider: Provider) -> Confidence:
    """How sure it can be that ``domain`` is the provider's: sound servers do not help if it is not, or not any more."""
    pattern, parent = domain, domain
    while pattern not in provider.domains and pattern not in provider.reported_domains and "." in parent:
        parent = parent.partition(".")[2]
        pattern = "*." + parent
    if pattern in provider.reported_domains:
        return Confidence.LOW
    return Confidence.MEDIUM if pattern in provider.listed_domains else Confidence.HIGH


def _filled_in(endpoint: Endpoint, domain: str, mx_host: str) -> Endpoint:
    if "%" not in endpoint.host:
        return endpoint
    return endpoint._replace(host=endpoint.host.replace("%EMAILDOMAIN%", domain).replace("%MX%", mx_host))
