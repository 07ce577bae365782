"""Many targets: bounded concurrency, results in input order, each as soon as it and those before it are ready.

There is no mail knowledge here. Input is read as it comes and at most ``jobs`` targets are in work, so that memory
stays flat however long the input is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
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
) -> AsyncIterator[tuple[str, Result]]:
    """``(item, await work(item))`` for every item, in order."""
    loop = asyncio.get_running_loop()
    started: asyncio.Queue[tuple[str, asyncio.Task[Result]] | None] = asyncio.Queue()
    free = asyncio.Semaphore(jobs)

    async def start(item: str) -> None:
        await free.acquire()
        started.put_nowait((item, asyncio.create_task(_run(item))))

    async def _run(item: str) -> Result:
        return await work(item)

    def read() -> None:
        # A thread of its own, because reading standard input blocks; a daemon, because nothing else could end it.
        try:
            for item in items:
                asyncio.run_coroutine_threadsafe(start(item), loop).result()
        finally:
            loop.call_soon_threadsafe(started.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while (entry := await started.get()) is not None:
        item, task = entry
        try:
            yield item, await task
        finally:
            free.release()
