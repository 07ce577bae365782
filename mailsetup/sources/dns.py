"""Pointers in DNS to the curated database: what autodiscover and autoconfig are aliases of, and the SPF record.

They help where the MX does not: behind filters, forwarders and servers of one's own. Neither says where the mailboxes
are: SPF (RFC 7208) only tells who may send for the domain, so it counts for little, and for nothing as soon as it names
several hosters or the MX is a hoster's.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

from ..database import candidates
from ..errors import LookupFailed
from ..model import Confidence, Provider, ProviderStatus, SourceReport
from . import Found, Net, Records, Target, ask, evidence_in_dns, mx

NAME = "dns"
_ALIASES = ("autodiscover", "autoconfig")
MAX_CHAIN = 4  # aliases of aliases; most lead to a known host at once
# RFC 7208 §12: what includes or replaces the record with another name's; macros and other qualifiers are left alone.
_SPF_NAME = re.compile(r"(?:\+?include:|redirect=)((?:[a-z0-9_-]+\.)+[a-z0-9-]+)\.?", re.IGNORECASE)


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report per alias, and one about the SPF record."""
    aliases = (_ask_alias(f"{label}.{target.address.domain}", target, net) for label in _ALIASES)
    return list(await asyncio.gather(*aliases, _ask_spf(target, net)))


async def _ask_alias(name: str, target: Target, net: Net) -> SourceReport:
    async def question() -> Found:
        answer = await net.cname(name)
        if not answer:
            return Found()
        if answer == await _alias_of_any_name(target, net):
            return Found(detail=f"* -> {answer[0]}")
        chain, validators = [answer[0]], [answer.validator]
        provider = target.database.by_autodiscover(chain[-1])
        while provider is None and len(chain) < MAX_CHAIN and (answer := await net.cname(chain[-1])):
            chain.append(answer[0])
            validators.append(answer.validator)
            provider = target.database.by_autodiscover(chain[-1])
        return _pointer(name, " -> ".join(chain), provider, target, Confidence.MEDIUM, *validators)

    return await ask(NAME, name, question)


async def _alias_of_any_name(target: Target, net: Net) -> Records[str]:
    """What a name is an alias of that nobody has thought of: an alias of the same says nothing."""
    try:
        return await net.cname(f"{target.unused_label}.{target.address.domain}")
    except LookupFailed:
        return Records()


async def _ask_spf(target: Target, net: Net) -> SourceReport:
    domain = target.address.domain

    async def question() -> Found:
        records, exchangers = await asyncio.gather(net.txt(domain), net.mx(domain))
        if all(not record.host for record in exchangers) or mx.interpret(exchangers, target).provider is not None:
            return Found()  # it takes no mail, or whoever takes it is known
        return interpret_spf(records, target, records.validator, exchangers.validator)

    return await ask(NAME, domain, question)


def interpret_spf(records: Iterable[str], target: Target, *validators: str | None) -> Found:
    """The one hoster that the domain's SPF record lets send, if there is just one; ``validators`` as for evidence."""
    names = spf_names(records)
    hosters = {provider for name in names if (provider := target.database.by_spf(name)) is not None}
    active = [provider for provider in hosters if provider.status is ProviderStatus.ACTIVE]
    provider = active[0] if len(active) == 1 else None
    return _pointer(target.address.domain, " ".join(names)[:200], provider, target, Confidence.LOW, *validators)


def spf_names(records: Iterable[str]) -> list[str]:
    """The names that the SPF record includes or redirects to, lower-case; [] for several records (RFC 7208 §4.5)."""
    policies = [record.split() for record in records if record.lower() == "v=spf1" or record.lower()[:7] == "v=spf1 "]
    if len(policies) != 1:
        return []
    return [match[1].lower() for term in policies[0] if (match := _SPF_NAME.fullmatch(term)) is not None]


def _pointer(
    locator: str,
    path: str,
    provider: Provider | None,
    target: Target,
    at_most: Confidence,
    *validators: str | None,
) -> Found:
    if provider is None or provider.status in (ProviderStatus.FILTER, ProviderStatus.FORWARDER):
        return Found(detail=path)
    evidence = evidence_in_dns(NAME, locator, f"{path} -> {provider.id}", *validators)
    found = candidates(provider, evidence, target.address.domain, at_most=at_most)
    return Found(found, evidence.detail, provider=provider)
