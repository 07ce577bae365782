"""The driver of the mail dialogues over real connections: what it counts, notices and never does.

How it judges servers that break the rules is in ``test_hostile_servers``, what happens to passwords in
``test_secrets``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from lab import Authority
from lab.fakes import Expect, Say, ScriptedServer, StartTLS, Step, Wait
from mailsetup import prober
from mailsetup.deadline import Deadline
from mailsetup.errors import InputError
from mailsetup.model import Candidate, Confidence, Endpoint, NetworkOptions, ProbeResult, Protocol, Security, Stage
from mailsetup.net import Network
from mailsetup.prober import probe_endpoint
from mailsetup.resolver import Resolver
from mailsetup.wire import Dialogue, Login, Secret, Send, Session
from names import NameServer

HOST = "mail.site.test"
IMAP: list[Step] = [StartTLS(), Say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"), Expect(b"a1 LOGOUT")]
IMAPS = Endpoint(Protocol.IMAP, HOST, 0, Security.TLS)  # the port is the server's
SUBMISSION: list[Step] = [
    *(StartTLS(), Say(b"220 hi ESMTP\r\n"), Expect(), Say(b"250-hi\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n"), Expect()),
]
linux = pytest.mark.skipif("sys.platform != 'linux'", reason="needs all of 127.0.0.0/8")


def probe(
    script: Sequence[Step],
    authority: Authority,
    *,
    context: ssl.SSLContext | None = None,
    endpoint: Endpoint = IMAPS,
    addresses: Sequence[str] = ("127.0.0.1",),
    login: Login | None = None,
) -> ProbeResult:
    """The verdict on ``endpoint``, where the last of ``addresses`` plays ``script``."""

    async def run() -> ProbeResult:
        options = NetworkOptions(ca_file=str(authority.ca_file), allow_private=True)
        server = ScriptedServer(script, context or authority.server_context(HOST), host=addresses[-1])
        with NameServer({(HOST, "A"): addresses}) as names:
            async with server:
                candidate = Candidate(endpoint._replace(port=server.port), (), Confidence.LOW)
                network = Network(options, Resolver((names.option,)), Deadline(5))
                return await probe_endpoint(candidate, network, login=login)

    return asyncio.run(run())


def with_tls(version: ssl.TLSVersion, authority: Authority) -> ssl.SSLContext:
    context = authority.server_context(HOST)
    context.maximum_version = version
    return context


def test_the_limit_of_round_trips_is_reached(authority: Authority) -> None:
    # DNS, TCP, TLS 1.3 and the greeting, which names the capabilities; EHLO takes one more, TLS 1.2 too.
    assert probe(IMAP, authority).round_trips == 4
    smtp = Endpoint(Protocol.SMTP, HOST, 0, Security.TLS)
    assert probe(SUBMISSION, authority, endpoint=smtp).round_trips == 5
    assert probe(IMAP, authority, context=with_tls(ssl.TLSVersion.TLSv1_2, authority)).round_trips == 5


def test_the_tls_session_and_its_certificate_are_described(authority: Authority) -> None:
    result = probe(IMAP, authority, context=with_tls(ssl.TLSVersion.TLSv1_2, authority))
    assert result.tls is not None
    assert (result.tls.version, result.tls.verified, result.tls.names) == ("TLSv1.2", True, (HOST,))
    assert result.tls.issuer == "mailsetup tests"
    assert result.candidate.verified is True
    assert [notice.code for notice in result.notices] == []


@pytest.mark.parametrize(("days", "notices"), [(13, ["certificate-expires-soon"]), (15, [])])
def test_a_certificate_that_ends_soon_is_noticed(days: int, notices: list[str], authority: Authority) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    end = datetime.now(UTC) + timedelta(days=days, hours=1)
    authority._authority.issue_cert(HOST, not_after=end).configure_cert(context)
    result = probe(IMAP, authority, context=context)
    assert [notice.code for notice in result.notices] == notices
    assert result.tls is not None
    assert result.tls.days_left == days


@linux
def test_an_address_that_does_not_work_is_noticed_although_another_does(authority: Authority) -> None:
    result = probe(IMAP, authority, addresses=("127.0.0.3", "127.0.0.2"))
    assert result.ok
    outcomes = {address.ip: address.outcome for address in result.addresses}
    assert outcomes["127.0.0.2"] == "ok"
    failed = outcomes["127.0.0.3"] == "failed"  # DNS answers come in any order, so it may not have been tried
    assert [notice.code for notice in result.notices] == (["address-failed"] if failed else [])


def test_what_was_learned_before_a_failure_is_kept(authority: Authority) -> None:
    script: list[Step] = [
        *(StartTLS(), Say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"), Expect()),
        *(Say(b"+ \r\n"), Expect(), Say(b"a1 NO [UNAVAILABLE] later\r\n"), Wait()),
    ]
    result = probe(script, authority, login=Login("me", Secret("secret"), "me@site.test"))
    assert (result.code, result.stage, result.retryable) == ("auth.temporary", Stage.LOGIN, True)
    assert result.mechanisms == ("PLAIN",)
    assert result.greeting.startswith("* OK")
    assert {"dns", "connect", "tls", "greeting", "login", "total"} <= set(result.timing_ms)


@pytest.mark.parametrize("login", [Login("a\r\nb", Secret("x"), "a"), Login("a", Secret("x\ny"), "a")])
def test_a_login_that_cannot_be_sent_is_the_users_mistake_and_no_verdict(login: Login, authority: Authority) -> None:
    with pytest.raises(InputError, match=r"input\.bad_credentials"):
        probe([StartTLS(), Wait()], authority, login=login)


@pytest.mark.parametrize("security", [Security.PLAIN, Security.STARTTLS])
def test_a_dialogue_that_sends_a_secret_without_tls_is_stopped(
    security: Security, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(_session: Session, _login: Login | None) -> Dialogue:
        yield Send(b"PASS secret\r\n", secret=True)

    monkeypatch.setattr(prober, "DIALOGUES", {Protocol.IMAP: careless})
    received: list[bytes] = []

    async def run() -> None:
        async with ScriptedServer([Expect()]) as server:
            endpoint = Endpoint(Protocol.IMAP, server.host, server.port, security)
            options = NetworkOptions(ca_file=str(authority.ca_file), allow_private=True)
            network = Network(options, Resolver(("127.0.0.1:9",)), Deadline(5))
            try:
                await probe_endpoint(Candidate(endpoint, (), Confidence.LOW), network)
            finally:
                received.extend(server.lines)

    with pytest.raises(RuntimeError, match="without verified TLS"):
        asyncio.run(run())
    assert received == []


def test_connections_are_closed_whatever_happens(authority: Authority) -> None:
    # A script that ends with Wait() ends only when the client closes; leaving one open would warn, which is an error.
    async def run(script: list[Step]) -> bool:
        ended = asyncio.Event()

        class Watched(ScriptedServer):
            async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await super()._converse(reader, writer)
                ended.set()

        async with Watched(script, authority.server_context("127.0.0.1")) as server:
            endpoint = Endpoint(Protocol.IMAP, server.host, server.port, Security.TLS)
            options = NetworkOptions(ca_file=str(authority.ca_file), allow_private=True)
            network = Network(options, Resolver(("127.0.0.1:9",)), Deadline(1))
            await probe_endpoint(Candidate(endpoint, (), Confidence.LOW), network)
            async with asyncio.timeout(2):
                await ended.wait()
        return ended.is_set()

    scripts: list[list[Step]] = [[StartTLS(), Wait()], [StartTLS(), Say(b"* BYE\r\n"), Wait()], [Wait()]]
    for script in scripts:
        assert asyncio.run(run(script))
