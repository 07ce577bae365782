"""Turns at a host: of many targets at once, several may lead to one server, and servers count connections.

Too many from one client address are turned away (421, RFC 5321 §3.8) or blocked for hours, which would look like a
broken server. A single target never has to wait here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from .deadline import Deadline
from .errors import ConnectFailed

AT_ONCE = 8  # what one target may need: two ports for each of three protocols, and certificates looked at again


class Turns:
    """How many are at each host, for all targets that share these turns."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._doors: dict[str, asyncio.Semaphore] = {}
        self._interested: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def at(self, host: str, deadline: Deadline) -> AsyncIterator[None]:
        """Run the block when its turn comes; raise ConnectFailed (``tcp.timeout``) if ``deadline`` comes first."""
        door = self._doors.setdefault(host, asyncio.Semaphore(self._at_once))
        self._interested[host] += 1
        try:
            async with deadline.enforce(lambda: ConnectFailed("tcp.timeout")):
                await door.acquire()
            try:
                yield
            finally:
                door.release()
        finally:
            self._interested[host] -= 1
            if not self._interested[host]:  # memory stays flat however many hosts there are
                del self._interested[host], self._doors[host]
