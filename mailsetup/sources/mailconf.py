"""TXT records ``mailconf=<URL>``: where a domain's configuration file is (draft-ietf-mailmaint-autoconfig).

Unless DNSSEC authenticates the pointer, the file is not trusted, wherever it is. Outside the domain it has to name the
domain.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from ..address import parse_url, printable, same_owner
from ..model import SourceReport
from . import Found, Net, Target, ask, evidence_in_dns, pointed
from .autoconfig import check_domain, fetch, services

NAME = "mailconf"
_TAG = "mailconf="
MAX_RECORDS = 2  # one is enough; two while it is being changed


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report per URL, or one that there is none."""
    domain = target.address.domain
    locations: list[str] = []
    validator: str | None = None

    async def question() -> Found:
        nonlocal validator
        records = await net.txt(domain)
        validator = records.validator
        values = [record[len(_TAG) :].strip() for record in records if record.startswith(_TAG)]
        locations.extend(url for value in values if (url := parse_url(value)) is not None)
        invalid = "discover.invalid_values" if values and not locations else None
        return Found(code=invalid, detail=printable(", ".join(values))[:200])

    report = await ask(NAME, domain, question)
    if not locations:
        return [report]
    asked = (_ask(location, validator, target, net) for location in locations[:MAX_RECORDS])
    return list(await asyncio.gather(*asked))


async def _ask(location: str, validator: str | None, target: Target, net: Net) -> SourceReport:
    async def question() -> Found:
        address = target.address
        is_owner = same_owner(urlsplit(location).hostname or "", address.domain)
        page, config = await fetch(location, address, net, is_owner=is_owner)
        if not is_owner:
            check_domain(config, address.domain)
        detail = " -> ".join(page.chain) if len(page.chain) > 1 else config.display_name
        evidence = evidence_in_dns(NAME, location, detail, validator)
        candidates = tuple(pointed(endpoint, evidence, target) for endpoint in config.endpoints)
        mismatch = None if config.covers_domain else "discover.domain_mismatch"
        return Found(candidates, evidence.detail, mismatch, services=services(NAME, config))

    return await ask(NAME, location, question)
