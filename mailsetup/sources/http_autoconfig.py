"""The domain's configuration file over plain http: anyone on the way can write it.

Asked only with ``--allow-http``, always untrusted, ranked last, and never with an address in the URL.
"""

from __future__ import annotations

from ..model import SourceReport
from . import Net, Target
from .autoconfig import ask_owner

NAME = "http-autoconfig"


def url(domain: str) -> str:
    """Where the file is."""
    return f"http://autoconfig.{domain}/mail/config-v1.1.xml"


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report for the one URL, none if the user does not want it asked."""
    if not target.allow_http:
        return []
    anonymous = target._replace(send_address=False)
    return [await ask_owner(NAME, url(target.address.domain), anonymous, net)]
