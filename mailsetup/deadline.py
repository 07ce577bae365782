"""The point in time at which everything ends: one per target, passed down, never restarted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from .errors import MailsetupError


class Deadline:
    """A point on the monotonic clock at which everything ends."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.at = self._loop.time() + seconds

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - self._loop.time())

    def within(self, limit_s: float) -> Deadline:
        """The same deadline, or ``limit_s`` from now if that is earlier."""
        return Deadline(min(limit_s, self.remaining()))

    @contextlib.asynccontextmanager
    async def enforce(self, error: Callable[[], MailsetupError]) -> AsyncIterator[None]:
        """Run the block until the deadline, then raise ``error()``."""
        try:
            async with asyncio.timeout_at(self.at):
                yield
        except TimeoutError:
            raise error() from None
