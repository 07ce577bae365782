"""The hand-written database in a checkout: where it is, what is in it, and how git calls it."""

from __future__ import annotations

from pathlib import Path

from .errors import InputError

_NAME = Path("data", "providers.yaml")


def find() -> Path:
    """The ``providers.yaml`` beside the package, or below the current folder; raise InputError if there is none."""
    for path in (Path(__file__).parent.parent / _NAME, _NAME):
        if path.exists():
            return path
    raise InputError("input.no_provider_file")


def read(path: Path) -> bytes:
    """The content of a ``providers.yaml``; raise InputError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("input.unreadable", path=str(path), reason=error.strerror or "") from None


def name(path: Path) -> str:
    """How git calls a file: by its path from the root of the checkout."""
    path = path.resolve()
    root = next((parent for parent in path.parents if (parent / ".git").exists()), path.parent)
    return path.relative_to(root).as_posix()
