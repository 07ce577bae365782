"""Turns at a host: few at the same time, everyone in the end, nobody beyond the deadline, nothing left behind."""

from __future__ import annotations

import asyncio

import pytest

from fakes import run
from mailsetup.deadline import Deadline
from mailsetup.errors import ConnectFailed
from mailsetup.turns import Turns


async def crowd(turns: Turns, hosts: list[str]) -> dict[str, int]:
    """The most that were at each host at the same time, each staying for a second."""
    here = dict.fromkeys(hosts, 0)
    most = dict.fromkeys(hosts, 0)

    async def visit(host: str) -> None:
        async with turns.at(host, Deadline(60)):
            here[host] += 1
            most[host] = max(most[host], here[host])
            await asyncio.sleep(1)
            here[host] -= 1

    await asyncio.gather(*(visit(host) for host in hosts))
    return most


def test_only_a_few_are_at_one_host_at_the_same_time_and_all_have_their_turn() -> None:
    most, seconds = run(crowd(Turns(3), ["a.test"] * 9))
    assert most == {"a.test": 3}
    assert 3 <= seconds < 3.5


def test_other_hosts_do_not_have_to_wait() -> None:
    most, seconds = run(crowd(Turns(1), [f"{name}.test" for name in "abcdefgh"]))
    assert set(most.values()) == {1}
    assert seconds < 1.5


def test_nobody_waits_beyond_the_deadline() -> None:
    turns = Turns(1)

    async def work() -> None:
        async with turns.at("a.test", Deadline(60)):
            with pytest.raises(ConnectFailed) as failure:
                async with turns.at("a.test", Deadline(2)):
                    pytest.fail("two at the same time")
            assert failure.value.code == "tcp.timeout"

    _, seconds = run(work())
    assert 2 <= seconds < 2.5


def test_what_goes_wrong_inside_frees_the_place_and_nothing_is_remembered() -> None:
    turns = Turns(1)

    async def work() -> None:
        for _ in range(3):
            with pytest.raises(ValueError, match="inside"):
                async with turns.at("a.test", Deadline(2)):
                    raise ValueError("inside")

    run(work())
    assert not turns._doors  # memory stays flat over any number of hosts
    assert not turns._interested
