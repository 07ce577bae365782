"""Writing exported files: never over an existing one without being told to, private where that matters."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from .errors import InputError


def write(path: Path, body: bytes | Iterable[bytes], *, private: bool, force: bool) -> None:
    """Create ``path`` with ``body``, which may come in pieces.

    Raise InputError if it exists (without ``force``) or cannot be written. With ``force`` the new file replaces the
    old one in one step, so that a failure leaves the old one whole. A device or pipe is written to: root would
    otherwise put a file in its place.
    """
    pieces = (body,) if isinstance(body, bytes) else body
    try:
        if force and path.exists() and not (path.is_file() or path.is_dir()):
            with path.open("wb") as device:
                device.writelines(pieces)
        elif force:
            _replace(path, pieces, private=private)
        else:
            _create(path, pieces, private=private)
    except FileExistsError:
        raise InputError("input.file_exists", path=str(path)) from None
    except OSError as error:
        raise InputError("input.unwritable", path=str(path), reason=error.strerror or "") from None


def _create(path: Path, pieces: Iterable[bytes], *, private: bool) -> None:
    # O_EXCL also refuses a symbolic link that someone else has placed there; the umask narrows the mode.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o600 if private else 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(pieces)


def _replace(path: Path, pieces: Iterable[bytes], *, private: bool) -> None:
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        _create(temporary, pieces, private=private)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
