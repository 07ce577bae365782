"""Stand-ins for the network and the clock, and short ways to write the records that many tests need."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from mailsetup.address import parse
from mailsetup.errors import LookupFailed, NetworkError
from mailsetup.index import Index, encode
from mailsetup.model import (
    Authentication,
    Candidate,
    Confidence,
    Endpoint,
    Evidence,
    Note,
    Origin,
    ProbeResult,
    Protocol,
    Provider,
    ProviderStatus,
    RatedEndpoint,
    Security,
    SourceReport,
    Stage,
    Status,
    TLSFacts,
)
from mailsetup.sources import MXRecord, Page, Records, SRVRecord, Target

Result = TypeVar("Result")
# What a URL answers: a body, a page (after redirects), a failure, or something made for the URL.
Answer = bytes | Page | NetworkError | Callable[[str], bytes | NetworkError]

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS, PLAIN = Security.TLS, Security.STARTTLS, Security.PLAIN
UNAUTHENTICATED = ("mx", "mx-ispdb", "srv", "dns", "mailconf", "mx-autoconfig", "http-autoconfig", "guess")
ISPDB = "https://ispdb.example.net/v1.1/"


class FakeNet:
    """The network as tables that read like a zone file; what is not in them does not exist.

    A failure is a value like any other. A key of ``pages`` that ends with "?" answers every query string; ``redirects``
    maps a URL to where it leads, "" if nowhere; a function in ``posts`` is given what was posted; ``servers`` maps
    "imap.example.com:993" to the code of a failed connection, or None if it works; ``validator`` has validated the
    answers to the DNS questions in ``signed`` ("MX example.com"); ``delays`` maps what is asked ("MX example.com",
    "GET https://…") to seconds. ``asked`` keeps every question, in order, ``posted`` every body.
    """

    def __init__(
        self,
        *,
        mx: Mapping[str, Sequence[MXRecord] | NetworkError] | None = None,
        srv: Mapping[str, Sequence[SRVRecord] | NetworkError] | None = None,
        txt: Mapping[str, Sequence[str] | NetworkError] | None = None,
        cname: Mapping[str, str | NetworkError] | None = None,
        hosts: Mapping[str, Sequence[str] | NetworkError] | None = None,
        posts: Mapping[str, bytes | Page | NetworkError | Callable[[bytes], bytes | NetworkError]] | None = None,
        servers: Mapping[str, str | None] | None = None,
        pages: Mapping[str, Answer] | None = None,
        redirects: Mapping[str, str | NetworkError] | None = None,
        delays: Mapping[str, float] | None = None,
        signed: Collection[str] = (),
        validator: str = "127.0.0.1",
    ) -> None:
        self._mx, self._srv, self._pages, self._delays = mx or {}, srv or {}, pages or {}, delays or {}
        self._txt, self._cname, self._hosts = txt or {}, cname or {}, hosts or {}
        self._posts, self._servers = posts or {}, servers or {}
        self._redirects = redirects or {}
        self._signed, self._validator = signed, validator
        self.asked: list[str] = []
        self.posted: list[bytes] = []
        self.given_up: list[str] = []  # questions that were cancelled before they were answered

    async def mx(self, domain: str) -> Records[MXRecord]:
        return await self._records(f"MX {domain}", self._mx.get(domain, []))

    async def srv(self, name: str) -> Records[SRVRecord]:
        return await self._records(f"SRV {name}", self._srv.get(name, []))

    async def txt(self, name: str) -> Records[str]:
        return await self._records(f"TXT {name}", self._txt.get(name, []))

    async def cname(self, name: str) -> Records[str]:
        alias: str | Sequence[str] | NetworkError = self._cname.get(name, ())
        return await self._records(f"CNAME {name}", [alias] if isinstance(alias, str) else alias)

    async def _records(self, question: str, answer: Sequence[Result] | NetworkError) -> Records[Result]:
        await self._question(question)
        return Records(_value(answer), self._validator if question in self._signed else None)

    async def addresses(self, host: str) -> list[str]:
        await self._question(f"A {host}")
        return list(_value(self._hosts.get(host, LookupFailed("dns.nxdomain", name=host))))

    async def post(self, url: str, body: Callable[[str], bytes]) -> Page:
        await self._question(f"POST {url}")
        content = body(urlsplit(url).hostname or "")
        self.posted.append(content)
        answer = self._posts.get(url, LookupFailed("dns.nxdomain", name=url.split("/")[2]))
        if callable(answer):
            answer = answer(content)
        if isinstance(answer, NetworkError):
            raise answer
        return answer if isinstance(answer, Page) else Page(url, (url,), answer)

    async def probe(self, candidate: Candidate, limit_s: float) -> ProbeResult:
        place = f"{candidate.endpoint.host}:{candidate.endpoint.port}"
        try:
            async with asyncio.timeout(limit_s):
                await self._question(f"PROBE {place}")
        except TimeoutError:
            code: str | None = "tcp.timeout"
        else:
            code = self._servers.get(place, "tcp.refused")
        stage, tls = Stage.CAPABILITY, TLSFacts("TLSv1.3", None, verified=True)
        return ProbeResult(candidate._replace(verified=code is None), None, code is None, stage, code, tls=tls)

    async def get(self, url: str) -> Page:
        await self._question(f"GET {url}")
        answer = self._pages.get(url)
        if answer is None:
            answer = self._pages.get(url[: url.find("?") + 1], LookupFailed("dns.nxdomain", name=url.split("/")[2]))
        if callable(answer):
            answer = answer(url)
        if isinstance(answer, NetworkError):
            raise answer
        return answer if isinstance(answer, Page) else Page(url, (url,), answer)

    async def redirect(self, url: str) -> str:
        await self._question(f"GET {url}")
        return _value(self._redirects.get(url, LookupFailed("dns.nxdomain", name=url.split("/")[2])))

    async def _question(self, question: str) -> None:
        # Answers of the DNS are shared by all who want them, as ``resolver`` does it.
        is_shared = not question.startswith(("GET", "POST", "PROBE"))
        if not (is_shared and question in self.asked):
            self.asked.append(question)
        try:
            await asyncio.sleep(self._delays.get(question, 0))
        except asyncio.CancelledError:
            if not (is_shared and question in self.given_up):
                self.given_up.append(question)
            raise


def _value(answer: Result | NetworkError) -> Result:
    if isinstance(answer, NetworkError):
        raise answer
    return answer


class _LeapingSelector(selectors.SelectSelector):
    """Where others would sleep, this moves its clock forward."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        assert ready or timeout is not None, "every task waits for something that will never happen"
        if not ready and timeout is not None:
            self.now += max(timeout, 0.0)
        return ready


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _LeapingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run(work: Coroutine[Any, Any, Result]) -> tuple[Result, float]:
    """The result of ``work``, and how many seconds it would have taken: time passes only while everyone waits."""
    with asyncio.Runner(loop_factory=_VirtualTimeLoop) as runner:
        return runner.run(work), runner.get_loop().time()


