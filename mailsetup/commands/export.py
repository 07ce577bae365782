"""``mailsetup export``: write the configuration for a mail client."""

from __future__ import annotations

import click

from .. import api, helptext, layout, options, render, text
from ..errors import InputError
from ..i18n import _
from ..model import NetworkOptions, Protocol, Status
from . import EXIT_OK, exit_code, wanted_protocols


@click.command(
    cls=helptext.Command,
    help=_(
        "Write the configuration of TARGET, a mail address, for a mail client.\n\n"
        "A password is never written; the client asks for it. `--list` shows the formats."
    ),
)
@click.argument("target", required=False)
@click.option("--to", "format_name", metavar="FORMAT", help=_("The format; see --list."))
@click.option("-o", "--output", metavar="PATH", help=_("Write to this file or folder."))
@click.option("--name", "display_name", default="", help=_("The name that recipients see."))
@options.protocols(Protocol.IMAP, Protocol.POP3)
@click.option("--password-command", metavar="CMD", help=_("Let the client run CMD to get the password."))
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
    display_name: str,
    protocols: tuple[str, ...],
    password_command: str | None,
    force: bool,
    offline: bool,
    list_formats: bool,
    as_json: bool,
    options: NetworkOptions,
) -> int:
    """Write a configuration."""
    from .. import exporting

    if list_formats:
        render.formats(exporting.formats(), as_json=as_json)
        return EXIT_OK
    if target is None or format_name is None:
        raise click.UsageError(_("give an address and --to FORMAT; `mailsetup export --list` shows the formats"))
    exporter = exporting.exporter(format_name)
    if password_command is not None:
        raise InputError("input.no_password_command", format=format_name)
    if exporter.SEVERAL_FILES and output is None:
        raise InputError("input.needs_folder", format=format_name)
    wanted = wanted_protocols(protocols) | {Protocol.SMTP}
    with render.progress(_("Asking {target} …").format(target=target)):
        answer = api.lookup(target, offline=offline, protocols=wanted, options=options)
    if answer.address.local_part is not None and answer.status is not Status.FOUND:
        click.echo("\n".join(layout.lookup_lines(answer, explain=False)), err=True)
        return exit_code(answer)
    account = api.account_of(answer, display_name)
    made = exporter.render(account)
    exporting.deliver(made, exporter, output, force=force)
    for line in (*layout.preparations(answer), *layout.warnings(answer), *map(text.notice, made.notices)):
        click.echo(f"! {line}", err=True)
    return EXIT_OK
