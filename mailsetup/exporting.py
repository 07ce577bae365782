"""From a format's name to files on disk: what surrounds the pure exporters."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from . import files
from .errors import InputError
from .exporters import EXPORTERS, Export, Exporter, check_target, check_wishes, load
from .i18n import _, fill


def exporter(name: str, target: str, password_command: str, client_version: str) -> Exporter:
    """The exporter for ``--to NAME``; raise a usage error that lists the formats for an unknown one.

    A ``target`` that it can make nothing of is refused as ``check_target`` does, the other two as ``check_wishes``.
    """
    try:
        found = load(name)
    except KeyError:
        known = ", ".join(EXPORTERS)
        raise click.UsageError(_("unknown format {name}; known are: {known}").format(name=name, known=known)) from None
    check_target(found, target)
    check_wishes(found, password_command, client_version)
    return found


def formats() -> list[dict[str, object]]:
    """One object per format, as ``export --list --json`` writes them."""
    return [_format(load(name)) for name in EXPORTERS]


def deliver(made: Export, exporter: Exporter, domain: str, output: str | None, *, force: bool) -> None:
    """Write the files to ``output`` (a file, or an existing folder), or the only one to standard output."""
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(made.files[0].body)
        sys.stdout.buffer.flush()
    else:
        _write_to(Path(output), made, several=exporter.SEVERAL_FILES, force=force)
    click.echo(fill(exporter.WHERE, {"file": made.files[0].name, "domain": domain}), err=True)


def _write_to(output: Path, made: Export, *, several: bool, force: bool) -> None:
    if not several and not output.is_dir():
        _write(output, made.files[0].body, private=made.files[0].private, force=force)
        return
    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError("input.unwritable", path=str(output), reason=error.strerror or "") from None
    for file in made.files:
        _write(output / file.name, file.body, private=file.private, force=force)


def _write(path: Path, body: bytes, *, private: bool, force: bool) -> None:
    files.write(path, body, private=private, force=force)
    click.echo(_("wrote {path}").format(path=path), err=True)


def _format(exporter: Exporter) -> dict[str, object]:
    return {
        "format": exporter.NAME,
        "title": _(exporter.TITLE),
        "files": exporter.FILES,
        "media_type": exporter.MEDIA_TYPE,
        "protocols": exporter.PROTOCOLS,
        "several_files": exporter.SEVERAL_FILES,
        "needs_address": exporter.NEEDS_ADDRESS,
        "judged_by": exporter.JUDGED_BY,
        "password_command": exporter.PASSWORD_COMMAND,
        "versions": exporter.VERSIONS,
        "append": exporter.APPEND,
    }
