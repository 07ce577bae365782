"""A survey of what a domain publishes: every place asked from outside, without credentials and without an address.

The sources of discovery are asked, and beside their answers what they do not care about: the records as they are,
aliases, types of files, and whether the named servers keep what is published about them.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .clientconfig import parse
from .deadline import Deadline
from .discovery import SOURCES
from .errors import FetchFailed, InvalidConfig, LookupFailed, NetworkError
from .fetch import Web
from .index import Index
from .model import Address, Candidate, NetworkOptions, ProbeResult, Security, SourceReport, Status
from .net import Network
from .prober import probe_endpoint
from .publishing import digest
from .resolver import Resolver
from .sources import MXRecord, SRVRecord, Target, autoconfig, http_autoconfig, pacc, srv, well_known

DEFAULT_TIMEOUT_S = 20.0
# The part of the deadline that is kept for the servers that are named.
VERIFICATION_SHARE = 0.35
# Nobody has more servers; whoever names more does not make us connect to all of them.
MAX_SERVERS = 24
# What the domain's owner writes. The others of ``discovery.SOURCES`` are other people's words, or guesses.
PUBLISHED = frozenset({"autoconfig", "well-known", "pacc", "autodiscover", "mailconf", "srv", "mx", "http-autoconfig"})
_FILES = {module.NAME: module for module in (autoconfig, well_known, http_autoconfig)}


class PublishedFile(NamedTuple):
    """A configuration file in one of its places, and how it is served."""

    report: SourceReport
    refusal: str = ""  # the status with which a question without an address is refused, "" if it is answered
    media_type: str = ""  # in lower case, without parameters; "" where it is not known
    skipped: tuple[str, ...] = ()  # server sections that cannot be used


class Survey(NamedTuple):
    """What was seen."""

    address: Address  # of the domain
    reports: tuple[SourceReport, ...]
    files: tuple[PublishedFile, ...]  # the most trusted place first
    mx: tuple[MXRecord, ...]
    srv: Mapping[str, tuple[SRVRecord, ...]]  # by service label; without those that could not be asked
    aliases: Mapping[str, str]  # SRV targets that are aliases, and of what
    unresolved: Mapping[str, str]  # SRV targets without an address, and the code that says why
    has_wildcard: bool
    has_pacc_digest: bool  # whether DNS vouches for a PACC document,
    has_pacc_file: bool  # and whether there is one
    live: tuple[ProbeResult, ...]
    elapsed_ms: float

    def of(self, *sources: str) -> list[SourceReport]:
        """The reports of ``sources``, in their order."""
        return [report for source in sources for report in self.reports if report.source == source]


async def take(
    address: Address, index: Index, options: NetworkOptions, resolver: Resolver, *, verify: bool = True
) -> Survey:
    """Ask about the domain of ``address``; with ``verify``, connect to the servers that are named.

    Trouble on the network never raises: it is in the reports.
    """
    started = time.monotonic()
    # Plain http is asked as well, because most clients do: what they would believe is part of the picture.
    options = options._replace(allow_http=True, verify=verify)
    deadline = Deadline(options.timeout_s or DEFAULT_TIMEOUT_S)
    network = Network(options, resolver, deadline)
    share = 1 - VERIFICATION_SHARE if verify else 1.0
    web = Web(network.until(deadline.within(deadline.remaining() * share)))
    domain = address.domain
    label = "x" + secrets.token_hex(8)
    target = Target(address._replace(local_part=None), index, None, unused_label=label, allow_http=True)
    sources = [source for source in SOURCES if source.NAME in PUBLISHED]
    answers, mx, services, has_wildcard, has_pacc_digest, has_pacc_file = await asyncio.gather(
        asyncio.gather(*(source.discover(target, web) for source in sources)),
        _mx(domain, web),
        _services(domain, web),
        _exists(f"{label}.{domain}", web),
        _has_pacc_digest(domain, web),
        _has_pacc_file(domain, web),
    )
    reports = tuple(report for answer in answers for report in answer)
    hosts = sorted({record.host for records in services.values() for record in records if record.host})
    named = _named(reports) if verify else []
    files, aliases, unresolved, live = await asyncio.gather(
        asyncio.gather(*(_file(report, domain, web) for report in reports if report.source in _FILES)),
        _aliases(hosts, web),
        _unresolved(hosts, web),
        asyncio.gather(*(probe_endpoint(candidate, network) for candidate in named)),
    )
    return Survey(
        address,
        reports,
        tuple(sorted(files, key=lambda file: list(_FILES).index(file.report.source))),
        mx,
        services,
        aliases,
        unresolved,
        has_wildcard,
        has_pacc_digest,
        has_pacc_file,
        tuple(live),
        (time.monotonic() - started) * 1000,
    )


def _named(reports: Iterable[SourceReport]) -> list[Candidate]:
    """Every encrypted server that the domain itself names, once."""
    named: dict[tuple[str, str, int, str], Candidate] = {}
    for report in reports:
        if report.source != "mx":  # leads to a provider's servers: they are in the database, and not the owner's words
            for candidate in report.candidates:
                if candidate.endpoint.security is not Security.PLAIN:
                    named.setdefault(candidate.endpoint.key, candidate)
    return list(named.values())[:MAX_SERVERS]


async def _mx(domain: str, web: Web) -> tuple[MXRecord, ...]:
    try:
        return tuple(await web.mx(domain))
    except LookupFailed:
        return ()


async def _services(domain: str, web: Web) -> dict[str, tuple[SRVRecord, ...]]:
    async def ask(label: str) -> tuple[SRVRecord, ...] | None:
        try:
            return tuple(await web.srv(f"{label}._tcp.{domain}"))
        except LookupFailed as error:
            return () if error.code == "dns.nxdomain" else None

    labels = [service.label for service in srv.SERVICES]
    answers = await asyncio.gather(*map(ask, labels))
    return {label: records for label, records in zip(labels, answers, strict=True) if records is not None}


async def _exists(name: str, web: Web) -> bool:
    try:
        await web.addresses(name)
    except LookupFailed as error:
        return error.code == "dns.private_address"
    return True


async def _has_pacc_digest(domain: str, web: Web) -> bool:
    try:
        return bool(pacc.digests(await web.txt(f"_ua-auto-config.{domain}")))
    except LookupFailed:
        return False


async def _has_pacc_file(domain: str, web: Web) -> bool:
    try:
        page = await web.get(pacc.url(domain))
        # Whatever its digest in DNS says: here the document vouches for itself.
        pacc.interpret(page, pacc.digests([digest(page.body)]))
    except (NetworkError, InvalidConfig):
        return False
    return True


async def _aliases(hosts: Iterable[str], web: Web) -> dict[str, str]:
    async def ask(host: str) -> tuple[str, list[str]]:
        try:
            return host, await web.cname(host)
        except LookupFailed:
            return host, []

    return {host: targets[0] for host, targets in await asyncio.gather(*map(ask, hosts)) if targets}


async def _unresolved(hosts: Iterable[str], web: Web) -> dict[str, str]:
    async def ask(host: str) -> tuple[str, str]:
        try:
            await web.addresses(host)
        except LookupFailed as error:
            return host, error.code
        return host, ""

    # What could not be asked is not known to be missing.
    answers = await asyncio.gather(*map(ask, hosts))
    return {host: code for host, code in answers if code in ("dns.nxdomain", "dns.no_address")}


async def _file(report: SourceReport, domain: str, web: Web) -> PublishedFile:
    """How the file is served that ``report`` is about."""
    if report.status is not Status.FOUND:
        return PublishedFile(report)
    try:
        page = await web.get(report.locator)
    except FetchFailed as error:
        return PublishedFile(report, refusal=error.facts.get("status", error.code))
    except NetworkError:
        return PublishedFile(report)
    try:
        skipped = parse(page.body, domain, locator_is_own=True).skipped
    except InvalidConfig:
        skipped = ()
    return PublishedFile(report, media_type=page.media_type, skipped=skipped)
