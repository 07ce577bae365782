"""Many targets: bounded concurrency, results in input order, each as soon as it and those before it are ready.

There is no mail knowledge here. Input is read as it comes and at most ``jobs`` targets are in work, so that memory
stays flat however long the input is.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

Result = TypeVar("Result")


def targets(lines: Iterable[str]) -> Iterator[str]:
    """The targets in ``lines``: blank lines and ``#`` comments are skipped, white space around a target is dropped."""
    for line in lines:
        target = line.lstrip("\ufeff").strip()  # Windows editors put a byte order mark in front of the first line
        if target and not target.startswith("#"):
            yield target


async def ordered(
    items: Iterable[str], work: Callable[[str], Awaitable[Result]], jobs: int
) -> AsyncGenerator[tuple[str, Result], None]:
    """``(item, await work(item))`` for every item, in order; what iterating ``items`` raises is raised in its place.

    Closing the generator cancels the work that is going on.
    """
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
