"""Outlook's Autodiscover (see ``pox``) on the domain's own hosts and where its SRV record points.

It is asked over https and without credentials; servers that demand a login get none. All insist on an address: it is a
made-up one, and a second one confirms what was said about the first, unless ``--send-address`` allows the real one for
the domain's own hosts. Where nobody answers at the host over https, and only with ``--allow-http``, it is asked over
plain http, as Outlook does, but only for the https address to ask instead. The JSON form (v2) is not asked: it names
services of Exchange, never IMAP, POP3 or SMTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from .. import pox
from ..address import owned_domain, parse, parse_url, printable, same_owner
from ..errors import FetchFailed, InputError, InvalidConfig
from ..model import Address, Confidence, Evidence, Notice, SourceReport
from . import Found, Net, Target, ask, evidence_in_dns, pointed, srv
from .autoconfig import generalise, two_strangers

NAME = "autodiscover"
MAX_REFERRALS = 3  # answers that only say where to ask, or about whom
# What a host answers that has nobody for https under its name; a time-out leaves no time to ask it something else.
_NOBODY_THERE = ("http.certificate", "tcp.refused", "tcp.reset", "tls.")


class _Statement(NamedTuple):
    answer: pox.Answer  # login names turned back into their forms
    chain: tuple[str, ...]  # every address asked, in order
    about: Address  # the one that the last question was about


def url(host: str) -> str:
    """Where ``host`` answers."""
    return f"https://{host}{pox.PATH}"


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report for the domain, for its host ``autodiscover``, for where plain http leads, and for the SRV record."""
    domain = target.address.domain
    at_domain, at_host, by_srv = await asyncio.gather(
        _ask_owner(url(domain), target, net),
        _ask_host(f"autodiscover.{domain}", target, net),
        _ask_srv(f"_autodiscover._tcp.{domain}", target, net),
    )
    return [at_domain, *at_host, by_srv]


async def _ask_host(host: str, target: Target, net: Net) -> list[SourceReport]:
    report = await _ask_owner(url(host), target, net)
    if report.code == "http.status" and report.detail == "401":
        # Hosters answer without a login; who wants one here is Exchange, as a rule.
        report = report._replace(notices=(Notice("exchange", {"host": host}),))
    is_mute = (report.code or "").startswith(_NOBODY_THERE)
    return [report, await _ask_for_redirect(host, target, net)] if is_mute and target.allow_http else [report]


async def _ask_owner(location: str, target: Target, net: Net) -> SourceReport:
    async def question() -> Found:
        said = await _agreed(location, target, net)
        detail = " -> ".join(said.chain) if len(said.chain) > 1 else ""
        return _found(said, Evidence(NAME, location, trusted=True, detail=detail), target)

    return await ask(NAME, location, lambda: _without_strange_hosts(question))


async def _ask_for_redirect(host: str, target: Target, net: Net) -> SourceReport:
    """What is said at the https address that plain http redirects to, and that anyone on the way can name."""
    plain = f"http://{host}{pox.PATH}"

    async def question() -> Found:
        location = await net.redirect(plain)
        if not location or urlsplit(location).hostname == host:
            raise InvalidConfig("discover.not_autoconfig")
        said = await _agreed(location, target, net)
        return _found(said, Evidence(NAME, plain, trusted=False, detail=" -> ".join((plain, *said.chain))), target)

    return await ask(NAME, plain, lambda: _without_strange_hosts(question))


async def _ask_srv(name: str, target: Target, net: Net) -> SourceReport:
    async def question() -> Found:
        records = await net.srv(name)
        if srv.is_declined(records):
            return Found(code="srv.not_available", detail="target .")
        usable, invalid = srv.in_order(records)
        if not usable:
            return Found(
                code="discover.invalid_values" if invalid else None, detail=printable(", ".join(invalid))[:200]
            )
        host = usable[0].host if usable[0].port == 443 else f"{usable[0].host}:{usable[0].port}"
        said = await _agreed(url(host), target, net)
        return _found(said, evidence_in_dns(NAME, name, " -> ".join(said.chain), records.validator), target)

    return await ask(NAME, name, question)


async def _without_strange_hosts(question: Callable[[], Awaitable[Found]]) -> Found:
    """What ``question`` finds; nothing where a server for other names answers.

    Aliases of a hoster's name are everywhere, and its certificate never has the customer's name. Outlook goes on then,
    too.
    """
    try:
        return await question()
    except FetchFailed as error:
        if error.code == "http.certificate" and error.facts["reason"] == "tls.cert.hostname":
            return Found(code=error.code, detail=error.facts["reason"])
        raise


async def _agreed(location: str, target: Target, net: Net) -> _Statement:
    """What is said alike about two people at ``location``, or about the user where that is allowed."""
    first, second = two_strangers(target.address)
    said = await _enquire(location, first, target, net)
    if said.about != target.address:
        again = await _enquire(location, second, target, net)
        if again.answer != said.answer:
            # What depends on the person cannot be concluded from a stranger's.
            raise InvalidConfig("discover.invalid_values", values="LoginName")
    return said


def _found(said: _Statement, evidence: Evidence, target: Target) -> Found:
    candidates = tuple(pointed(endpoint, evidence, target, Confidence.MEDIUM) for endpoint in said.answer.endpoints)
    return Found(candidates, "; ".join(filter(None, (evidence.detail, "; ".join(said.answer.skipped)[:200]))))


async def _enquire(location: str, stranger: Address, target: Target, net: Net) -> _Statement:
    """What is said about ``stranger``, or about the user where that is allowed, after all referrals."""
    about = stranger

    def question(host: str) -> bytes:
        nonlocal about
        is_allowed = target.send_address and target.address.local_part is not None
        about = target.address if is_allowed and same_owner(host, target.address.domain) else stranger
        return pox.request(about)

    chain: list[str] = []
    for _ in range(MAX_REFERRALS + 1):
        page = await net.post(location, question)
        chain += page.chain
        answer = pox.parse(page.body)
        if answer.endpoints:
            generalised = tuple(generalise(endpoint, about) for endpoint in answer.endpoints)
            return _Statement(answer._replace(endpoints=generalised), tuple(chain), about)
        location = _referral(answer)
    raise FetchFailed("http.too_many_redirects", url=location)


def _referral(answer: pox.Answer) -> str:
    """Where ``answer`` says to ask instead; raise InvalidConfig for what must not be asked.

    Another address only tells another domain: whom it belongs to there is for the user's own client to find out.
    """
    if answer.url:
        location = parse_url(answer.url)
    else:
        try:
            domain = parse(answer.address).domain
        except InputError:
            domain = ""
        location = url(f"autodiscover.{domain}") if domain and owned_domain(domain) else None
    if location is None:
        raise InvalidConfig("discover.invalid_values", values=printable(answer.url or answer.address)[:200])
    return location
