"""Writing exported files: never over an existing one without being told to, private where that matters."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .errors import InputError


def write(path: Path, body: bytes, *, private: bool, force: bool) -> None:
    """Create ``path`` with ``body``; raise InputError if it exists (without ``force``) or cannot be written.

    With ``force`` the new file replaces the old one in one step, so that a failure leaves the old one whole.
    """
    mode = 0o600 if private else 0o666
    try:
        if force:
            _replace(path, body, private=private)
            return
        # O_EXCL also refuses a symbolic link that someone else has placed there.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
    except FileExistsError:
        raise InputError("input.file_exists", path=str(path)) from None
    except OSError as error:
        raise InputError("input.unwritable", path=str(path), reason=error.strerror or "") from None


def _replace(path: Path, body: bytes, *, private: bool) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        if not private:  # mkstemp makes private files
            Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
