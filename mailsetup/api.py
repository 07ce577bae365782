"""The calls that the command line and library users share.

Those that may need the network (``lookup``, ``discover``, ``probe``, ``audit``) have an ``async`` twin for callers that
run an event loop; there, the others raise RuntimeError as soon as they need it. Imports are inside the functions: a
lookup that the database answers must not pay for the network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Coroutine, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from . import address as addresses
from . import database
from .answers import conclude
from .errors import ExportError, InputError
from .index import Index
from .model import (
    Account,
    AccountServer,
    Address,
    Candidate,
    Confidence,
    Lookup,
    NetworkOptions,
    Protocol,
    Security,
    SourceReport,
    Status,
)
from .ranking import rank

if TYPE_CHECKING:
    from .auditing import Audit
    from .explaining import Explanation
    from .exporters import Export
    from .model import Endpoint, ProbeResult, Provider
    from .probing import Plan
    from .publishing import PublishedFile
    from .resolver import Resolver
    from .wire import Secret

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

ALL_PROTOCOLS = frozenset(Protocol)
# Without what only an option allows.
NETWORK_SOURCES = (
    *("autoconfig", "well-known", "pacc", "ispdb", "autodiscover", "mx", "mx-ispdb", "srv", "dns", "mailconf"),
    *("mx-autoconfig", "guess"),
)


def lookup(
    query: str,
    *,
    offline: bool = False,
    online: bool = False,
    protocols: Iterable[Protocol] = ALL_PROTOCOLS,
    options: NetworkOptions | None = None,
    whole_ledger: bool = False,
) -> Lookup:
    """The mail settings for an address or domain.

    The curated database answers at once and without network. For a domain it does not know, discovery asks the domain
    itself, unless ``offline``; ``online`` runs discovery in any case and compares. Raises InputError for a query that
    is neither an address nor a domain; trouble on the network is in the result (``status``, ``reports``).
    """
    answer = from_database(query, protocols, offline=offline, online=online)
    if answer is not None:
        return answer
    return _run(lookup_async, query, online=online, protocols=protocols, options=options, whole_ledger=whole_ledger)


def from_database(
    query: str, protocols: Iterable[Protocol] = ALL_PROTOCOLS, *, offline: bool = False, online: bool = False
) -> Lookup | None:
    """The database's answer, or None if the network has to be asked; raise InputError."""
    started = time.monotonic()
    address = addresses.parse(query)
    if online and not offline:
        return None
    report = database.discover(address.domain, index())
    if report.provider is None and not offline:
        return None
    report = report._replace(elapsed_ms=(time.monotonic() - started) * 1000)
    return without_network(query, address, report, frozenset(protocols), started)


def without_network(
    query: str, address: Address, report: SourceReport, protocols: frozenset[Protocol], started: float
) -> Lookup:
    """The answer if the database's ``report`` on ``address`` is all there is; ``started``: see ``conclude``."""
    reports = [report]
    if report.provider is None:
        skipped = "--offline"
        reports += [SourceReport(name, address.domain, Status.SKIPPED, detail=skipped) for name in NETWORK_SOURCES]
    return conclude(query, address, reports, rank(reports, address.domain, protocols), protocols, started)


@cache
def index() -> Index:
    """The installed database, read once; raise DataError if there is none that can be used."""
    return Index.load()


def provider(key: str) -> Provider:
    """The provider with this id, or of this mail domain or address; raise InputError if the database has none."""
    return database.find(index(), key)


async def lookup_async(
    query: str,
    *,
    offline: bool = False,
    online: bool = False,
    protocols: Iterable[Protocol] = ALL_PROTOCOLS,
    options: NetworkOptions | None = None,
    whole_ledger: bool = False,
    resolver: Resolver | None = None,
) -> Lookup:
    """``lookup`` for callers with a running event loop; ``resolver`` shares DNS answers between calls."""
    answer = from_database(query, protocols, offline=offline, online=online)
    if answer is not None:
        return answer
    return await discover_async(
        query, protocols=protocols, options=options, whole_ledger=whole_ledger, resolver=resolver
    )


def discover(
    query: str,
    *,
    protocols: Iterable[Protocol] = ALL_PROTOCOLS,
    options: NetworkOptions | None = None,
    whole_ledger: bool = False,
    waiting_for: Callable[[tuple[str, ...]], None] | None = None,
) -> Lookup:
    """What the network says about an address or domain, compared with the database where it has an entry."""
    return _run(
        discover_async,
        query,
        protocols=protocols,
        options=options,
        whole_ledger=whole_ledger,
        waiting_for=waiting_for,
    )


