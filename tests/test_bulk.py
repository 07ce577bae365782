from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsetup import api, render
from mailsetup.bulk import arriving, ordered, targets
from product import run

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STATUS = Path("/proc/self/status")
OFFLINE = [sys.executable, "-m", "mailsetup", "lookup", "-", "--offline", "--json"]


class Pieces(io.RawIOBase):
    """A pipe through which one piece comes at a time; ``left`` are still to come."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.left = list(pieces)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer)
        piece = self.left.pop(0) if self.left else b""
        if len(piece) > len(room):
            piece, rest = piece[: len(room)], piece[len(room) :]
            self.left.insert(0, rest)
        room[: len(piece)] = piece
        return len(piece)


def text_of(raw: Pieces, encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedReader(raw), encoding=encoding, errors="surrogateescape")


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


letters = st.sampled_from(
    [b"a", b"\n", b"\r", b"\r\n", b" ", b"#", b"\xef\xbb\xbf", "例".encode(), b"\xe4\xbe", b"\xff"]
)


@given(st.lists(st.lists(letters, min_size=1, max_size=9).map(b"".join)), st.sampled_from(["utf-8", "gbk", "utf-16"]))
def test_what_arrives_in_pieces_are_the_lines_of_the_whole(pieces: list[bytes], encoding: str) -> None:
    whole = io.TextIOWrapper(io.BytesIO(b"".join(pieces)), encoding=encoding, errors="surrogateescape")
    try:
        expected = list(targets(whole))
    except UnicodeError:  # UTF-16 that ends within a character
        with pytest.raises(UnicodeError):
            list(arriving(text_of(Pieces(pieces), encoding)))
    else:
        assert [target for part in arriving(text_of(Pieces(pieces), encoding)) for target in part] == expected


def test_what_has_arrived_is_given_out_before_more_is_read() -> None:
    raw = Pieces([b"a\nb\nc", b"c\n", b"d"])
    parts = arriving(text_of(raw))
    assert (next(parts), len(raw.left)) == (["a", "b"], 2)
    assert (next(parts), len(raw.left)) == (["cc"], 1)
    assert next(parts) == ["d"]


def test_a_line_without_end_is_put_together_once() -> None:
    assert list(arriving(text_of(Pieces([b"x" * 1000] * 5000)))) == [["x" * 5_000_000]]


def test_who_writes_one_line_and_waits_gets_its_answer() -> None:
    process = subprocess.Popen(OFFLINE, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        for target in ("a@qq.com", "a@b@c", "nobody.test"):
            process.stdin.write(f"{target}\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["query"] == target
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 2


def test_many_offline_targets_get_the_lines_and_the_exit_code_of_each_alone() -> None:
    lines = [
        "a@qq.com",
        "qq.com",
        "bad@",
        '"a b"@163.com',
        "李@例子.中国",
        "nobody.test",
        "A@QQ.Com",
        "me@yahoo.com.cn",
    ]
    for language in ("en", "zh"):
        alone = [run("--lang", language, "lookup", line, "--offline", "--json") for line in lines]
        together = run("--lang", language, "lookup", "-", "--offline", "--json", stdin="\n".join(lines).encode())
        as_arguments = run("--lang", language, "lookup", *lines, "--offline", "--json")
        assert together.code == as_arguments.code == max(one.code for one in alone) == 2
        for finished in (together, as_arguments):
            assert len(finished.records) == len(lines)
            for one, record in zip(alone, finished.records, strict=True):
                if one.body:
                    for timed in (record, one_record := one.record):
                        timed["elapsed_ms"] = timed["sources"][0]["elapsed_ms"] = 0
                    assert record == one_record
                    assert list(record) == list(one_record)
                else:
                    assert (record["status"], one.stderr) == ("error", f"mailsetup: error: {record['message']}\n")


def test_the_exit_code_of_many_offline_targets_is_the_highest() -> None:
    for lines, code in ((b"qq.com\n", 0), (b"qq.com\nnobody.test\n", 1), (b"nobody.test\nbad@\nqq.com", 2), (b"", 0)):
        assert run("lookup", "-", "--offline", "--json", stdin=lines).code == code


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "gbk", "utf-16"])
def test_an_output_in_any_encoding_gets_the_same_records(encoding: str) -> None:
    done = subprocess.run(
        OFFLINE,
        input="a@qq.com\n163.com\n".encode(encoding),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    records = [json.loads(line) for line in done.stdout.decode(encoding).splitlines()]
    providers = [api.index().by_domain(domain) for domain in ("qq.com", "163.com")]
    assert [record["provider"]["name_zh"] for record in records] == [entry and entry.name_zh for entry in providers]
    assert done.stdout.isascii() == (encoding not in ("utf-8", "utf-16"))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_lines_for_an_output_that_is_not_utf_8_pass_through_its_text_layer(encoding: str, newline: str) -> None:
    body = io.BytesIO()
    output = io.TextIOWrapper(body, encoding=encoding, newline=newline)
    with redirect_stdout(output):
        output.write("before\n")
        for lines in ([b"one", "zw\u00f6lf".encode()], [], [b"three"]):
            render.write_lines(lines)
    assert body.getvalue() == newline.join(["before", "one", "zw\u00f6lf", "three", ""]).encode(encoding)


def test_lines_come_behind_what_was_printed_before() -> None:
    body = io.BytesIO()
    output = io.TextIOWrapper(body, encoding="utf-8", newline="\n")
    with redirect_stdout(output):
        output.write("before\n")
        render.write_lines(["é".encode()])
        output.write("after\n")
        output.flush()
    assert body.getvalue() == "before\né\nafter\n".encode()


@pytest.mark.skipif(sys.platform == "win32", reason="signals and shells of POSIX")
def test_a_reader_that_goes_away_ends_many_answers_quietly() -> None:
    command = f'yes a@qq.com | head -20000 | "{sys.executable}" -m mailsetup lookup - --offline --json | head -1'
    done = subprocess.run(
        ["bash", "-c", command + '; exit "${PIPESTATUS[2]}"'], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr, done.stdout.count(b"\n")) == (0, b"", 1)


@pytest.mark.skipif(not STATUS.exists(), reason="no /proc to read the peak of memory from")
def test_ten_times_as_many_offline_targets_take_no_more_memory_and_do_not_take_it_again_and_again() -> None:
    program = (
        "import resource, sys, mailsetup.__main__ as m; m.main(['lookup', '-', '--offline', '--json']); "
        f"print(open('{STATUS}').read(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt, file=sys.stderr)"
    )
    most_kilobytes, page_faults = [], []
    for number in (2_000, 20_000):
        lines = "".join(f"user{n}@unknown{n}.test\n" for n in range(number)).encode()
        done = subprocess.run([sys.executable, "-c", program], input=lines, capture_output=True, check=True)
        assert done.stdout.count(b"\n") == number
        (kilobytes,) = re.findall(rb"^VmHWM:\s+(\d+) kB$", done.stderr, re.MULTILINE)
        most_kilobytes.append(int(kilobytes))
        page_faults.append(int(done.stderr.split()[-1]))
    assert most_kilobytes[1] - most_kilobytes[0] < 1_000
    assert page_faults[1] - page_faults[0] < 1_000


@pytest.mark.skipif(sys.platform == "win32", reason="signals and shells of POSIX")
def test_an_interrupt_while_waiting_for_targets_ends_with_130() -> None:
    process = subprocess.Popen(
        OFFLINE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job would ignore it
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"qq.com\n")
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.wait(10)  # although standard input is still open
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout, stderr.split()) == (130, b"", [b"mailsetup:", b"interrupted"])


def test_a_line_that_is_no_text_is_one_bad_line_among_the_others() -> None:
    done = subprocess.run(
        OFFLINE,
        input=b"qq.com\n\xff@qq.com\n163.com\n",
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["status"] for answer in answers] == ["found", "error", "found"]
    assert answers[1]["code"] == "input.control_character"
    assert (done.returncode, done.stderr) == (2, b"")


def test_many_offline_targets_need_no_event_loop() -> None:
    program = (
        "import sys, mailsetup.__main__ as m; code = m.main(['lookup', '-', '--offline', '--json']); "
        "sys.exit(code or bool({'asyncio', 'ssl'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], input=b"qq.com\n163.com\n", capture_output=True, check=False)
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 2)
