"""``mailsetup publish``: what a domain must publish so that mail clients find its servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import api, files, helptext, layout, options, render
from ..address import parse_domain, parse_host, printable
from ..errors import InputError
from ..i18n import _
from ..model import (
    USERNAME_ADDRESS,
    USERNAME_LOCAL_PART,
    Endpoint,
    NetworkOptions,
    Protocol,
    Security,
    Status,
)
from . import EXIT_OK, exit_code

if TYPE_CHECKING:
    from ..publishing import PublishedFile


@click.command(
    cls=helptext.Command,
    help=_(
        "Write what DOMAIN must publish so that mail clients find its servers: DNS records, configuration files, and a "
        "README that says where each goes.\n\n"
        "A server is HOST or HOST:PORT. The port tells the encryption: 993, 995 and 465 mean TLS from the start, 143, "
        "110 and 587 mean STARTTLS. Other ports need a scheme: imaps://HOST:PORT for TLS, imap://HOST:PORT for "
        "STARTTLS. Unencrypted servers are never published."
    ),
)
@click.argument("domain")
@click.option("--imap", "imap", multiple=True, metavar="SERVER", help=_("An IMAP server (repeatable)."))
@click.option("--pop3", "pop3", multiple=True, metavar="SERVER", help=_("A POP3 server (repeatable)."))
@click.option("--smtp", "smtp", multiple=True, metavar="SERVER", help=_("A server for outgoing mail (repeatable)."))
@click.option("--discovered", is_flag=True, help=_("Publish the servers that a lookup of DOMAIN finds."))
@click.option("--name", default="", help=_("What people call the mail service; by default the domain."))
@click.option(
    "--username-form",
    type=click.Choice([USERNAME_ADDRESS, USERNAME_LOCAL_PART]),
    help=_("Log in with the whole address (the default), or with the part before the @."),
)
@click.option("--web", metavar="HOST", help=_("The web server with the files; by default the one of the domain."))
@click.option(
    *("-o", "--output", "folder"), type=options.path, metavar="FOLDER", help=_("Write the files to this folder.")
)
@click.option("--force", is_flag=True, help=_("Replace existing files."))
@options.network
@options.common
def command(
    domain: str,
    imap: tuple[str, ...],
    pop3: tuple[str, ...],
    smtp: tuple[str, ...],
    discovered: bool,
    name: str,
    username_form: str | None,
    web: str | None,
    folder: str | None,
    force: bool,
    options: NetworkOptions,
) -> int:
    """Write the files."""
    from .. import publishing

    address = parse_domain(domain)
    if folder is None:
        raise click.UsageError(_("name the folder to write to: add -o FOLDER"))
    given = {Protocol.IMAP: imap, Protocol.POP3: pop3, Protocol.SMTP: smtp}
    if discovered == any(given.values()):
        raise click.UsageError(_("give the servers with --imap, --pop3 and --smtp, or else --discovered"))
    if discovered:
        with render.progress(_("Asking {target} …").format(target=domain)):
            answer = api.lookup(domain, options=options)
        if answer.status is not Status.FOUND:
            click.echo("\n".join(layout.lookup_lines(answer, explain=False)), err=True)
            return exit_code(answer)
        account = api.account_of(answer)
        endpoints = [server.endpoint for server in account.incoming + account.outgoing]
        if username_form is not None:
            endpoints = [endpoint._replace(username_form=username_form) for endpoint in endpoints]
    else:
        form = username_form or USERNAME_ADDRESS
        named = [_server(protocol, text, form) for protocol, texts in given.items() for text in texts]
        endpoints = list({endpoint.key: endpoint for endpoint in named}.values())
    offer = publishing.offer(address, endpoints, name=name, web="" if web is None else _host(web))
    _write(Path(folder), publishing.render(offer), force=force)
    return EXIT_OK


def _server(protocol: Protocol, text: str, username_form: str) -> Endpoint:
    """The encrypted endpoint that an option names; raise InputError or a usage error."""
    from ..probing import SCHEMES, parse_endpoint

    schemes = {scheme: (security, port) for scheme, (known, security, port) in SCHEMES.items() if known is protocol}
    named = text
    if "://" not in text:
        # Without a scheme the port decides, and no port at all means TLS from the first byte (RFC 8314 §3).
        by_port = {str(port): scheme for scheme, (_security, port) in schemes.items()}
        host, colon, port = text.rpartition(":")
        implicit = next(scheme for scheme, (security, _port) in schemes.items() if security is Security.TLS)
        if not colon:
            named = f"{implicit}://{text}"
        elif port in by_port:
            named = f"{by_port[port]}://{host}:{port}"
        else:
            known = ", ".join(by_port)
            raise click.UsageError(
                _(
                    "{server}: the port does not tell the encryption (known: {ports}); write {scheme}://HOST:PORT"
                ).format(server=printable(text), ports=known, scheme=implicit)
            )
    endpoint = parse_endpoint(named)
    assert endpoint is not None  # it has a scheme
    if endpoint.protocol is not protocol:
        raise click.UsageError(
            _("{server}: this is no server for --{protocol}").format(server=printable(text), protocol=protocol)
        )
    return endpoint._replace(host=_host(endpoint.host), username_form=username_form)


def _host(text: str) -> str:
    """A host name, and no address: it goes into DNS records; raise InputError."""
    try:
        return parse_host(text)
    except InputError:
        raise InputError("input.bad_host", query=printable(text)) from None


def _write(folder: Path, published: tuple[PublishedFile, ...], *, force: bool) -> None:
    """Write all files below ``folder``, or none if one of them is there already (without ``force``)."""
    places = [(folder.joinpath(*file.path.split("/")), file.body) for file in published]
    files.refuse_existing((path for path, _body in places), force=force)
    for path, body in places:
        files.make_folder(path.parent, parents=True)
        files.write(path, body, private=False, force=force)
        click.echo(_("wrote {path}").format(path=path), err=True)
