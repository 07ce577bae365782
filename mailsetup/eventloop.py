"""Asynchronous work from code that is not: an event loop for as long as the work takes."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """What ``work`` returns, in an event loop of its own; whatever it raises, and KeyboardInterrupt.

    To be called where no event loop is running (RuntimeError otherwise).
    """
    import asyncio  # 48 ms: only where the network is used

    try:
        return asyncio.run(work)
    finally:
        # Work that has run is left as it is. Ctrl-C while the loop is being made leaves work that never began, which
        # Python would complain about on the user's terminal.
        work.close()
