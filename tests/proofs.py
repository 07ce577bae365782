"""What the tests prove: claimed by the marks ``proves`` and ``produces``, recorded when such a test has passed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mailsetup.diagnosis import CODES

# What the real program did with the file: read it; logged in to the local servers with it; gave back odd characters
# (quotes, backslashes, ``$(...)``, letters of any script) as they went in, or the export had refused them.
KINDS = ("parsed", "login", "characters")
# The arguments of the marks ``proves`` of every test that has passed: (format, kind).
PROVED = pytest.StashKey[set[tuple[Any, ...]]]()
# The failure codes that a test which has passed has produced.
PRODUCED = pytest.StashKey[set[str]]()
_HERE = Path(__file__).parent


class Producer(NamedTuple):
    """A test that makes a server fail so that a code comes out."""

    code: str
    path: str  # from the folder of the tests
    test: str  # its name, without parameters
    real: bool  # the servers are those of the laboratory, not small ones that misbehave


@cache
def claims() -> frozenset[tuple[str, str]]:
    """Every ``(format, kind)`` that some test claims to prove, whatever is run and installed here."""
    return frozenset((name, kind) for name, kind in _collected("proves"))


@cache
def producers() -> tuple[Producer, ...]:
    """Every test that claims to produce a code, in the order of the tests."""
    return tuple(Producer(*fields) for fields in _collected("produces"))


def codes_of(item: pytest.Item) -> frozenset[str]:
    """The failure codes that ``item`` claims to produce: those its mark names, else those among its parameters."""
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params.values() if callspec is not None else ()
    return frozenset(code for mark in item.iter_markers("produces") for code in mark.args or _codes_among(parameters))


def _codes_among(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str) and value in CODES:
            yield value
        elif isinstance(value, tuple | Mapping):
            yield from _codes_among(value.values() if isinstance(value, Mapping) else value)


def _collected(mark: str) -> list[list[Any]]:
    # A run inside this one would share its modules.
    program = f"import sys; sys.path.insert(0, {str(_HERE)!r}); import proofs; proofs.write_{mark}()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=_HERE.parent)
    found: list[list[Any]] = json.loads(done.stdout)
    return found


def write_proves() -> None:
    """Write as JSON what tests claim to prove about exports."""
    found = {mark.args for item in _collect("proves") for mark in item.iter_markers("proves")}
    print(json.dumps(sorted(found)))  # noqa: T201  # what the caller reads


def write_produces() -> None:
    """Write as JSON which codes tests claim to produce; end with an error if a mark claims none."""
    items = [item for item in _collect("produces") if item.get_closest_marker("produces")]
    found = {
        Producer(code, item.path.relative_to(_HERE).as_posix(), item.name.partition("[")[0], "servers" in item.keywords)
        for item in items
        for code in codes_of(item)
    }
    if idle := {item.name.partition("[")[0] for item in items} - {producer.test for producer in found}:
        sys.exit(f"marked to produce a code, but neither the mark nor a parameter says which: {idle}")
    print(json.dumps(sorted(found)))  # noqa: T201  # what the caller reads


def _collect(mark: str) -> list[pytest.Item]:
    """The tests in every file that uses ``mark``."""
    collector = _Collector()
    paths = [str(path) for path in sorted(_HERE.rglob("test_*.py")) if f"mark.{mark}" in path.read_text("utf-8")]
    with redirect_stdout(io.StringIO()) as said:
        code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *paths], [collector])
    if code != pytest.ExitCode.OK:
        sys.exit(said.getvalue())
    return collector.items


class _Collector:
    """A plugin that keeps what was collected, with the marks that ``conftest`` gives."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = list(session.items)
