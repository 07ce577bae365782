"""``mailsetup export``: write the configuration for a mail client."""

from __future__ import annotations

from collections.abc import Container

import click

from .. import api, helptext, layout, options, render, text
from ..i18n import _
from ..model import Lookup, NetworkOptions, Protocol, Status
from . import EXIT_OK, exit_code, wanted_protocols


@click.command(
    cls=helptext.Command,
    help=_(
        "Write the configuration of TARGET for a mail client. TARGET is a mail address; formats that are about no "
        "person in particular, such as thunderbird, also take a domain.\n\n"
        "A password is never written; the client asks for it. `--list` shows the formats."
    ),
)
@click.argument("target", required=False)
@click.option("--to", "format_name", metavar="FORMAT", help=_("The format; see --list."))
@click.option(
    *("-o", "--output"),
    type=options.path,
    metavar="PATH",
    help=_("Write to this file or folder; - is standard output."),
)
@click.option(
    "--profile",
    type=options.path,
    metavar="FOLDER",
    is_flag=False,
    flag_value="default",
    help=_("Add the account to this profile of Thunderbird, or to the usual one."),
)
@click.option(
    *("--bundle", "folder"),
    type=options.path,
    metavar="FOLDER",
    help=_("Write every possible format below this folder."),
)
@click.option("--name", "display_name", default="", help=_("The name that recipients see."))
@options.protocols(Protocol.IMAP, Protocol.POP3)
@click.option("--password-command", metavar="CMD", default="", help=_("Let the client run CMD to get the password."))
@click.option(
    "--client-version", metavar="VERSION", default="", help=_("Write for this version of the program; see --list.")
)
@click.option("--append", is_flag=True, help=_("Add the account to an existing file, after a backup."))
@click.option("--force", is_flag=True, help=_("Replace an existing file."))
@click.option("--offline", is_flag=True, help=_("Never use the network."))
@click.option("--list", "list_formats", is_flag=True, help=_("List the formats."))
@options.as_json
@options.network
@options.common
def command(
    target: str | None,
    format_name: str | None,
    output: str | None,
    profile: str | None,
    folder: str | None,
    display_name: str,
    protocols: tuple[str, ...],
    password_command: str,
    client_version: str,
    append: bool,
    force: bool,
    offline: bool,
    list_formats: bool,
    as_json: bool,
    options: NetworkOptions,
) -> int:
    """Write a configuration."""
    from .. import exporting

    if list_formats:
        if target or format_name or output or folder:
            raise click.UsageError(_("--list stands alone: it takes no address, no --to, no -o and no --bundle"))
        render.formats(exporting.formats(), as_json=as_json)
        return EXIT_OK
    if as_json:
        raise click.UsageError(_("--json goes with --list only: an export is a file of its own format"))
    if target == "-":
        raise click.UsageError(_("give one address at a time: an export reads no list from standard input"))
    _check_names(target, output, folder, profile)
    if folder is not None:
        if target is None or format_name or output or profile or client_version or append:
            raise click.UsageError(
                _("--bundle takes an address, but no --to, no -o, no --profile, no --client-version, no --append")
            )
        write = exporting.bundle_writer(target, folder, force=force)
        needed: Container[Protocol] = ()  # each format says for itself what it lacks
    elif target is None or format_name is None:
        raise click.UsageError(_("give an address and --to FORMAT; `mailsetup export --list` shows the formats"))
    else:
        exporter = exporting.exporter(format_name, target, password_command, client_version)
        if profile is not None and (output or append or force):
            raise click.UsageError(_("--profile says where the account goes: leave out -o, --append and --force"))
        place = exporting.Place(None if output == "-" else output, force=force, append=append, profile=profile)
        write = exporting.writer(exporter, place)
        needed = exporter.PROTOCOLS
    wanted = wanted_protocols(protocols) | {Protocol.SMTP}
    with render.progress(_("Asking {target} …").format(target=target)):
        answer = api.lookup(target, offline=offline, protocols=wanted, options=options)
    if answer.status is not Status.FOUND:
        click.echo("\n".join(layout.lookup_lines(answer, explain=False)), err=True)
        return exit_code(answer)
    account = api.account_of(answer, display_name, needed)
    notices = write(account._replace(password_command=password_command, client_version=client_version))
    answer = _for_whoever_has_a_file(answer)
    for line in (*layout.preparations(answer), *layout.warnings(answer), *map(text.notice, notices)):
        click.echo(f"! {line}", err=True)
    return EXIT_OK


def _check_names(target: str | None, output: str | None, folder: str | None, profile: str | None) -> None:
    """Raise a usage error for names of files and folders that nobody means."""
    if "" in (output, folder, profile):
        raise click.UsageError(_("the name of the file or folder is empty"))
    if target is None and profile is not None and "@" in profile:
        raise click.UsageError(
            _("--profile took {address} for a folder: put the address first").format(address=profile)
        )


def _for_whoever_has_a_file(answer: Lookup) -> Lookup:
    """``answer`` without what is said about servers in general.

    The right hosts are in the file, and what its program makes of servers that demand ID is one of its notices.
    """
    if answer.provider is not None:
        notes = tuple(note for note in answer.provider.notes if note.code != "imap-id")
        answer = answer._replace(provider=answer.provider._replace(notes=notes, wrong_hosts=()))
    return answer._replace(notices=tuple(notice for notice in answer.notices if notice.code != "imap-id"))
