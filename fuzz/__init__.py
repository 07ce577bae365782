"""Fuzzing: arbitrary bytes into every dialogue and parser that a stranger can reach. See docs/fuzzing.md."""

import sys
from pathlib import Path

# The peer made of bytes and the rules for every conversation are those of the tests.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
