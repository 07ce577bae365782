"""Run one target for some time: ``python fuzz/__main__.py TARGET [--seconds N] [--corpus FOLDER]``.

With atheris installed the runs are guided by coverage and keep what reached something new in the folder; without it
hypothesis makes the inputs. A finding ends the run with its traceback, and is written to the folder.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # this checkout, wherever it is run from
HAS_ATHERIS = importlib.util.find_spec("atheris") is not None


def run_atheris(name: str, seconds: int, corpus: Path) -> None:
    """Let libFuzzer change what is in ``corpus`` until the time is over; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["mailsetup"]):
        from fuzz.targets import TARGETS, dictionary

    limits = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", "-rss_limit_mb=1024"]
    limits.append(f"-artifact_prefix={corpus}/found-")
    if words := dictionary(name):
        file = corpus.with_name(f"{corpus.name}.dict")
        file.write_text("".join(f'"{_escaped(word)}"\n' for word in words), "ascii")
        limits.append(f"-dict={file}")
    atheris.Setup([sys.argv[0], *limits, str(corpus)], TARGETS[name])
    atheris.Fuzz()


def run_hypothesis(name: str, seconds: int, corpus: Path) -> None:
    """Let hypothesis put words, known inputs and bytes together until the time is over."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    from fuzz.targets import TARGETS, dictionary, seeds

    known = st.sampled_from([*seeds(name), b""])
    piece = st.binary(max_size=40) | st.sampled_from([*dictionary(name), b"\r\n"])
    inputs = st.tuples(st.binary(max_size=2), st.lists(piece | known, max_size=40)).map(lambda p: p[0] + b"".join(p[1]))
    checks = tuple(HealthCheck)

    @settings(max_examples=1000, deadline=None, suppress_health_check=checks, database=None, print_blob=False)
    @given(inputs)
    def attempt(data: bytes) -> None:
        try:
            TARGETS[name](data)
        except BaseException:
            (corpus / f"found-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
            raise

    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        attempt()
        rounds += 1
    print(f"{name}: {rounds * 1000} inputs, nothing found")


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="where inputs are kept; by default a new folder")
    options = parser.parse_args()
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix=f"fuzz-{options.target}-"))
    corpus.mkdir(parents=True, exist_ok=True)
    if HAS_ATHERIS:
        _write_seeds(options.target, corpus)
    (run_atheris if HAS_ATHERIS else run_hypothesis)(options.target, options.seconds, corpus)


def _write_seeds(name: str, corpus: Path) -> None:
    # In a process of its own: modules that are loaded already would not be instrumented.
    program = (
        "import pathlib, sys; from fuzz.targets import seeds\n"
        "for number, seed in enumerate(seeds(sys.argv[1])):\n"
        "    pathlib.Path(sys.argv[2], f'seed-{number}').write_bytes(seed)"
    )
    subprocess.run([sys.executable, "-c", program, name, str(corpus.resolve())], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
