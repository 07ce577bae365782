from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator

import pytest

from mailsetup.bulk import ordered, targets


def collect(items: Iterable[str], delays: dict[str, float], jobs: int) -> tuple[list[tuple[str, str]], int]:
    """What comes out, and how many were in work at the same time."""
    active = most = 0

    async def work(item: str) -> str:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(delays.get(item, 0))
        active -= 1
        return item.upper()

    async def main() -> list[tuple[str, str]]:
        return [pair async for pair in ordered(items, work, jobs)]

    return asyncio.run(main()), most


def test_blank_lines_comments_and_white_space_are_no_targets() -> None:
    lines = ["\ufeffqq.com\n", "\n", "   \n", "# a comment\n", "  # another\r\n", "  a@163.com\t\r\n", "b@x.com # no\n"]
    assert list(targets(lines)) == ["qq.com", "a@163.com", "b@x.com # no"]
    assert list(targets([])) == []


def test_nothing_to_do_ends_at_once() -> None:
    assert collect([], {}, 4) == ([], 0)


@pytest.mark.parametrize("jobs", [1, 2, 3, 16])
def test_results_come_in_input_order_however_long_each_takes(jobs: int) -> None:
    items = [f"t{number}" for number in range(12)]
    delays = {item: 0.02 if number % 3 == 0 else 0.0 for number, item in enumerate(items)}
    pairs, most = collect(items, delays, jobs)
    assert pairs == [(item, item.upper()) for item in items]
    assert most <= jobs


def test_the_same_target_may_come_twice() -> None:
    assert collect(["a", "b", "a"], {}, 2)[0] == [("a", "A"), ("b", "B"), ("a", "A")]


def test_a_result_is_given_out_before_the_rest_of_the_input_is_there() -> None:
    seen_first = threading.Event()

    def lines() -> Iterator[str]:
        yield "first"
        assert seen_first.wait(5), "the first result was held back"
        yield "second"

    async def work(item: str) -> str:
        return item

    async def main() -> list[str]:
        results = []
        async for item, _result in ordered(lines(), work, 4):
            results.append(item)
            seen_first.set()
        return results

    assert asyncio.run(main()) == ["first", "second"]


def test_an_endless_input_is_read_only_as_far_as_there_is_work() -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield f"t{taken}"

    async def work(item: str) -> str:
        return item

    async def main() -> list[str]:
        results = []
        stream = ordered(endless(), work, 3)
        async for item, _result in stream:
            results.append(item)
            if len(results) == 10:
                await asyncio.sleep(0.05)
                break
        await stream.aclose()
        return results

    assert asyncio.run(main()) == [f"t{number}" for number in range(1, 11)]
    assert taken <= 10 + 3 + 1


def test_leaving_early_ends_the_work_and_the_reading() -> None:
    cancelled = []

    async def work(item: str) -> str:
        if item == "quick":
            return item
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(item)
            raise
        return item

    async def main() -> None:
        stream = ordered(["quick", "slow1", "slow2", "slow3"], work, 2)
        async for _item, _result in stream:
            await asyncio.sleep(0.02)
            break
        await stream.aclose()

    before = threading.active_count()
    asyncio.run(main())
    assert cancelled == ["slow1"]
    for thread in threading.enumerate():
        if thread.name.startswith("targets"):
            thread.join(5)
    assert threading.active_count() <= before


@pytest.mark.parametrize("jobs", [1, 4])
def test_trouble_with_the_input_is_raised_after_the_results_before_it(jobs: int) -> None:
    def lines() -> Iterator[str]:
        yield "a"
        yield "b"
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    results = []

    async def work(item: str) -> str:
        return item

    async def main() -> None:
        async for item, _result in ordered(lines(), work, jobs):
            results.append(item)

    with pytest.raises(UnicodeDecodeError):
        asyncio.run(main())
    assert results == ["a", "b"]


def test_a_bug_in_the_work_is_raised_where_the_results_are_used() -> None:
    async def work(item: str) -> str:
        if item == "bad":
            raise ZeroDivisionError
        return item

    results = []

    async def main() -> None:
        async for item, _result in ordered(["good", "bad", "more"], work, 2):
            results.append(item)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())
    assert results == ["good"]


def test_a_line_that_is_no_text_is_one_bad_line_among_the_others() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mailsetup", "lookup", "-", "--offline", "--json"],
        input=b"qq.com\n\xff@qq.com\n163.com\n",
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["status"] for answer in answers] == ["found", "error", "found"]
    assert answers[1]["code"] == "input.control_character"
    assert (done.returncode, done.stderr) == (2, b"")
