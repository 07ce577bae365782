"""The public ISP database (ISPDB) of the Thunderbird project, asked by domain, never with an address."""

from __future__ import annotations

from ..clientconfig import parse
from ..model import Candidate, Confidence, Evidence, SourceReport
from . import Found, Net, Target, ask
from .autoconfig import check_domain, services

NAME = "ispdb"


def url(base: str, domain: str) -> str:
    """Where the database at ``base`` has the file of a domain."""
    return f"{base.rstrip('/')}/{domain}"


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report, none if the user does not want the database asked."""
    if target.ispdb is None:
        return []
    domain = target.address.domain
    location = url(target.ispdb, domain)

    async def question() -> Found:
        page = await net.get(location)
        config = parse(page.body, domain, locator_is_own=False)
        check_domain(config, domain)
        evidence = Evidence(NAME, location, page.is_authenticated, config.display_name)
        # Third-party data: correct when it was written, and nobody tells when it no longer is.
        candidates = tuple(Candidate(endpoint, (evidence,), Confidence.MEDIUM) for endpoint in config.endpoints)
        return Found(candidates, config.display_name, services=services(NAME, config))

    return [await ask(NAME, location, question)]
