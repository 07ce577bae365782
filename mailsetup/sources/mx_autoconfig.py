"""The configuration file of whoever runs the domain's mail exchanger (draft-ietf-mailmaint-autoconfig §4).

DNS leads there: without DNSSEC the file is not trusted. It has to name the domain. The address stays here in any case.
"""

from __future__ import annotations

import asyncio

from ..model import Confidence, SourceReport
from . import Found, Net, Target, ask, autoconfig, evidence_in_dns, mx, pointed, well_known

NAME = "mx-autoconfig"


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report per URL, or one that nobody is asked."""
    found = await mx.operator(NAME, target, net)
    if isinstance(found, SourceReport):
        return [found]
    locations = (autoconfig.url(found.domain), well_known.url(found.domain))
    return list(await asyncio.gather(*(_ask(location, found, target, net) for location in locations)))


async def _ask(location: str, operator: mx.Operator, target: Target, net: Net) -> SourceReport:
    domain = target.address.domain

    async def question() -> Found:
        page, config = await autoconfig.fetch(location, target.address, net, is_owner=False)
        autoconfig.check_domain(config, domain, (operator.domain, operator.parent))
        detail = " -> ".join((operator.exchanger, *(page.chain if len(page.chain) > 1 else [config.display_name])))
        evidence = evidence_in_dns(NAME, location, detail, operator.validator)
        candidates = tuple(pointed(endpoint, evidence, target, Confidence.MEDIUM) for endpoint in config.endpoints)
        return Found(candidates, evidence.detail, services=autoconfig.services(NAME, config))

    return await ask(NAME, location, question)
