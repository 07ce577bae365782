"""Limits on time that hold on a busy machine, too: that something ends. How fast it is belongs to ``benchmarks``."""

from __future__ import annotations

import time

_SPIN_S = 0.05


def is_within(started: float, limit_s: float, slack_s: float = 1.0) -> bool:
    """Whether what began at ``started`` (``time.monotonic()``) is over within ``limit_s``, and the slack for a process.

    Starting a program and TLS take time of the processor. If there is little of it to be had the slack grows.
    """
    elapsed_s = time.monotonic() - started
    return elapsed_s <= limit_s + slack_s or elapsed_s <= limit_s + slack_s * slowness()


def slowness() -> float:
    """How many times longer work takes now than on a machine with nothing else to do: at least 1."""
    began, used = time.monotonic(), time.process_time()
    while time.process_time() - used < _SPIN_S:
        pass
    return max(1.0, (time.monotonic() - began) / _SPIN_S)
