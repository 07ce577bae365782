"""The public ISP database, asked for whoever runs the domain's mail exchanger (draft-ietf-mailmaint-autoconfig §4).

DNS leads there: without DNSSEC the answer is not trusted, but it can only be one that the database has. It has to name
the domain, or the exchanger's name as one of exchangers.
"""

from __future__ import annotations

import asyncio

from ..clientconfig import parse
from ..model import Candidate, Confidence, SourceReport
from . import Found, Net, Target, ask, evidence_in_dns, mx
from .autoconfig import check_domain, services
from .ispdb import url

NAME = "mx-ispdb"


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report per name asked for, or one that nobody is asked; none if the user does not want it asked."""
    if target.ispdb is None:
        return []
    found = await mx.operator(NAME, target, net)
    if isinstance(found, SourceReport):
        return [found]
    # The exchanger's parent first, because it says more, as mx1.hosting.example.co.uk does.
    names = dict.fromkeys((found.parent, found.domain))
    return list(await asyncio.gather(*(_ask(url(target.ispdb, name), found, target, net) for name in names)))


async def _ask(location: str, operator: mx.Operator, target: Target, net: Net) -> SourceReport:
    domain = target.address.domain

    async def question() -> Found:
        page = await net.get(location)
        config = parse(page.body, domain, locator_is_own=False)
        check_domain(config, domain, (operator.domain, operator.parent))
        detail = f"{operator.exchanger} -> {config.display_name}"
        validator = operator.validator if page.is_authenticated else None
        evidence = evidence_in_dns(NAME, location, detail, validator)
        candidates = tuple(Candidate(endpoint, (evidence,), Confidence.MEDIUM) for endpoint in config.endpoints)
        return Found(candidates, evidence.detail, services=services(NAME, config))

    return await ask(NAME, location, question)
