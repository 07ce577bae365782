"""Sockets and names: what a DNS answer means, which addresses are connected to, and that it all ends in time."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock import Stopwatch
from lab.fakes import Blackhole, Expect, Reset, Say, ScriptedServer, ScriptedUDP, SilentUDP, Wait
from mailsetup.deadline import Deadline
from mailsetup.errors import ConnectFailed, InputError, LookupFailed
from mailsetup.model import AddressResult, NetworkOptions
from mailsetup.net import Network, is_public
from mailsetup.resolver import QUERY_TIMEOUT_S, Resolver
from mailsetup.sources import MXRecord, SRVRecord
from names import NameServer

Result = TypeVar("Result")
LOOPBACK = "127.0.0.1"
linux = pytest.mark.skipif(
    "sys.platform != 'linux'", reason="needs all of 127.0.0.0/8, and a full queue that drops SYN"
)
NOBODY = "127.0.0.1:9"  # a name server that is never asked


def with_network(
    work: Callable[[Network], Awaitable[Result]],
    nameserver: str = NOBODY,
    *,
    allow_private: bool = True,
    seconds: float = 5.0,
) -> Result:
    """The result of ``work`` on a network with ``nameserver``."""

    async def run() -> Result:
        options = NetworkOptions(allow_private=allow_private)
        return await work(Network(options, Resolver((nameserver,)), Deadline(seconds)))

    return asyncio.run(run())


def reply_with(rcode: dns.rcode.Rcode) -> Callable[[bytes], bytes]:
    def reply(question: bytes) -> bytes:
        answer = dns.message.make_response(dns.message.from_wire(question))
        answer.set_rcode(rcode)
        return answer.to_wire()

    return reply


def truncated(question: bytes) -> bytes:
    answer = dns.message.make_response(dns.message.from_wire(question))
    answer.flags |= dns.flags.TC  # and nothing listens on TCP
    return answer.to_wire()


@pytest.mark.produces
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (reply_with(dns.rcode.NXDOMAIN), "dns.nxdomain"),
        (reply_with(dns.rcode.NOERROR), "dns.no_address"),
        (reply_with(dns.rcode.SERVFAIL), "dns.servfail"),
        (reply_with(dns.rcode.REFUSED), "dns.refused"),
        # Anyone can send a datagram: one that makes no sense must not end the wait for the real answer.
        (lambda question: question[:2] + b"\x81\x80", "dns.timeout"),
        (lambda question: question[:2] + b"\x81\x80\x00\x01\x00\x09\x00\x00\x00\x00", "dns.timeout"),
        (truncated, "dns.truncated"),
        (lambda _question: b"", "dns.timeout"),
    ],
    ids=["NXDOMAIN", "no data", "SERVFAIL", "REFUSED", "cut header", "missing answers", "truncated", "silence"],
)
def test_each_way_a_name_server_fails_has_its_code(reply: Callable[[bytes], bytes], code: str) -> None:
    with ScriptedUDP(reply) as server, pytest.raises(LookupFailed) as failure:
        with_network(lambda network: network.addresses("mail.test"), f"{server.host}:{server.port}", seconds=1.0)
    assert failure.value.code == code


@pytest.mark.produces("dns.cname_loop")
def test_an_alias_that_leads_back_to_itself_has_its_code() -> None:
    circle = NameServer({("a.test", "CNAME"): ["b.test."], ("b.test", "CNAME"): ["a.test."]})
    with circle as server, pytest.raises(LookupFailed) as failure:
        with_network(lambda network: network.addresses("a.test"), server.option)
    assert failure.value.code == "dns.cname_loop"


@pytest.mark.produces("dns.malformed")
def test_an_answer_over_tcp_that_makes_no_sense_has_its_code() -> None:
    async def ask() -> None:
        # The port of TCP first: other connections use many of them, and hardly anything uses one of UDP.
        async with ScriptedServer([Say(b"\x00\x03abc"), Wait()]) as tcp:
            with ScriptedUDP(truncated, port=tcp.port) as udp:
                resolver = Resolver((f"{udp.host}:{udp.port}",))
                await Network(NetworkOptions(), resolver, Deadline(5)).addresses("a.test")

    with pytest.raises(LookupFailed) as failure:
        asyncio.run(ask())
    assert failure.value.code == "dns.malformed"


@pytest.mark.produces("dns.unreachable")
def test_a_name_server_to_which_nothing_can_be_sent_has_its_code() -> None:
    with pytest.raises(LookupFailed) as failure:
        with_network(lambda network: network.addresses("a.test"), "255.255.255.255")
    assert failure.value.code == "dns.unreachable"


def test_a_name_server_that_is_not_there_is_not_waited_for() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    watch = Stopwatch()
    with pytest.raises(LookupFailed) as failure:
        with_network(lambda network: network.addresses("a.test"), f"127.0.0.1:{port}")
    assert failure.value.code == "dns.refused"
    assert watch.is_within(QUERY_TIMEOUT_S / 2, slack_s=QUERY_TIMEOUT_S / 2)


@pytest.mark.parametrize("name", ["x" * 64 + ".test", "a..test", ".".join(["x" * 60] * 5)])
def test_a_name_that_no_resolver_could_be_asked_for_is_refused(name: str) -> None:
    with pytest.raises(LookupFailed) as failure:
        with_network(lambda network: network.addresses(name))
    assert failure.value.code == "dns.bad_name"


def test_one_family_that_fails_does_not_hide_the_other() -> None:
    def reply(question: bytes) -> bytes:
        message = dns.message.from_wire(question)
        if message.question[0].rdtype == dns.rdatatype.AAAA:
            return reply_with(dns.rcode.SERVFAIL)(question)
        answer = dns.message.make_response(message)
        answer.answer.append(dns.rrset.from_text("mail.test.", 60, "IN", "A", "192.0.2.1"))
        return answer.to_wire()

    with ScriptedUDP(reply) as server:
        option = f"{server.host}:{server.port}"
        assert with_network(lambda network: network.addresses("mail.test"), option) == ["192.0.2.1"]


def test_addresses_of_both_families_take_turns_and_ipv6_begins() -> None:
    records = {("h.test", "A"): ["192.0.2.1", "192.0.2.2"], ("h.test", "AAAA"): ["2001:db8::1"]}
    with NameServer(records) as server:
        found = with_network(lambda network: network.addresses("h.test"), server.option)
    assert found[0] == "2001:db8::1"
    assert set(found[1:]) == {"192.0.2.1", "192.0.2.2"}


def test_mx_and_srv_records_arrive_as_records() -> None:
    records = {
        ("d.test", "MX"): ["20 B.d.test.", "10 a.d.test."],
        ("null.test", "MX"): ["0 ."],
        ("_imaps._tcp.d.test", "SRV"): ["0 5 993 Mail.d.test."],
        ("_pop3s._tcp.d.test", "SRV"): ["0 0 0 ."],
        ("bare.test", "TXT"): ['"nothing else"'],
    }

    async def ask(network: Network) -> tuple[list[list[MXRecord]], list[list[SRVRecord]]]:
        return (
            [await network.mx(name) for name in ("d.test", "null.test", "bare.test")],
            [await network.srv(name) for name in ("_imaps._tcp.d.test", "_pop3s._tcp.d.test")],
        )

    with NameServer(records) as server:
        exchangers, services = with_network(ask, server.option)
    assert exchangers == [[MXRecord(10, "a.d.test"), MXRecord(20, "b.d.test")], [MXRecord(0, "")], []]
    assert services == [[SRVRecord(0, 5, 993, "mail.d.test")], [SRVRecord(0, 0, 0, "")]]


def test_a_question_is_asked_once_however_many_wait_for_it() -> None:
    async def ask(network: Network) -> object:
        await asyncio.gather(*(network.mx("d.test") for _ in range(20)))
        return await network.mx("d.test")  # and the answer is kept

    with NameServer({("d.test", "MX"): ["10 a.d.test."]}) as server:
        with_network(ask, server.option)
        assert server.names_asked == [("d.test", "MX")]


def test_whoever_gives_up_on_a_question_does_not_take_the_answer_from_others() -> None:
    async def ask(network: Network) -> list[str]:
        hasty = asyncio.create_task(network.until(Deadline(0.05)).addresses("h.test"))
        patient = asyncio.create_task(network.addresses("h.test"))
        with pytest.raises(LookupFailed, match=r"dns\.timeout"):
            await hasty
        return await patient

    answering = NameServer({("h.test", "A"): ["192.0.2.1"]})

    def slow(question: bytes) -> bytes:
        time.sleep(0.15)
        return answering._reply_to(question)

    with ScriptedUDP(slow) as server:
        assert with_network(ask, f"{server.host}:{server.port}") == ["192.0.2.1"]
    answering._socket.close()


def test_a_second_name_server_is_asked_when_the_first_is_silent() -> None:
    async def ask() -> list[str]:
        resolver = Resolver((f"{silent.host}:{silent.port}", server.option))
        return await Network(NetworkOptions(), resolver, Deadline(5)).addresses("h.test")

    with SilentUDP() as silent, NameServer({("h.test", "A"): ["8.8.8.8"]}) as server:
        assert asyncio.run(ask()) == ["8.8.8.8"]


@pytest.mark.parametrize(
    "text", ["", "dns.example", "1.2.3", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:x", "[::1", "[::1]:", "1.2.3.4:٥"]
)
def test_a_name_server_that_is_no_address_is_a_usage_error(text: str) -> None:
    with pytest.raises(InputError, match=r"input\.nameserver"):
        Resolver((text,))


@pytest.mark.parametrize("text", ["1.2.3.4", "1.2.3.4:5353", "::1", "[::1]", "[::1]:5353", "2001:db8::53"])
def test_a_name_server_may_be_written_with_or_without_port(text: str) -> None:
    assert Resolver((text,)) is not None


PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::a00:1",
    "2002:a00:1::",
    "2001:db8::1",
    "fec0::1",
    "::127.0.0.1",
    "::ffff:0:10.0.0.1",
    "192.0.0.8",
    "3fff::1",
    "4000::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_of_the_public_internet_is_refused(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(LookupFailed) as failure:
        with_network(lambda network: network.addresses(address), allow_private=False)
    assert failure.value.code == "dns.private_address"


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "223.5.5.5", "2400:3200::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::"]
)
def test_an_address_of_the_public_internet_is_used(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_in_every_notation(address: object) -> None:
    assert is_public(str(address)) == is_public(f"::ffff:{address}") == is_public(f"64:ff9b::{address}")


def test_private_addresses_among_public_ones_are_left_out() -> None:
    records = {("h.test", "A"): ["10.0.0.1", "8.8.8.8"], ("h.test", "AAAA"): ["fe80::1"]}
    with NameServer(records) as server:
        found = with_network(lambda network: network.addresses("h.test"), server.option, allow_private=False)
    assert found == ["8.8.8.8"]


def test_the_name_localhost_is_never_asked_in_dns() -> None:
    with NameServer({}) as server:
        found = with_network(lambda network: network.addresses("localhost"), server.option)
        assert (found, server.questions) == (["127.0.0.1", "::1"], [])


@linux
def test_a_dead_first_address_does_not_delay_the_second_by_much() -> None:
    async def connect(network: Network) -> tuple[str, float, list[AddressResult]]:
        async with ScriptedServer([Say(b"hi\r\n"), Wait()], host="127.0.0.2", port=hole.port) as server:
            attempts: list[AddressResult] = []
            watch, started = Stopwatch(), time.monotonic()
            stream = await network.connect_to([hole.host, server.host], hole.port, attempts)
            elapsed = time.monotonic() - started
            assert watch.is_within(0.5, slack_s=0.5)
            assert await stream.read() == b"hi\r\n"
            stream.close()
            return stream.ip, elapsed, attempts

    with Blackhole() as hole:
        ip, elapsed, attempts = with_network(connect)
    assert ip == "127.0.0.2"
    assert elapsed > 0.2  # the second starts after the attempt delay
    assert [attempt.outcome for attempt in attempts] == ["skipped", "ok"]


@linux
def test_a_refused_first_address_is_passed_over_and_told() -> None:
    async def connect(network: Network) -> list[AddressResult]:
        async with ScriptedServer([Wait()], host="127.0.0.2") as server:
            attempts: list[AddressResult] = []
            stream = await network.connect_to([LOOPBACK, server.host], server.port, attempts)
            stream.close()
            return attempts

    assert with_network(connect) == [
        AddressResult(LOOPBACK, "failed", "tcp.refused"),
        AddressResult("127.0.0.2", "ok"),
    ]


@pytest.mark.produces("tcp.refused")
def test_the_reason_of_a_failed_connection_is_the_one_that_says_most() -> None:
    async def connect(network: Network) -> object:
        return await network.connect_to(["255.255.255.255", LOOPBACK], unused_port())

    with pytest.raises(ConnectFailed) as failure:
        with_network(connect)
    assert failure.value.code == "tcp.refused"


@pytest.mark.produces("tcp.timeout")
@linux
def test_a_connection_that_nobody_accepts_ends_at_the_deadline() -> None:
    watch = Stopwatch()
    with Blackhole() as hole, pytest.raises(ConnectFailed) as failure:
        with_network(lambda network: network.connect_to([hole.host], hole.port), seconds=0.4)
    assert failure.value.code == "tcp.timeout"
    assert watch.is_within(0.4, slack_s=0.6)


def test_a_stream_tells_a_reset_from_an_end() -> None:
    async def read(network: Network) -> tuple[bytes, str]:
        async with (
            ScriptedServer([Say(b"bye"), Expect()]) as server,
            ScriptedServer([Wait(0.05), Reset()]) as resetting,
        ):
            stream = await network.connect_to([server.host], server.port)
            await stream.write(b"\n")
            data = b""
            while chunk := await stream.read():
                data += chunk
            stream.close()
            stream = await network.connect_to([resetting.host], resetting.port)
            with pytest.raises(ConnectFailed) as failure:
                await stream.read()
            stream.close()
            return data, failure.value.code

    assert with_network(read) == (b"bye", "tcp.reset")


def unused_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])
