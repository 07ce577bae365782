"""How long a cold offline lookup takes, as a ratio to what it cannot avoid: starting Python and importing click.

    python benchmarks/startup.py [--runs N] [--limit RATIO]

Both commands run in turn, in the environment of the Python that runs this file, so that a machine that slows down
slows down both. The ratio of the medians is what counts; with --limit a larger one ends with exit code 1.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path


def wall_ms(command: list[str]) -> float:
    """The wall time of one run in milliseconds; raise CalledProcessError if it fails."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def main() -> int:
    """Measure, print a table, and compare with the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--limit", type=float)
    options = parser.parse_args()
    script = shutil.which("mailsetup", path=str(Path(sys.executable).parent))
    program = [script] if script else [sys.executable, "-m", "mailsetup"]
    commands = {
        "python -c 'import click'": [sys.executable, "-c", "import click"],
        "lookup --offline --json": [*program, "lookup", "--offline", "--json", "user@qq.com"],
        "lookup --lang zh": [*program, "--lang", "zh", "lookup", "user@qq.com"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        wall_ms(command)  # once to fill the caches
    for _ in range(options.runs):
        for name, command in commands.items():
            times[name].append(wall_ms(command))
    base = statistics.median(times["python -c 'import click'"])
    print(f"{'command':28}{'median ms':>10}{'min ms':>10}{'ratio':>8}")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:28}{median:10.1f}{min(values):10.1f}{median / base:8.2f}")
    ratio = statistics.median(times["lookup --offline --json"]) / base
    return int(options.limit is not None and ratio > options.limit)


if __name__ == "__main__":
    sys.exit(main())
