"""The journal of a long run: one JSON record per line, appended as it comes, so that an interrupted run can go on.

It is also the memory of the run: what is shown in order and written to reports is read back from it, and only the place
of each record is kept. A line counts once its line end is there; a record that is written again replaces the earlier.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from . import jsonform
from .errors import InputError

_KIND = "mailsetup providers verify"
VERSION = 1


class Journal:
    """The records of one run by their ``id``. Use it with ``with``; leaving the block keeps the file."""

    def __init__(self, file: IO[bytes], path: Path | None) -> None:
        """For ``create``, ``resume`` and ``temporary``."""
        self._file = file
        self._path = path
        self._places: dict[str, int] = {}

    @classmethod
    def create(cls, path: Path, digest: str) -> Journal:
        """A new journal about the database with this digest; raise InputError if there is one or it cannot be made."""
        try:
            journal = cls(path.open("x+b"), path)
        except FileExistsError:
            raise InputError("input.journal_exists", path=str(path)) from None
        except OSError as error:
            raise InputError("input.unwritable", path=str(path), reason=error.strerror or "") from None
        journal._write({"journal": _KIND, "version": VERSION, "database": digest})
        return journal

    @classmethod
    def resume(
        cls, path: Path, digest: str, *, exists: Callable[[str], bool], counts: Callable[[dict[str, Any]], bool]
    ) -> Journal:
        """The journal of an interrupted run, or a new one if there is none; raise InputError if it cannot be used.

        Of another database (a newer edition, as a rule) it is used as long as everything in it still ``exists`` there:
        a record is about a server, whatever else the database says. Records that do not count are forgotten.
        """
        if not path.exists():
            return cls.create(path, digest)
        try:
            journal = cls(path.open("r+b"), path)
        except OSError as error:
            raise InputError("input.unreadable", path=str(path), reason=error.strerror or "") from None
        try:
            journal._read_all(digest, exists, counts)
        except BaseException:
            journal._file.close()
            raise
        return journal

    @classmethod
    def temporary(cls) -> Journal:
        """One that leaves nothing behind."""
        return cls(tempfile.TemporaryFile("w+b"), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, name: str) -> dict[str, Any]:
        """The record with this ``id``; raise KeyError."""
        self._file.seek(self._places[name])
        record: dict[str, Any] = json.loads(self._file.readline())
        return record

    def append(self, record: dict[str, Any]) -> None:
        """Write ``record``, so that it outlives this process; raise InputError if the disk is full."""
        self._places[record["id"]] = self._write(record)

    def discard(self) -> None:
        """Remove the file: the run is over, or nothing came of it."""
        self._file.close()  # Windows removes no open file
        if self._path is not None:
            self._path.unlink()

    def _write(self, record: dict[str, Any]) -> int:
        line = jsonform.dumps(record, ascii_only=True).encode() + b"\n"
        try:
            place = self._file.seek(0, os.SEEK_END)
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise InputError("input.unwritable", path=str(self._path or ""), reason=error.strerror or "") from None
        return place

    def _read_all(self, digest: str, exists: Callable[[str], bool], counts: Callable[[dict[str, Any]], bool]) -> None:
        end = 0
        same_database = False
        for number, line in enumerate(self._file):
            if not line.endswith(b"\n"):
                break  # the run ended while it wrote this line
            record = self._parse(line)
            if number == 0:
                if (record.get("journal"), record.get("version")) != (_KIND, VERSION):
                    raise InputError("input.journal_damaged", path=str(self._path), line="1")
                same_database = record.get("database") == digest
            else:
                name = record.get("id")
                if not isinstance(name, str):
                    raise InputError("input.journal_damaged", path=str(self._path), line=str(number + 1))
                if not same_database and not exists(name):
                    raise InputError("input.journal_outdated", path=str(self._path), endpoint=name)
                if counts(record):
                    self._places[name] = end
                else:
                    self._places.pop(name, None)
            end += len(line)
        if end == 0:
            raise InputError("input.journal_damaged", path=str(self._path), line="1")
        self._file.truncate(end)

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        # Anything else than an object has no id, which is what the caller complains about.
        return record if isinstance(record, dict) else {}
