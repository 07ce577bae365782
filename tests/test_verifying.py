"""Verifying the database: which endpoints, how many connections, what a failure of our own network is."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import date
from typing import Any, TypeVar

import dns.rcode
import pytest

from clock import Stopwatch
from fakes import IMAP, PLAIN, POP3, SMTP, STARTTLS, TLS, provider
from lab import Authority
from lab.fakes import Expect, Say, ScriptedServer, SilentServer, StartTLS, Step, Wait
from mailsetup import verifying
from mailsetup.errors import NetworkError
from mailsetup.model import Candidate, Endpoint, NetworkOptions, ProbeResult, Provider, ProviderStatus
from mailsetup.resolver import Resolver
from mailsetup.verifying import Verdict
from names import NameServer

Result = TypeVar("Result")
TODAY = date(2026, 11, 22)
GREETING = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"
IMAPS: list[Step] = [StartTLS(), Say(GREETING), Expect(b"a1 LOGOUT")]


def listed(provider_id: str, *endpoints: Endpoint, status: ProviderStatus = ProviderStatus.ACTIVE) -> Provider:
    return provider(provider_id, endpoints=endpoints, status=status)


def imaps(host: str, port: int = 993) -> Endpoint:
    return Endpoint(IMAP, host, port, TLS)


def names(candidates: Sequence[Candidate]) -> list[str]:
    return [verifying.name(candidate.endpoint) for candidate in candidates]


# Which endpoints


SMALL = listed(
    "small",
    imaps("imap.small.test"),
    Endpoint(IMAP, "imap.small.test", 143, STARTTLS),
    Endpoint(SMTP, "smtp.small.test", 465, TLS),
    Endpoint(SMTP, "smtp.small.test", 25, PLAIN),
)


def test_the_first_endpoint_of_each_protocol_is_verified() -> None:
    assert names(verifying.endpoints([SMALL], everything=False)) == [
        "imap imap.small.test:993 tls",
        "smtp smtp.small.test:465 tls",
    ]


def test_all_endpoints_are_verified_on_request_in_the_order_of_the_database() -> None:
    assert names(verifying.endpoints([SMALL], everything=True)) == [
        "imap imap.small.test:993 tls",
        "imap imap.small.test:143 starttls",
        "smtp smtp.small.test:465 tls",
        "smtp smtp.small.test:25 plain",
    ]


def test_a_server_that_several_providers_list_is_verified_once_and_names_them_all() -> None:
    other = listed("other", imaps("imap.small.test"), Endpoint(POP3, "pop.other.test", 995, TLS))
    candidates = verifying.endpoints([SMALL, other], everything=False)
    assert names(candidates) == [
        "imap imap.small.test:993 tls",
        "smtp smtp.small.test:465 tls",
        "pop3 pop.other.test:995 tls",
    ]
    assert [[e.locator for e in candidate.evidence] for candidate in candidates] == [
        ["small", "other"],
        ["small"],
        ["other"],
    ]


def test_a_provider_that_clients_cannot_use_is_left_out() -> None:
    closed = listed("closed", imaps("imap.closed.test"), status=ProviderStatus.DISCONTINUED)
    assert verifying.endpoints([closed], everything=True) == []


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        (imaps("imap.small.test"), None),
        (Endpoint(IMAP, "imap.small.test", 143, STARTTLS), None),
        (Endpoint(SMTP, "smtp.small.test", 25, PLAIN), "skipped.plaintext"),
        (imaps("imap.%EMAILDOMAIN%"), "skipped.placeholder"),
        (Endpoint(IMAP, "%MX%", 143, PLAIN), "skipped.placeholder"),
    ],
)
def test_what_must_not_or_cannot_be_contacted_is_skipped(endpoint: Endpoint, reason: str | None) -> None:
    assert verifying.reason_to_skip(endpoint) == reason


# Connections


class Counts:
    open = most = 0


class Counting(ScriptedServer):
    """Counts, over all servers with the same ``counts``, how many connections are at the step ``at`` together."""

    def __init__(self, script: Sequence[Step], context: ssl.SSLContext, at: type[Step], counts: Counts) -> None:
        super().__init__(script, context)
        self._at = at
        self._counts = counts

    async def _play(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here = isinstance(step, self._at)
        self._counts.open += here
        self._counts.most = max(self._counts.most, self._counts.open)
        try:
            await super()._play(step, reader, writer)
        finally:
            self._counts.open -= here


def run(
    work: Callable[[NetworkOptions, Resolver], Coroutine[Any, Any, Result]],
    authority: Authority | None = None,
    *,
    hosts: Sequence[str] = (),
    failing: Sequence[str] = (),
    timeout_s: float = 5,
    jobs: int = 64,
) -> Result:
    """The result of ``work`` where ``hosts`` are this machine and the resolver knows no others."""

    async def main(nameserver: str) -> Result:
        options = NetworkOptions(
            timeout_s=timeout_s,
            nameservers=(nameserver,),
            ca_file=None if authority is None else str(authority.ca_file),
            allow_private=True,
            jobs=jobs,
        )
        return await work(options, Resolver(options.nameservers))

    records = {(host, "A"): ["127.0.0.1"] for host in hosts}
    with NameServer(records, dict.fromkeys(failing, dns.rcode.SERVFAIL)) as server:
        return asyncio.run(main(server.option))


async def verified(
    providers: Sequence[Provider], options: NetworkOptions, resolver: Resolver
) -> list[tuple[str, ProbeResult]]:
    """Host and result, as they come."""
    candidates = verifying.endpoints(providers, everything=True)
    async with contextlib.aclosing(verifying.verify(candidates, options, resolver)) as results:
        return [(result.candidate.endpoint.host, result) async for result in results]


@pytest.mark.parametrize("shared", ["host", "provider"])
def test_there_are_never_more_than_two_connections_to_a_host_or_provider(shared: str, authority: Authority) -> None:
    hosts = ["mail.shared.test"] * 6 if shared == "host" else [f"mail{n}.shared.test" for n in range(6)]
    counts = Counts()
    script: list[Step] = [StartTLS(), Wait(0.05), Say(GREETING), Expect()]

    async def work(options: NetworkOptions, resolver: Resolver) -> list[tuple[str, ProbeResult]]:
        async with contextlib.AsyncExitStack() as stack:
            context = authority.server_context(*set(hosts))
            servers = [await stack.enter_async_context(Counting(script, context, Wait, counts)) for _ in hosts]
            endpoints = [imaps(host, server.port) for host, server in zip(hosts, servers, strict=True)]
            ids = ["one"] * 6 if shared == "provider" else [f"p{n}" for n in range(6)]
            return await verified(
                [listed(name, endpoint) for name, endpoint in zip(ids, endpoints, strict=True)], options, resolver
            )

    results = run(work, authority, hosts=hosts)
    assert [result.code for _host, result in results] == [None] * 6
    assert counts.most == 2


def test_a_silent_port_that_is_looked_at_twice_takes_both_connections(authority: Authority) -> None:
    counts = Counts()

    async def work(options: NetworkOptions, resolver: Resolver) -> list[tuple[str, ProbeResult]]:
        context = authority.server_context("mail.site.test")
        async with (
            Counting([StartTLS(), Wait()], context, StartTLS, counts) as one,
            Counting([StartTLS(), Wait()], context, StartTLS, counts) as other,
        ):
            ends = [Endpoint(IMAP, "mail.site.test", server.port, STARTTLS) for server in (one, other)]
            return await verified([listed("site", *ends)], options, resolver)

    results = run(work, authority, hosts=["mail.site.test"], timeout_s=1.5)
    assert [result.code for _host, result in results] == ["greeting.tls_on_plaintext_port"] * 2
    assert counts.most == 2


class Witness(threading.Thread):
    """Lets two clients fail at its certificate, and tells whether the first had hung up when the second came."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.first_had_hung_up = False
        self._context = context

    def run(self) -> None:
        first, second = self._client(), None
        try:
            second = self._client()
            self.first_had_hung_up = bool(select.select([first], [], [], 0)[0])
        finally:
            for client in (first, second, self.listener):
                if client is not None:
                    client.close()

    def _client(self) -> ssl.SSLSocket:
        client = self._context.wrap_socket(
            self.listener.accept()[0], server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        client.settimeout(10)
        with contextlib.suppress(ssl.SSLError, ConnectionError):  # one that does not trust it goes away
            client.do_handshake()
            client.recv(1)  # in TLS 1.3 the refusal comes after the server's part of the handshake
        return client


def test_a_refused_certificate_is_looked_at_only_after_hanging_up(authority: Authority) -> None:
    witness = Witness(authority.server_context("another.test"))
    witness.start()
    port = witness.listener.getsockname()[1]

    async def work(options: NetworkOptions, resolver: Resolver) -> list[tuple[str, ProbeResult]]:
        return await verified([listed("site", imaps("mail.site.test", port))], options, resolver)

    ((_host, result),) = run(work, authority, hosts=["mail.site.test"])
    witness.join()
    assert (result.code, result.facts["names"]) == ("tls.cert.hostname", "another.test")
    assert witness.first_had_hung_up


def test_words_that_a_provider_refuses_with_are_understood(authority: Authority) -> None:
    script: list[Step] = [StartTLS(), Say(b"421 HL:ICC 163 smtp8,DsCowACXb,203.0.113.9\r\n"), Wait()]

    async def work(options: NetworkOptions, resolver: Resolver) -> list[tuple[str, ProbeResult]]:
        async with ScriptedServer(script, authority.server_context("smtp.site.test")) as server:
            ends = Endpoint(SMTP, "smtp.site.test", server.port, TLS)
            return await verified([listed("163", ends)], options, resolver)

    ((_host, result),) = run(work, authority, hosts=["smtp.site.test"])
    assert result.code == "auth.rate_limited"  # too many connections from here, says NetEase


def test_a_server_that_never_answers_delays_nobody_else(authority: Authority) -> None:
    async def work(options: NetworkOptions, resolver: Resolver) -> tuple[list[str], bool, str | None]:
        with SilentServer() as silent:
            async with ScriptedServer(IMAPS, authority.server_context("mail.good.test")) as good:
                dead = [listed(f"dead{n}", imaps(f"mail.dead{n}.test", silent.port)) for n in range(3)]
                candidates = verifying.endpoints(
                    [*dead, listed("good", imaps("mail.good.test", good.port))], everything=False
                )
                order: list[str] = []
                in_time, watch = False, Stopwatch()
                async with contextlib.aclosing(verifying.verify(candidates, options, resolver)) as results:
                    async for result in results:
                        if not order:
                            in_time = watch.is_within(0.2, slack_s=0.5)
                        order.append(result.candidate.endpoint.host)
                return order, in_time, result.code

    hosts = ["mail.good.test", *(f"mail.dead{n}.test" for n in range(3))]
    order, in_time, code = run(work, authority, hosts=hosts, timeout_s=1, jobs=4)
    assert (order[0], set(order[1:])) == ("mail.good.test", set(hosts[1:]))
    assert in_time
    assert code == "tls.timeout"


def test_closing_the_results_hangs_up() -> None:
    async def work(options: NetworkOptions, resolver: Resolver) -> None:
        with SilentServer() as silent:
            candidates = verifying.endpoints([listed("dead", imaps("mail.dead.test", silent.port))], everything=False)
            async with contextlib.aclosing(verifying.verify(candidates, options, resolver)) as results:
                waiting = asyncio.ensure_future(anext(results))
                connection = await asyncio.to_thread(silent.accept)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            with connection:
                connection.settimeout(10)
                while connection.recv(65536):  # its part of the handshake, then the end
                    pass

    run(work, hosts=["mail.dead.test"], timeout_s=30)


def test_a_mistake_of_ours_is_no_verdict() -> None:
    class Broken(Resolver):
        async def ask(self, *_question: object) -> Any:
            raise ZeroDivisionError

    async def work(options: NetworkOptions, _resolver: Resolver) -> object:
        return await verified([listed("site", imaps("mail.site.test"))], options, Broken(options.nameservers))

    with pytest.raises(ZeroDivisionError):
        run(work)


# Our own network


def refusing(count: int) -> tuple[list[str], list[Provider]]:
    """Hosts where nothing listens, and a provider for each."""
    hosts = [f"mail{n}.refusing.test" for n in range(count)]
    return hosts, [listed(f"p{n}", imaps(host, 1)) for n, host in enumerate(hosts)]


def test_so_many_hosts_without_a_single_connection_are_a_fault_of_the_network_here() -> None:
    hosts, providers = refusing(verifying.UNREACHED_HOSTS)

    async def work(options: NetworkOptions, resolver: Resolver) -> object:
        return await verified(providers, options, resolver)

    with pytest.raises(NetworkError, match=r"tcp\.refused"):
        run(work, hosts=hosts)


def test_a_few_hosts_that_refuse_are_a_fault_of_theirs() -> None:
    hosts, providers = refusing(verifying.UNREACHED_HOSTS - 1)

    async def work(options: NetworkOptions, resolver: Resolver) -> list[tuple[str, ProbeResult]]:
        return await verified(providers, options, resolver)

    results = run(work, hosts=hosts)
    assert sorted(host for host, _result in results) == sorted(hosts)
    assert {verifying.verdict(result) for _host, result in results} == {Verdict.FAILS}


def test_one_server_that_is_reached_proves_the_failures_of_the_others(authority: Authority) -> None:
    hosts, providers = refusing(verifying.UNREACHED_HOSTS + 5)

    async def work(options: NetworkOptions, resolver: Resolver) -> list[tuple[str, ProbeResult]]:
        async with ScriptedServer(IMAPS, authority.server_context("mail.good.test")) as server:
            good = listed("good", imaps("mail.good.test", server.port))
            return await verified([good, *providers], options, resolver)

    results = run(work, authority, hosts=[*hosts, "mail.good.test"], jobs=1)
    assert [result.code for _host, result in results] == [None, *["tcp.refused"] * len(hosts)]


@pytest.mark.parametrize("count", [1, 3])
def test_a_resolver_that_fails_for_everybody_is_a_fault_of_the_network_here(count: int) -> None:
    hosts, providers = refusing(count)

    async def work(options: NetworkOptions, resolver: Resolver) -> object:
        return await verified(providers, options, resolver)

    with pytest.raises(NetworkError, match=r"dns\.servfail"):
        run(work, failing=hosts)


def test_a_resolver_that_fails_for_one_host_leaves_it_without_a_verdict(authority: Authority) -> None:
    async def work(options: NetworkOptions, resolver: Resolver) -> list[tuple[str, ProbeResult]]:
        async with ScriptedServer(IMAPS, authority.server_context("mail.good.test")) as server:
            good = listed("good", imaps("mail.good.test", server.port))
            return await verified([good, listed("bad", imaps("mail.bad.test"))], options, resolver)

    results = dict(run(work, authority, hosts=["mail.good.test"], failing=["mail.bad.test"]))
    assert {host: verifying.verdict(result) for host, result in results.items()} == {
        "mail.good.test": Verdict.WORKS,
        "mail.bad.test": Verdict.NOT_ASKED,
    }


# Records


@pytest.fixture
def records(authority: Authority) -> Iterator[dict[str, Any]]:
    """Records by provider: one that works, one that fails, two that are skipped."""
    found: list[dict[str, Any]] = []

    async def work(options: NetworkOptions, _resolver: Resolver) -> None:
        async with ScriptedServer(IMAPS, authority.server_context("mail.good.test")) as server:
            candidates = verifying.endpoints(
                [
                    listed("plain", Endpoint(SMTP, "smtp.plain.test", 25, PLAIN)),
                    listed("named", imaps("imap.%EMAILDOMAIN%")),
                    listed("good", imaps("mail.good.test", server.port)),
                    listed("gone", imaps("mail.gone.test")),
                ],
                everything=False,
            )
            await verifying.verify_all(candidates, options, found.append)

    run(work, authority, hosts=["mail.good.test"])
    yield {record["provider"]: record for record in found}


def test_every_endpoint_has_a_record_with_its_verdict(records: dict[str, Any]) -> None:
    assert {name: (r["verdict"], r["outcome"], r["code"], r["verified"]) for name, r in records.items()} == {
        "plain": ("skipped", "skipped", "skipped.plaintext", None),
        "named": ("skipped", "skipped", "skipped.placeholder", None),
        "good": ("works", "ok", None, True),
        "gone": ("fails", "failed", "dns.nxdomain", False),
    }
    assert records["gone"]["id"] == "imap mail.gone.test:993 tls"
    assert records["gone"]["providers"] == ["gone"]
    assert "mail.gone.test" in records["gone"]["message"]
    assert all(record["message"] and record["message"] != record["code"] for record in records.values())


def test_all_records_have_the_same_keys(records: dict[str, Any]) -> None:
    assert len({tuple(record) for record in records.values()}) == 1
    assert {"id", "provider", "providers", "verdict", "checked", "host", "outcome", "tls"} <= set(records["plain"])
    assert records["plain"]["stage"] is None


def test_a_record_carries_the_day_of_its_check() -> None:
    (candidate,) = verifying.endpoints([listed("site", imaps("mail.site.test"))], everything=False)
    assert verifying.skipped_record(candidate, "skipped.plaintext", TODAY)["checked"] == "2026-11-22"
