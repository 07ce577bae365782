"""How many targets a second `mailsetup lookup - --offline --json` answers, and how much memory it takes.

    python benchmarks/bulk.py [--lines N] [--providers N] [--limit LINES_PER_SECOND]

Each run is a new process on one core (where the system can pin it), and its start counts. The seconds are those of the
processor, so that other programs on the machine count little; as they still take its caches, and machines differ,
`turns` is how often Python goes around an empty loop, measured just before, in the time that a target takes. With
--providers the database is made up of copies of the installed one until it has that many entries. With --limit, a
workload below it ends with exit code 1.
"""

from __future__ import annotations

import argparse
import compileall
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import mailsetup
from mailsetup.index import Index, encode
from mailsetup.model import Provider

PACKAGE = Path(mailsetup.__file__).parent
LOOKUP = [sys.executable, "-m", "mailsetup", "lookup", "-", "--offline", "--json"]
TURNS = 10_000_000
LOOP = [sys.executable, "-c", f"for _ in range({TURNS}): pass"]


class Run(NamedTuple):
    """What one process took."""

    seconds: float
    megabytes: float  # at its largest


def copies(providers: list[Provider], number: int) -> Iterator[Provider]:
    """``providers``, then the same under other names, until there are ``number`` of them."""
    for round_number in range(number // len(providers) + 1):
        for provider in providers[: number - round_number * len(providers)]:
            domains, reported = provider.domains, provider.reported_domains
            if round_number:
                domains, reported = (
                    tuple(_renamed(domain, round_number) for domain in names) for names in (domains, reported)
                )
            yield provider._replace(id=f"{provider.id}-{round_number}", domains=domains, reported_domains=reported)


def _renamed(domain: str, number: int) -> str:
    return f"*.{number}-{domain[2:]}" if domain.startswith("*.") else f"{number}-{domain}"


def install(folder: Path, providers: list[Provider]) -> None:
    """A copy of the package in ``folder`` whose database is ``providers``."""
    shutil.copytree(PACKAGE, folder / "mailsetup")
    compileall.compile_dir(folder, quiet=1)  # as installers do
    encoded = encode(providers, "0" * 64)
    (folder / "mailsetup" / "providers.idx").write_bytes(encoded)
    domains = sum(len(provider.domains + provider.reported_domains) for provider in providers)
    print(f"{len(providers)} providers, {domains} domains, {len(encoded) / 1e6:.2f} MB")


def workloads(providers: list[Provider]) -> dict[str, Iterator[str]]:
    """Targets without end; no two of them are equal."""
    domains = [domain for p in providers for domain in p.domains + p.reported_domains]
    known = itertools.cycle([domain for domain in domains if "*" not in domain])
    unknown = (f"unknown{number}.example" for number in itertools.count())
    return {
        "known": (f"user{number}@{next(known)}" for number in itertools.count()),
        "mix": (f"user{number}@{next(unknown if number % 3 else known)}" for number in itertools.count()),
        "unknown": (f"user{number}@{next(unknown)}" for number in itertools.count()),
    }


def run(command: list[str], lines: Path, folder: Path) -> Run:
    """Run ``command`` over ``lines``; raise AssertionError where it ends with another code than 0 and 1."""
    with lines.open("rb") as stdin:
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, cwd=folder)
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 1), process.returncode
    octets = usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024
    return Run(usage.ru_utime + usage.ru_stime, octets / 1e6)


def main() -> int:
    """Measure, print a table, and compare with the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--providers", type=int)
    parser.add_argument("--limit", type=float)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    installed = list(Index.load())
    providers = list(copies(installed, options.providers or len(installed)))
    slowest = float("inf")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install(folder, providers)
        print(f"{'workload':12}{'targets':>10}{'seconds':>10}{'a second':>10}{'turns':>8}{'MB':>8}")
        for workload, targets in workloads(providers).items():
            for number in (options.lines // 10, options.lines):
                lines = folder / "targets.txt"
                # Not as one text: what this process has in memory counts as that of those it starts.
                with lines.open("w", encoding="utf-8") as file:
                    file.writelines(f"{target}\n" for target in itertools.islice(targets, number))
                loop, lookup = run(LOOP, lines, folder), run(LOOKUP, lines, folder)
                rate = number / lookup.seconds
                turns = lookup.seconds / number / (loop.seconds / TURNS)
                print(f"{workload:12}{number:10}{lookup.seconds:10.2f}{rate:10.0f}{turns:8.0f}{lookup.megabytes:8.1f}")
                if number == options.lines:
                    slowest = min(slowest, rate)
    return int(options.limit is not None and slowest < options.limit)


if __name__ == "__main__":
    sys.exit(main())
