"""What the tests prove about exported files: claimed by the mark ``proves``, recorded when such a test has passed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import pytest

# What the real program did with the file: read it; logged in to the local servers with it; gave back odd characters
# (quotes, backslashes, ``$(...)``, letters of any script) as they went in, or the export had refused them.
KINDS = ("parsed", "login", "characters")
# The arguments of the marks of every test that has passed: (format, kind).
PROVED = pytest.StashKey[set[tuple[Any, ...]]]()
_HERE = Path(__file__).parent


@cache
def claims() -> frozenset[tuple[str, str]]:
    """Every ``(format, kind)`` that some test claims to prove, whatever is run and installed here."""
    # A run inside this one would share its modules.
    program = f"import sys; sys.path.insert(0, {str(_HERE)!r}); import proofs; proofs.write_claims()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=_HERE.parent)
    return frozenset((name, kind) for name, kind in json.loads(done.stdout))


def write_claims() -> None:
    """Collect the tests of the exporters and write what they claim as JSON."""
    collector = _Collector()
    with redirect_stdout(io.StringIO()) as said:
        code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", str(_HERE / "exporters")], [collector])
    if code != pytest.ExitCode.OK:
        sys.exit(said.getvalue())
    print(json.dumps(sorted(collector.claims)))  # noqa: T201  # what the caller reads


class _Collector:
    """A plugin that looks at the marks of what was collected."""

    def __init__(self) -> None:
        self.claims: set[tuple[Any, ...]] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.claims = {mark.args for item in items for mark in item.iter_markers("proves")}