async def discover_async(
    query: str,
    *,
    protocols: Iterable[Protocol] = ALL_PROTOCOLS,
    options: NetworkOptions | None = None,
    whole_ledger: bool = False,
    waiting_for: Callable[[tuple[str, ...]], None] | None = None,
    resolver: Resolver | None = None,
) -> Lookup:
    """``discover`` for callers with a running event loop."""
    from . import discovery
    from .resolver import Resolver

    address = addresses.parse(query)
    options = options or NetworkOptions()
    known = database.discover(address.domain, index())
    return await discovery.discover(
        query,
        address,
        index(),
        options,
        resolver or Resolver.of(options),
        known=known,
        protocols=frozenset(protocols),
        whole_ledger=whole_ledger,
        waiting_for=waiting_for,
    )


def probe(
    target: str | Candidate | Lookup,
    *,
    protocols: Iterable[Protocol] = ALL_PROTOCOLS,
    everything: bool = False,
    username: str | None = None,
    password: Secret | str | None = None,
    token: Secret | str | None = None,
    send_test: bool = False,
    options: NetworkOptions | None = None,
    trace: Callable[[str], None] | None = None,
) -> tuple[ProbeResult, ...]:
    """Prove settings with live connections, all protocols at once.

    ``target`` is an address or domain (its recommended settings are probed, with ``everything`` all of them), an
    endpoint such as ``imaps://imap.qq.com`` or ``imap.qq.com:993``, or what an earlier lookup returned. With
    ``password``, or ``token`` (OAuth2), the account is logged in to and tried, one attempt per protocol; what is
    refused is not tried again. ``send_test`` sends one message to oneself and waits for it. Raises InputError for a
    target that cannot be understood, or a login that cannot be sent.
    """
    return _run(
        probe_async,
        target,
        protocols=protocols,
        everything=everything,
        username=username,
        password=password,
        token=token,
        send_test=send_test,
        options=options,
        trace=trace,
    )


async def probe_async(
    target: str | Candidate | Lookup,
    *,
    protocols: Iterable[Protocol] = ALL_PROTOCOLS,
    everything: bool = False,
    username: str | None = None,
    password: Secret | str | None = None,
    token: Secret | str | None = None,
    send_test: bool = False,
    options: NetworkOptions | None = None,
    trace: Callable[[str], None] | None = None,
    resolver: Resolver | None = None,
) -> tuple[ProbeResult, ...]:
    """``probe`` for callers with a running event loop."""
    from . import probing
    from .resolver import Resolver

    options = options or NetworkOptions()
    resolver = resolver or Resolver.of(options)
    secret = _secret(password, token)
    work = await plan_async(
        target, protocols=protocols, everything=everything, username=username, options=options, resolver=resolver
    )
    return await probing.probe_all(work, options, resolver, secret=secret, send_test=send_test, trace=trace)


def _secret(password: Secret | str | None, token: Secret | str | None) -> Secret | None:
    """What to log in with; raise InputError for both."""
    from .wire import Secret, Token

    if token is None:
        return Secret(password) if isinstance(password, str) else password
    if password is not None:
        raise InputError("input.password_and_token")
    return Token(token if isinstance(token, str) else token.reveal())


async def plan_async(
    target: str | Candidate | Lookup,
    *,
    protocols: Iterable[Protocol] = ALL_PROTOCOLS,
    everything: bool = False,
    username: str | None = None,
    options: NetworkOptions | None = None,
    resolver: Resolver | None = None,
) -> Plan:
    """What ``probe`` would try for ``target``; an address or domain is looked up first. Raises InputError."""
    from . import probing

    wanted = frozenset(protocols)
    if isinstance(target, str):
        endpoint = probing.parse_endpoint(target)
        if endpoint is None:
            # The probe itself is the live check.
            options = options or NetworkOptions()
            limit_s = probing.timeout_s(options) * probing.LOOKUP_SHARE
            unverified = options._replace(verify=False, timeout_s=limit_s)
            answer = await lookup_async(target, protocols=wanted, options=unverified, resolver=resolver)
            work = probing.plan_lookup(answer, wanted, username, everything=everything)
            return work._replace(spent_s=answer.elapsed_ms / 1000)
        target = Candidate(endpoint, (), Confidence.MEDIUM)
    if isinstance(target, Candidate):
        return probing.plan_endpoint(target, username)
    return probing.plan_lookup(target, wanted, username, everything=everything)


