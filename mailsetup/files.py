"""Writing exported files: never over an existing one without being told to, private where that matters."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from io import FileIO
from itertools import count
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


def append(
    path: Path, body: bytes, marks: Iterable[str], variables: Iterable[str] = (), *, private: bool = False
) -> Path:
    """Add the lines of ``body`` to the end of the text file at ``path``; return the backup that was made first.

    The file stays the one that it is, with its mode, owner and links, and keeps its line ends: people link to such
    files from elsewhere. With ``private`` it is closed to everybody but its owner first. Raise InputError if one of
    ``marks`` is a line of it already, whatever its white space (``input.account_exists``), if a line of it gives one of
    ``variables`` a value (``input.variable_exists``), or if it cannot be read or written.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            before = file.readall()
            _check_text(path, before, marks, variables)
            backup = back_up(path, before)
            if private:
                path.chmod(path.stat().st_mode & 0o700)
            try:
                _write_all(file, _continuation(before, body))
            except OSError:
                file.truncate(len(before))
                raise
    except OSError as error:
        raise InputError("input.unwritable", path=str(path), reason=error.strerror or "") from None
    return backup


def is_empty(path: Path) -> bool:
    """Whether there is nothing but white space in the file at ``path``."""
    try:
        return not path.read_bytes().strip()
    except OSError as error:
        raise InputError("input.unreadable", path=str(path), reason=error.strerror or "") from None


def _check_text(path: Path, before: bytes, marks: Iterable[str], variables: Iterable[str]) -> None:
    if before.startswith((b"\xff\xfe", b"\xfe\xff")):  # what is added is UTF-8
        raise InputError("input.unreadable", path=str(path), reason="UTF-16")
    lines = {b" ".join(line.split()) for line in before.splitlines()}
    for mark in marks:
        if b" ".join(mark.encode().split()) in lines:
            raise InputError("input.account_exists", path=str(path), line=mark)
    assigned = {line.partition(b"=")[0].removeprefix(b"export ").strip() for line in lines if b"=" in line}
    for name in variables:
        if name.encode() in assigned:
            raise InputError("input.variable_exists", path=str(path), name=name)


def back_up(path: Path, body: bytes) -> Path:
    """A copy of the file at ``path`` with ``body``, beside it under the first free name; return its path.

    It is as open to others as the original at most. Raise OSError if it cannot be written.
    """
    mode = path.stat().st_mode & 0o777
    for number in count(1):
        backup = path.with_name(f"{path.name}.bak{number}")
        try:
            _create(backup, (body,), private=True)
        except FileExistsError:
            continue  # an older backup: the next number
        backup.chmod(mode)
        return backup
    raise AssertionError  # count() does not end


def _continuation(before: bytes, body: bytes) -> bytes:
    """``body`` as it follows ``before``: after an empty line, with the same line ends."""
    # Not to be joined to an unfinished last line. An empty line ends a section in some formats (mbsync).
    separator = b"" if not before else b"\n" if before.endswith(b"\n") else b"\n\n"
    added = separator + body
    return added.replace(b"\n", b"\r\n") if b"\r\n" in before else added


def _write_all(file: FileIO, body: bytes) -> None:
    left = memoryview(body)
    while left:
        left = left[file.write(left) :]


def refuse_existing(paths: Iterable[Path], *, force: bool) -> None:
    """Raise InputError for the first of ``paths`` that exists, unless with ``force``: all are written, or none."""
    existing = next((path for path in paths if path.exists()), None)
    if existing is not None and not force:
        raise InputError("input.file_exists", path=str(existing))


def make_folder(path: Path, *, parents: bool = False) -> None:
    """Create the folder ``path`` unless it is there; raise InputError if that is impossible."""
    try:
        path.mkdir(parents=parents, exist_ok=True)
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
