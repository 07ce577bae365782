"""The public ISP database (ISPDB) of the Thunderbird project, asked by domain, never with an address."""

from __future__ import annotations

from ..clientconfig import parse
from ..errors import InvalidConfig
from ..model import Candidate, Confidence, Evidence, SourceReport
from . import Found, Net, Target, ask

NAME = "ispdb"


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report, none if the user does not want the database asked."""
    if target.ispdb is None:
        return []
    domain = target.address.domain
    location = target.ispdb.rstrip("/") + "/" + domain

    async def question() -> Found:
        page = await net.get(location)
        config = parse(page.body, domain, locator_is_own=False)
        if not config.covers_domain:
            # Only the domain's own server may answer with a file for another domain.
            raise InvalidConfig("discover.domain_mismatch", domain=domain, covers=", ".join(config.domains)[:200])
        evidence = Evidence(NAME, location, trusted=True, detail=config.display_name)
        # Third-party data: correct when it was written, and nobody tells when it no longer is.
        candidates = tuple(Candidate(endpoint, (evidence,), Confidence.MEDIUM) for endpoint in config.endpoints)
        return Found(candidates, config.display_name)

    return [await ask(NAME, location, question)]