def export(
    target: str | Lookup | Account,
    to: str,
    *,
    display_name: str = "",
    password_command: str = "",
    client_version: str = "",
    offline: bool = False,
) -> Export:
    """The configuration of ``target`` in the format called ``to`` (a key of ``exporters.EXPORTERS``).

    ``target`` is an address, a domain where the format is not about one person, what an earlier ``lookup`` of it
    returned, or an ``Account``, which has the other arguments in its fields. Raises KeyError for an unknown format,
    InputError for what is neither address nor domain, and for a command or version that the format has no place for,
    ExportError if the format cannot express the account.
    """
    from .exporters import check_target, check_wishes, load

    exporter = load(to)
    if isinstance(target, Account):
        check_wishes(exporter, target.password_command, target.client_version)
        return exporter.render(target)
    check_wishes(exporter, password_command, client_version)
    if isinstance(target, str):
        check_target(exporter, target)
        target = lookup(target, offline=offline)
    account = account_of(target, display_name, exporter.PROTOCOLS)
    return exporter.render(account._replace(password_command=password_command, client_version=client_version))


def account_of(answer: Lookup, display_name: str = "", protocols: Container[Protocol] = frozenset(Protocol)) -> Account:
    """The account that a lookup describes; raise ExportError if it lacks servers for a direction of ``protocols``.

    For a domain it is nobody's in particular: login names are "", and their form is in the endpoints.
    """
    address = answer.address
    if not answer.incoming and (Protocol.IMAP in protocols or Protocol.POP3 in protocols):
        raise ExportError("export.no_incoming", domain=address.domain)
    if not answer.outgoing and Protocol.SMTP in protocols:
        raise ExportError("export.no_outgoing", domain=address.domain)
    return Account(
        address,
        display_name,
        _servers(answer.incoming, address),
        _servers(answer.outgoing, address),
        answer.provider,
        answer.notices,
    )


def _servers(candidates: tuple[Candidate, ...], address: Address) -> tuple[AccountServer, ...]:
    return tuple(
        AccountServer(candidate.endpoint, candidate.endpoint.username(address) or "")
        for candidate in candidates
        if candidate.endpoint.security is not Security.PLAIN
    )


def explain(words: str | bytes, *, provider: str | None = None, protocol: Protocol | None = None) -> Explanation:
    """What ``words`` of a mail server or mail program mean, and what to do, in the language of ``i18n``.

    Bytes may be in whatever charset. ``provider`` is an id, mail domain or address; raises InputError for an unknown
    one, for no words and for too many.
    """
    from . import explaining, i18n, pasted

    data = words if isinstance(words, bytes) else words.encode("utf-8", "replace")
    if len(data) > pasted.MAX_BYTES:
        raise InputError("input.text_too_long", limit=str(pasted.MAX_BYTES))
    lines = pasted.lines(data)
    if not lines:
        raise InputError("input.no_text")
    whose = None if provider is None else database.find(index(), provider)
    return explaining.explain(lines, index(), i18n.language(), whose, protocol)


def audit(domain: str, *, verify: bool = True, options: NetworkOptions | None = None) -> Audit:
    """What a domain publishes for mail clients, seen from outside: what clients get from it, and what is wrong.

    ``verify`` also connects to the servers that are named. Raises InputError for what is no domain; trouble on the
    network is part of the audit.
    """
    return _run(audit_async, domain, verify=verify, options=options)


async def audit_async(
    domain: str, *, verify: bool = True, options: NetworkOptions | None = None, resolver: Resolver | None = None
) -> Audit:
    """``audit`` for callers with a running event loop."""
    from . import auditing, survey
    from .resolver import Resolver

    options = options or NetworkOptions()
    address = addresses.parse_domain(domain)
    resolver = resolver or Resolver.of(options)
    return auditing.judge(await survey.take(address, index(), options, resolver, verify=verify))


def publish(domain: str, servers: Iterable[Endpoint], *, name: str = "", web: str = "") -> tuple[PublishedFile, ...]:
    """The DNS records and files that tell mail clients about ``servers``: encrypted ones, preferred first.

    ``name`` is what people call the service, ``web`` the host of the web server that gets the files; both are the
    domain if they are left out. Raises InputError for what clients would refuse and what must not be published,
    ExportError (``export.*``) for a login that a file cannot express.
    """
    from . import publishing

    return publishing.render(publishing.offer(addresses.parse_domain(domain), servers, name=name, web=web))


def _run(
    twin: Callable[Arguments, Coroutine[Any, Any, Result]], *arguments: Arguments.args, **options: Arguments.kwargs
) -> Result:
    """What ``twin`` returns, in an event loop of its own; raise RuntimeError where one is running already."""
    import asyncio  # 48 ms: only where the network is used

    from . import eventloop

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass  # none is running
    else:
        raise RuntimeError(f"an event loop is running here: await mailsetup.{twin.__name__}() with the same arguments")
    return eventloop.run(twin(*arguments, **options))
