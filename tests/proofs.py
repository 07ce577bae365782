"""What the tests prove about exported files: claimed by the mark ``proves``, recorded when such a test has passed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

# What the real program did with the file: read it; logged in to the local servers with it; gave back odd characters
# (quotes, backslashes, ``$(...)``, letters of any script) as they went in, or the export had refused them.
KINDS = ("parsed", "login", "characters")
# The arguments of the marks of every test that has passed: (format, kind).
PROVED = pytest.StashKey[set[tuple[Any, ...]]]()


@cache
def claims() -> frozenset[tuple[str, str]]:
    """Every ``(format, kind)`` that some test is marked with; the arguments are literals."""
    return frozenset(
        claim for path in (Path(__file__).parent / "exporters").glob("test_*.py") for claim in _marks(path)
    )


def _marks(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "proves":
            name, kind = (ast.literal_eval(argument) for argument in node.args)
            yield name, kind