def endpoint(
    protocol: Protocol = IMAP,
    host: str = "imap.example.com",
    port: int = 993,
    security: Security = TLS,
    username_form: str = "address",
    authentication: tuple[Authentication, ...] = (Authentication.PASSWORD,),
) -> Endpoint:
    return Endpoint(protocol, host, port, security, username_form, authentication)


def evidence(source: str = "autoconfig", locator: str = "", *, trusted: bool | None = None) -> Evidence:
    if trusted is None:
        trusted = source not in UNAUTHENTICATED
    return Evidence(source, locator or f"{source} of example.com", trusted)


def candidate(
    of: Endpoint | None = None,
    source: str = "autoconfig",
    confidence: Confidence = Confidence.HIGH,
    *,
    trusted: bool | None = None,
    verified: bool | None = None,
) -> Candidate:
    return Candidate(of or endpoint(), (evidence(source, trusted=trusted),), confidence, verified)


def report(source: str, *endpoints: Endpoint, confidence: Confidence = Confidence.MEDIUM) -> SourceReport:
    """What ``source`` says: these endpoints, or nothing."""
    found = tuple(candidate(e, source, confidence) for e in endpoints)
    locator = f"{source} of example.com"
    return SourceReport(source, locator, Status.FOUND if found else Status.NOTHING, found)


def failed(source: str, code: str = "http.timeout") -> SourceReport:
    return SourceReport(source, f"{source} of example.com", Status.FAILED, code=code)


def provider(
    provider_id: str = "example",
    *,
    domains: tuple[str, ...] = ("example.com",),
    mx: tuple[str, ...] = (),
    spf: tuple[str, ...] = (),
    autodiscover: tuple[str, ...] = (),
    endpoints: tuple[Endpoint, ...] = (
        endpoint(),
        endpoint(SMTP, "smtp.example.com", 465),
    ),
    status: ProviderStatus = ProviderStatus.ACTIVE,
    needs: tuple[str, ...] = (),
    notes: tuple[Note, ...] = (),
    wrong_hosts: tuple[str, ...] = (),
    webmail: str | None = "https://mail.example.com/",
) -> Provider:
    return Provider(
        provider_id,
        "Example Mail",
        "示例邮箱",
        status,
        domains,
        mx,
        tuple(RatedEndpoint(e, Confidence.HIGH) for e in endpoints),
        needs,
        notes,
        wrong_hosts,
        webmail,
        "https://help.example.com/",
        (Origin("official-page", "https://help.example.com/imap", ("imap", "smtp"), "2026-01-02"),),
        spf=spf,
        autodiscover=autodiscover,
    )


def index(*providers: Provider) -> Index:
    return Index(encode(providers, "0" * 64))


def target(
    query: str = "fred@example.com", *providers: Provider, send_address: bool = False, allow_http: bool = False
) -> Target:
    return Target(parse(query), index(*providers), ISPDB, send_address, allow_http=allow_http)


def config(
    *,
    domain: str = "example.com",
    host: str = "example.com",
    username: str = "%EMAILADDRESS%",
    display_name: str = "Example Mail",
    socket_type: str = "SSL",
) -> bytes:
    """A configuration file with one incoming and one outgoing server."""
    servers = "".join(
        f'<{direction}Server type="{kind}"><hostname>{kind}.{host}</hostname><port>{port}</port>'
        f"<socketType>{socket_type}</socketType><authentication>password-cleartext</authentication>"
        f"<username>{username}</username></{direction}Server>"
        for direction, kind, port in (("incoming", "imap", 993), ("outgoing", "smtp", 465))
    )
    return (
        f'<clientConfig version="1.1"><emailProvider id="{domain}"><domain>{domain}</domain>'
        f"<displayName>{display_name}</displayName>{servers}</emailProvider></clientConfig>"
    ).encode()
