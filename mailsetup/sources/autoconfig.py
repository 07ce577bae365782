"""The domain's own configuration file on ``autoconfig.<domain>`` over https (draft-ietf-mailmaint-autoconfig §4).

Also the shared way of asking for such a file, which the other sources of this format use.

Many servers answer a bare URL, some insist on ``?emailaddress=``. The user's local part stays on this machine unless
``--send-address`` says otherwise: such a server is asked with two random local parts instead, and if both answers are
alike but for those, they are turned back into the placeholders that the format has for them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection
from urllib.parse import quote

from ..clientconfig import ClientConfig, parse
from ..errors import FetchFailed, InvalidConfig
from ..model import (
    USERNAME_ADDRESS,
    USERNAME_LOCAL_PART,
    Address,
    Candidate,
    Confidence,
    Endpoint,
    Evidence,
    Service,
    SourceReport,
)
from . import Found, Net, Page, Target, ask, means_nothing

NAME = "autoconfig"
_WANTS_AN_ADDRESS = frozenset({"400", "404", "422"})


def url(domain: str) -> str:
    """Where the file is."""
    return f"https://autoconfig.{domain}/mail/config-v1.1.xml"


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report for the one URL."""
    return [await ask_owner(NAME, url(target.address.domain), target, net)]


async def ask_owner(source: str, location: str, target: Target, net: Net) -> SourceReport:
    """Ask the domain's own server for its file."""

    async def question() -> Found:
        address = target.address
        if target.send_address and address.local_part is not None:
            page = await net.get(_with_address(location, address))
            return interpret(source, page, _read(page, address, address))
        return interpret(source, *await fetch(location, address, net))

    return await ask(source, location, question)


async def fetch(location: str, address: Address, net: Net, *, is_owner: bool = True) -> tuple[Page, ClientConfig]:
    """The file at ``location`` about the domain of ``address``, whose local part stays here.

    ``is_owner`` says that the domain's own server is asked. Raise NetworkError or InvalidConfig.
    """
    try:
        page = await net.get(location)
    except FetchFailed as error:
        if error.code != "http.status" or error.facts["status"] not in _WANTS_AN_ADDRESS:
            raise
        return await _fetch_for_strangers(location, address, net, error, is_owner=is_owner)
    return page, _read(page, address, is_owner=is_owner)


def check_domain(config: ClientConfig, domain: str, exchanger_names: Collection[str] = ()) -> None:
    """Raise InvalidConfig (``discover.domain_mismatch``) for a third party's file about other domains.

    It may name ``domain`` or, marked as such, a name of the mail exchanger that led to it. Only the domain's own server
    may answer with a file for another domain.
    """
    if not (config.covers_domain or set(config.mx_domains) & set(exchanger_names)):
        raise InvalidConfig("discover.domain_mismatch", domain=domain, covers=", ".join(config.domains)[:200])


def interpret(source: str, page: Page, config: ClientConfig) -> Found:
    """The candidates of a file that was fetched for its own domain."""
    trusted = page.is_authenticated
    detail = " -> ".join(page.chain) if len(page.chain) > 1 else config.display_name
    evidence = Evidence(source, page.chain[0], trusted, detail)
    confidence = Confidence.HIGH if trusted else Confidence.LOW
    return Found(
        tuple(Candidate(endpoint, (evidence,), confidence) for endpoint in config.endpoints),
        "; ".join(filter(None, (detail, "; ".join(config.skipped)[:200]))),
        # The owner's server may serve one file for many domains: it counts, and the ledger says so.
        None if config.covers_domain else "discover.domain_mismatch",
        services=services(source, config),
    )


def services(source: str, config: ClientConfig) -> tuple[Service, ...]:
    """What the file names beside mail."""
    return tuple(service._replace(source=source) for service in config.services)


def two_strangers(address: Address) -> tuple[Address, Address]:
    """Made-up addresses of the same domain, for servers that insist on one."""
    first, second = (address._replace(local_part="u" + secrets.token_hex(8)) for _ in range(2))
    return first, second


def generalise(endpoint: Endpoint, address: Address) -> Endpoint:
    """``endpoint`` with the login name of ``address``, which has a local part, turned back into its form."""
    assert address.local_part is not None
    forms = {str(address): USERNAME_ADDRESS, address.local_part: USERNAME_LOCAL_PART}
    return endpoint._replace(username_form=forms.get(endpoint.username_form, endpoint.username_form))


async def _fetch_for_strangers(
    location: str, address: Address, net: Net, refusal: FetchFailed, *, is_owner: bool
) -> tuple[Page, ClientConfig]:
    strangers = two_strangers(address)
    try:
        pages = await asyncio.gather(*(net.get(_with_address(location, stranger)) for stranger in strangers))
    except FetchFailed as error:
        if means_nothing(error):
            raise refusal from None  # one "no" is enough, and the first names no stranger
        raise
    first, second = (
        _read(page, address, stranger, is_owner=is_owner) for page, stranger in zip(pages, strangers, strict=True)
    )
    if first.endpoints != second.endpoints:
        raise refusal  # the answer depends on the person: nothing can be concluded from a stranger's
    return pages[0]._replace(chain=(location, *pages[0].chain[1:])), first


def _read(page: Page, address: Address, asked_for: Address | None = None, *, is_owner: bool = True) -> ClientConfig:
    config = parse(page.body, address.domain, locator_is_own=is_owner)
    if asked_for is None:
        return config
    return config._replace(endpoints=tuple(generalise(endpoint, asked_for) for endpoint in config.endpoints))


def _with_address(location: str, address: Address) -> str:
    return f"{location}?emailaddress={quote(str(address), safe='@')}"
