"""TXT records ``mailconf=<URL>``: where a domain's configuration file is (draft-ietf-mailmaint-autoconfig).

The pointer comes over plain DNS, so the file is not trusted, wherever it is. Outside the domain it has to name the
domain.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from ..address import parse_url, printable, same_owner
from ..model import Candidate, Evidence, SourceReport
from . import Found, Net, Target, ask, confidence_of_pointer
from .autoconfig import check_domain, fetch, services

NAME = "mailconf"
_TAG = "mailconf="
MAX_RECORDS = 2  # one is enough; two while it is being changed


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report per URL, or one that there is none."""
    domain = target.address.domain
    locations: list[str] = []

    async def question() -> Found:
        values = [record[len(_TAG) :].strip() for record in await net.txt(domain) if record.startswith(_TAG)]
        locations.extend(url for value in values if (url := parse_url(value)) is not None)
        invalid = "discover.invalid_values" if values and not locations else None
        return Found(code=invalid, detail=printable(", ".join(values))[:200])

    report = await ask(NAME, domain, question)
    if not locations:
        return [report]
    return list(await asyncio.gather(*(_ask(location, target, net) for location in locations[:MAX_RECORDS])))


async def _ask(location: str, target: Target, net: Net) -> SourceReport:
    async def question() -> Found:
        address = target.address
        is_owner = same_owner(urlsplit(location).hostname or "", address.domain)
        page, config = await fetch(location, address, net, is_owner=is_owner)
        if not is_owner:
            check_domain(config, address.domain)
        detail = " -> ".join(page.chain) if len(page.chain) > 1 else config.display_name
        evidence = Evidence(NAME, location, trusted=False, detail=detail)
        candidates = tuple(
            Candidate(endpoint, (evidence,), confidence_of_pointer(endpoint.host, address.domain))
            for endpoint in config.endpoints
        )
        mismatch = None if config.covers_domain else "discover.domain_mismatch"
        return Found(candidates, detail, mismatch, services=services(NAME, config))

    return await ask(NAME, location, question)
