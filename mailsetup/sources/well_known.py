"""The domain's own configuration file below ``/.well-known`` (draft-ietf-mailmaint-autoconfig §4)."""

from __future__ import annotations

from ..model import SourceReport
from . import Net, Target
from .autoconfig import ask_owner

NAME = "well-known"


def url(domain: str) -> str:
    """Where the file is."""
    return f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml"


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report for the one URL."""
    return [await ask_owner(NAME, url(target.address.domain), target, net)]
