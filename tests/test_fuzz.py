"""The fuzzing targets hold for what they begin with, and notice what they must notice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents import code, read
from mailsetup.model import Protocol

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the targets are no part of the package
from fuzz import targets  # noqa: E402  # needs sys.path as set above

FOUND = sorted((ROOT / "fuzz" / "found").glob("*/*"))


@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_holds_for_its_seeds_and_words(name: str) -> None:
    inputs = [*targets.seeds(name), *targets.dictionary(name), b""]
    for data in inputs:
        targets.TARGETS[name](data)
    assert len(inputs) > 2


@pytest.mark.parametrize("name", Protocol)
def test_a_dialogue_is_seeded_with_conversations_that_get_far(name: Protocol) -> None:
    assert len(list(targets.seeds(name))) >= 9
    assert all(len(seed) > 20 for seed in targets.seeds(name))


@pytest.mark.parametrize("name", targets.TARGETS)
@given(data=st.binary(max_size=300))
def test_a_target_holds_for_any_bytes(name: str, data: bytes) -> None:
    targets.TARGETS[name](data)


def test_what_was_found_once_stays_repaired() -> None:
    for path in FOUND:
        targets.TARGETS[path.parent.name](path.read_bytes())


def test_a_broken_promise_is_found(tmp_path: Path) -> None:
    """With a decoder that lets control characters pass, the search must end with the input that shows it."""
    program = (
        "import sys, fuzz.targets as t, fuzz.__main__ as m; t.decode = lambda line: line.decode('latin-1'); "
        "from pathlib import Path; m.run_hypothesis('text', 60, Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
    assert list(tmp_path.glob("found-*"))


def test_every_target_is_documented() -> None:
    table = read("docs/fuzzing.md").tables[0]
    assert [code(row[0])[0] for row in table] == list(targets.TARGETS)
