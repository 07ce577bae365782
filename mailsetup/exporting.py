"""From a format's name to files on disk: what surrounds the pure exporters."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from . import files, helptext
from .address import parse
from .bundling import Bundle, bundle
from .errors import InputError
from .exporters import EXPORTERS, Export, Exporter, ExportFile, check_target, check_wishes, load, where
from .i18n import _
from .model import Account, Notice

# Writes an account, says on standard error what was written and where it belongs, and returns what the user must know.
Writer = Callable[[Account], tuple[Notice, ...]]


class Place(NamedTuple):
    """Where an export goes: the options ``-o``, ``--force``, ``--append`` and ``--profile``."""

    output: str | None  # a file or folder; None: standard output
    force: bool  # replace what is there
    append: bool  # add the account to a file that has others
    profile: str | None = None  # add the account to this profile of Thunderbird instead (see ``profiles.find``)


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


def writer(exporter: Exporter, place: Place) -> Writer:
    """What writes an account with ``exporter`` to ``place``; raise InputError for a place that it cannot write to."""
    if place.profile is not None:
        return _profile_writer(exporter, place.profile)
    if place.append and not exporter.APPEND:
        raise InputError("input.no_append", format=exporter.NAME)
    if place.append and place.output is None:
        raise InputError("input.append_needs_file")
    if exporter.SEVERAL_FILES and place.output is None:
        raise InputError("input.needs_folder", format=exporter.NAME)

    def write(account: Account) -> tuple[Notice, ...]:
        made = exporter.render(account)
        _deliver(made, exporter, place, has_command=bool(account.password_command))
        helptext.talk(where(exporter, made, account.address.domain))
        return made.notices

    return write


def _profile_writer(exporter: Exporter, name: str) -> Writer:
    """What adds an account to a profile of Thunderbird; raise InputError for another format, or without a profile."""
    from . import profiles
    from .exporters import thunderbird_profile

    if exporter.NAME != thunderbird_profile.NAME:
        raise InputError("input.no_profile_in_format", format=exporter.NAME, known=thunderbird_profile.NAME)
    profile = profiles.find(name)

    def write(account: Account) -> tuple[Notice, ...]:
        backup = profiles.add(profile, partial(thunderbird_profile.preferences, account))
        if backup is None:
            click.echo(_("{path} has this account already: nothing was changed").format(path=profile), err=True)
            return ()
        click.echo(_("added to {path}; as it was before: {backup}").format(path=profile, backup=backup), err=True)
        command = profiles.undo_command(profile, backup, sys.platform)
        click.echo(_("To undo this before Thunderbird is started again: {command}").format(command=command), err=True)
        click.echo(_("Start Thunderbird: it asks for the password, or opens the provider's login page."), err=True)
        return ()

    return write


def bundle_writer(target: str, folder: str, *, force: bool) -> Writer:
    """What writes an account in every format below ``folder``; raise InputError for a wrong ``target``.

    Nothing is written if one of the files exists, unless with ``force``. Raise ExportError if no format can express the
    account.
    """
    parse(target)

    def write(account: Account) -> tuple[Notice, ...]:
        made = bundle(account)
        if not made.exports:
            raise next(iter(made.refused.values()))
        _deliver_bundle(made, Path(folder), force=force)
        return ()  # they are in the README, with the format that each is about

    return write


def formats() -> list[dict[str, object]]:
    """One object per format, as ``export --list --json`` writes them."""
    return [_format(load(name)) for name in EXPORTERS]


def _deliver(made: Export, exporter: Exporter, place: Place, *, has_command: bool) -> None:
    if place.output is None:
        _print(made)
        if exporter.APPEND:
            helptext.talk(_("If you have such a file already, let --append -o add the account to it."))
        return
    output = Path(place.output)
    if exporter.SEVERAL_FILES:
        files.make_folder(output)
        for file in made.files:
            _write(output / file.name, file, force=place.force)
    else:
        _write_one(output / made.files[0].name if output.is_dir() else output, made, place, has_command=has_command)


def _print(made: Export) -> None:
    if made.drawing and sys.stdout.isatty():
        _draw(made.drawing)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(made.files[0].body)
    sys.stdout.buffer.flush()


def _draw(rows: tuple[str, ...]) -> None:
    """Show ``rows`` in their colours, without which a dark terminal would show the negative of them."""
    try:
        "".join(rows).encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        raise InputError("input.terminal_encoding", encoding=sys.stdout.encoding) from None
    if shutil.get_terminal_size().columns < len(rows[0]):
        raise InputError("input.narrow_terminal", columns=str(len(rows[0])))
    for row in rows:
        click.echo(click.style(row, fg="black", bg="bright_white"), color=True)


def _write_one(output: Path, made: Export, place: Place, *, has_command: bool) -> None:
    """The main file to ``output``. One that may have other accounts in it is added to, or it is said how to."""
    addition = made.addition
    if addition is None or place.force or not output.exists():
        _write(output, _form(made, output), force=place.force)
    elif not place.append:
        click.echo(addition.body, nl=False)  # bytes: the same in every encoding, and with the same line ends
        raise InputError("input.file_has_accounts", path=str(output))
    else:
        body = made.files[0].body if files.is_empty(output) else addition.body
        backup = files.append(output, body, addition.marks, addition.variables, private=has_command)
        click.echo(_("added to {path}; as it was before: {backup}").format(path=output, backup=backup), err=True)


def _form(made: Export, output: Path) -> ExportFile:
    """The form of the main file that the suffix of ``output`` asks for; raise InputError if there is none such."""
    forms = {Path(file.name).suffix: file for file in (made.files[0], *made.forms)}
    suffix = output.suffix.lower()
    if made.forms and suffix and suffix not in forms:
        raise InputError("input.unknown_form", path=str(output), known=", ".join(forms))
    return forms.get(suffix, made.files[0])


def _deliver_bundle(made: Bundle, folder: Path, *, force: bool) -> None:
    places = [
        (folder / name / file.name, file)
        for name, export in made.exports.items()
        for file in (*export.files, *export.forms)
    ]
    places.append((folder / made.readme.name, made.readme))
    files.refuse_existing((path for path, _file in places), force=force)
    files.make_folder(folder)
    for path, file in places:
        files.make_folder(path.parent)
        files.write(path, file.body, private=file.private, force=force)
    click.echo(_("wrote {path}").format(path=folder / made.readme.name), err=True)


def _write(path: Path, file: ExportFile, *, force: bool) -> None:
    files.write(path, file.body, private=file.private, force=force)
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
