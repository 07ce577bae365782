"""What of the network layer needs no network: deadlines, names of name servers, the meaning of errors."""

from __future__ import annotations

import asyncio
import errno

import pytest

from fakes import run
from mailsetup.deadline import Deadline
from mailsetup.errors import ConnectFailed, InputError, LookupFailed
from mailsetup.net import _connect_failed, telling
from mailsetup.resolver import Resolver


def test_a_deadline_counts_down_and_stops_at_zero() -> None:
    async def watch() -> list[float]:
        deadline = Deadline(2.0)
        readings = []
        for _second in range(4):
            readings.append(deadline.remaining())
            await asyncio.sleep(1)
        return readings

    readings, _seconds = run(watch())
    assert readings == pytest.approx([2.0, 1.0, 0.0, 0.0])


def test_a_deadline_within_another_is_the_earlier_of_both() -> None:
    async def watch() -> tuple[float, float]:
        deadline = Deadline(5.0)
        return deadline.within(3.0).remaining(), deadline.within(8.0).remaining()

    assert run(watch())[0] == pytest.approx((3.0, 5.0))


def test_work_that_is_too_slow_ends_at_the_deadline_with_the_error_made_then() -> None:
    reached: list[str] = []

    async def work() -> None:
        deadline = Deadline(3.0)
        async with deadline.enforce(lambda: LookupFailed("dns.timeout", name=reached[-1])):
            for name in ("first", "second"):
                reached.append(name)
                await asyncio.sleep(2)

    async def main() -> LookupFailed:
        with pytest.raises(LookupFailed) as failure:
            await work()
        return failure.value

    failure, seconds = run(main())
    assert (failure.code, failure.facts) == ("dns.timeout", {"name": "second"})
    assert seconds == pytest.approx(3.0)


def test_work_in_time_is_left_alone_and_its_own_trouble_passes_through() -> None:
    async def quick() -> str:
        async with Deadline(3.0).enforce(lambda: LookupFailed("dns.timeout")):
            await asyncio.sleep(1)
            return "done"

    assert run(quick())[0] == "done"

    async def failing() -> None:
        async with Deadline(3.0).enforce(lambda: LookupFailed("dns.timeout")):
            raise ConnectFailed("tcp.refused")

    with pytest.raises(ConnectFailed):
        run(failing())


def test_a_deadline_that_has_passed_ends_work_at_once() -> None:
    async def late() -> None:
        async with Deadline(0.0).enforce(lambda: LookupFailed("dns.timeout")):
            await asyncio.sleep(1)

    async def main() -> None:
        with pytest.raises(LookupFailed):
            await late()

    assert run(main())[1] == pytest.approx(0.0)


@pytest.mark.parametrize(
    "text",
    [
        *(":", ":53", "1.1.1.1.1", "1.1.1.256", "1.1.1.1:", "1.1.1.1:-53", "1.1.1.1:+53", "1.1.1.1:5_3", "1.1.1.1: 53"),
        *("1.1.1.1:53:53", " 1.1.1.1", "1.1.1.1\n", "[1.1.1.1", "[::1]53", "[::1]:x", "[]:53", "::g"),
        *("dns.example.com:53", "https://1.1.1.1/dns-query", "1.1.1.1:" + "9" * 5000),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_name_server_must_be_an_address_with_an_optional_port(text: str) -> None:
    with pytest.raises(InputError) as refusal:
        Resolver((text,))
    assert (refusal.value.code, refusal.value.facts) == ("input.nameserver", {"query": text})


def test_several_name_servers_may_be_given() -> None:
    Resolver(("1.1.1.1", "1.1.1.1:5353", "[2001:db8::1]:53", "2001:db8::1", "[2001:db8::1]", "fe80::1%1"))
    with pytest.raises(InputError):
        Resolver(("1.1.1.1", "one"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "tcp.refused"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "tcp.reset"),
        (ConnectionAbortedError(errno.ECONNABORTED, "x"), "tcp.reset"),
        (BrokenPipeError(errno.EPIPE, "x"), "tcp.reset"),
        (TimeoutError(errno.ETIMEDOUT, "x"), "tcp.timeout"),
        (OSError(errno.ENETUNREACH, "x"), "tcp.unreachable"),
        (OSError(errno.EHOSTUNREACH, "x"), "tcp.unreachable"),
        (PermissionError(errno.EACCES, "x"), "tcp.unreachable"),
        (OSError("without a number"), "tcp.unreachable"),
    ],
    ids=repr,
)
def test_every_error_of_the_operating_system_has_a_code(error: OSError, code: str) -> None:
    assert _connect_failed(error).code == code


def test_of_several_addresses_the_failure_counts_that_shows_most_life() -> None:
    assert telling(["tcp.refused", "tcp.reset", None]) == "tcp.reset"
    assert telling(["tcp.timeout", "tcp.refused"]) == "tcp.refused"
    assert telling(["tcp.unreachable", "tcp.timeout"]) == "tcp.timeout"
    assert telling([None, "tcp.unreachable"]) == "tcp.unreachable"
