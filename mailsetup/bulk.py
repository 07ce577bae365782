"""Many targets: bounded concurrency, results in input order, each as soon as it and those before it are ready.

There is no mail knowledge here. Input is read as it comes and at most ``jobs`` targets are in work, so that memory
stays flat however long the input is. Where nothing has to be waited for, ``arriving`` gives the targets themselves.
"""

from __future__ import annotations

import codecs
import contextlib
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TextIO, TypeVar, cast

if TYPE_CHECKING:
    import asyncio

# Some twenty targets. Their answers are a hundred times as long: memory for so few is used again and again, while that
# for hundreds goes back to the system each time.
CHUNK_OCTETS = 512
Result = TypeVar("Result")


def targets(lines: Iterable[str]) -> Iterator[str]:
    """The targets in ``lines``: blank lines and ``#`` comments are skipped, white space around a target is dropped."""
    for line in lines:
        target = line.lstrip("\ufeff").strip()  # Windows editors put a byte order mark in front of the first line
        if target and not target.startswith("#"):
            yield target


def arriving(stream: TextIO) -> Iterator[list[str]]:
    """The targets in ``stream``, as many at a time as are there.

    Whoever writes a line and waits for the answer must get it, and only the binary layer tells what is there without
    waiting for more. Decoding is that of ``stream``, and any line end counts.
    """
    decode = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(stream.encoding)(stream.errors or "strict"), translate=True
    ).decode
    binary = cast("io.BufferedReader", stream.buffer)
    unfinished: list[str] = []  # pieces of the last line
    while chunk := binary.read1(CHUNK_OCTETS):
        first, *others = decode(chunk).split("\n")
        unfinished.append(first)
        if others:
            whole = ["".join(unfinished), *others]
            unfinished = [whole.pop()]
            yield list(targets(whole))
    yield list(targets(("".join(unfinished) + decode(b"", True)).split("\n")))


async def ordered(
    items: Iterable[str], work: Callable[[str], Awaitable[Result]], jobs: int
) -> AsyncGenerator[tuple[str, Result], None]:
    """``(item, await work(item))`` for every item, in order; what iterating ``items`` raises is raised in its place.

    Closing the generator cancels the work that is going on.
    """
    import asyncio  # 48 ms, which ``arriving`` has no use for
    import threading

    loop = asyncio.get_running_loop()
    started: asyncio.Queue[tuple[str, asyncio.Future[Result]] | Exception | None] = asyncio.Queue()
    free = threading.Semaphore(jobs)
    over = threading.Event()

    def start(item: str) -> None:
        if not over.is_set():
            started.put_nowait((item, asyncio.ensure_future(work(item))))

    def tell(callback: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(callback, *arguments)

    def read() -> None:
        end: Exception | None = None
        try:
            for item in items:
                free.acquire()
                if over.is_set():
                    return
                tell(start, item)
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to whoever reads the results
            end = error
        tell(started.put_nowait, end)

    # A thread of its own, because reading standard input blocks; a daemon, because nothing else could end it.
    threading.Thread(target=read, name="targets", daemon=True).start()
    try:
        while (entry := await started.get()) is not None:
            if isinstance(entry, Exception):
                raise entry
            item, result = entry
            yield item, await result
            free.release()
    finally:
        over.set()
        free.release()  # the reader may be waiting for it
        entries = [started.get_nowait() for _ in range(started.qsize())]
        unfinished = [entry[1] for entry in entries if isinstance(entry, tuple)]
        for future in unfinished:
            future.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
