"""Limits on time that hold on a busy or slow machine, too: that something ends. How fast: see ``benchmarks``."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STAT = Path("/proc/stat")
_TURNS, _TURNS_S = 1_000_000, 0.02  # what a loop takes on a machine of today that has nothing else to do


class Stopwatch:
    """Time since it was made, without what the host of a virtual machine gave to others meanwhile."""

    def __init__(self) -> None:
        self._started, self._stolen = time.monotonic(), _stolen_s()

    def elapsed_s(self) -> float:
        elapsed_s = time.monotonic() - self._started
        return elapsed_s - min(elapsed_s, _stolen_s() - self._stolen)

    def is_within(self, limit_s: float, slack_s: float = 1.0) -> bool:
        """Whether no more than ``limit_s`` has passed, and the slack for starting a program and TLS.

        They take time of the processor. If there is little of it to be had the slack grows.
        """
        elapsed_s = self.elapsed_s()
        return elapsed_s <= limit_s + slack_s or elapsed_s <= limit_s + slack_s * slowness()


def slowness() -> float:
    """How many times longer work takes now than it should: at least 1."""
    watch = Stopwatch()
    for _turn in range(_TURNS):
        pass
    return max(1.0, watch.elapsed_s() / _TURNS_S)


def _stolen_s() -> float:
    """Since the start of the machine, of all its processors together (proc_stat(5)); 0 where nobody tells."""
    if not _STAT.exists():
        return 0.0
    _cpu, _user, _nice, _system, _idle, _iowait, _irq, _softirq, steal, *_ = _STAT.read_text("ascii").split()
    return int(steal) / os.sysconf("SC_CLK_TCK")
