"""The command line: options become one core call, its result goes to one renderer and becomes an exit code.

Nothing heavy is imported up here: every command imports what it needs, because an offline lookup should cost little
more than importing click.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from . import __version__, api, helptext, options, render, text
from .errors import InputError, MailsetupError
from .i18n import _
from .model import Lookup, NetworkOptions, ProbeResult, Protocol, Status

if TYPE_CHECKING:
    from pathlib import Path

    from .net import Resolver

EXIT_OK, EXIT_NOTHING, EXIT_USAGE, EXIT_FAILED, EXIT_FAULT, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130
Result = TypeVar("Result")

# Failures before anything could be asked at all: neither resolver nor route.
_NOT_ASKED = frozenset(
    {"dns.timeout", "dns.servfail", "dns.refused", "dns.unreachable", "dns.no_resolver", "tcp.unreachable"}
)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code: the one place where errors become text."""
    debug = "--debug" in arguments
    try:
        code = mailsetup.main(list(arguments), prog_name="mailsetup", standalone_mode=False, obj=debug)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    except click.ClickException as error:
        return _complain(error.format_message(), EXIT_USAGE)
    except MailsetupError as error:
        if debug:
            raise
        return _complain(text.error(error), _exit_code_of_error(error))
    except (click.Abort, KeyboardInterrupt):
        click.echo(_("mailsetup: interrupted"), err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`mailsetup … | head`): nothing is wrong, and nobody is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    return code if isinstance(code, int) else EXIT_OK


@click.group(
    cls=helptext.Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=_("Mail client settings: look them up, prove them with a live connection, export them for real clients."),
    epilog=_("Exit codes: 0 found, works; 1 nothing found; 2 wrong input; 3 could not ask; 4 a fault was found."),
)
@options.common
@click.version_option(__version__, prog_name="mailsetup", message="%(prog)s %(version)s", help=_("Show the version."))
def mailsetup() -> None:
    """Run one of the commands below."""


@mailsetup.command(
    help=_(
        "Show the settings for each TARGET: a mail address, a domain, or - for one per line from standard input.\n\n"
        "Providers in the database are answered at once, without network. Any other domain is asked itself."
    )
)
@options.targets
@click.option("--offline", is_flag=True, help=_("Never use the network."))
@click.option("--online", is_flag=True, help=_("Ask the network as well, and compare."))
@click.option("--all", "everything", is_flag=True, help=_("Show every candidate."))
@click.option("--explain", is_flag=True, help=_("Show every source asked, and what it said."))
@options.protocols(*Protocol)
@click.option("--verify/--no-verify", default=True, help=_("Connect to discovered servers before recommending them."))
@click.option("--fast", is_flag=True, help=_("Deadline of 3 seconds."))
@options.as_json
@options.network
@options.common
def lookup(
    targets: tuple[str, ...],
    offline: bool,
    online: bool,
    everything: bool,
    explain: bool,
    protocols: tuple[str, ...],
    verify: bool,
    fast: bool,
    as_json: bool,
    options: NetworkOptions,
) -> int:
    """Show settings."""
    if offline and online:
        raise click.UsageError(_("--offline and --online exclude each other"))
    options = options._replace(verify=verify, timeout_s=options.timeout_s or (3.0 if fast else None))
    wanted = _protocols(protocols)

    def show(_target: str, answer: Lookup) -> int:
        render.lookup(answer, as_json=as_json, everything=everything, explain=explain)
        return exit_code_of_lookup(answer)

    def from_database(target: str) -> Lookup | None:
        return api.from_database(target, wanted, offline=offline, online=online)

    if _is_single(targets) and (known := from_database(targets[0])) is not None:
        return show(targets[0], known)
    resolver = _shared_resolver(options)

    async def work(target: str) -> Lookup:
        return from_database(target) or await api.discover_async(
            target, protocols=wanted, options=options, whole_ledger=explain or everything, resolver=resolver()
        )

    return _work_on(targets, work, show, options.jobs, as_json=as_json)


@mailsetup.command(
    help=_(
        "Prove settings with live connections, and say what is wrong and what to do.\n\n"
        "TARGET is a mail address or domain (its recommended settings are tried), an endpoint such as "
        "imaps://imap.qq.com or smtp.qq.com:465, or - for one per line from standard input."
    )
)
@options.targets
@options.protocols(*Protocol)
@click.option("--all", "everything", is_flag=True, help=_("Try every candidate, not only the recommended ones."))
@click.option("--login", is_flag=True, help=_("Log in over verified TLS and try the account; asks for the password."))
@click.option("--user", metavar="NAME", help=_("User name for the login, where it is not the usual one."))
@click.option("--password-stdin", is_flag=True, help=_("Read the password from standard input."))
@click.option("--password-command", metavar="CMD", help=_("Run CMD; the first line it prints is the password."))
@options.as_json
@options.network
@options.common
@click.pass_obj
def probe(
    debug: bool,
    targets: tuple[str, ...],
    protocols: tuple[str, ...],
    everything: bool,
    login: bool,
    user: str | None,
    password_stdin: bool,
    password_command: str | None,
    as_json: bool,
    options: NetworkOptions,
) -> int:
    """Prove settings."""
    from . import probing
    from .password import obtain

    login = login or password_stdin or password_command is not None
    if login and not _is_single(targets):
        raise click.UsageError(_("a login is tried for one target at a time"))
    # Before anything is sent: a password that cannot be had is a usage error, whatever the servers say.
    password = obtain(targets[0], from_stdin=password_stdin, command=password_command) if login else None
    resolver = _shared_resolver(options)
    trace = (lambda line: click.echo(line, err=True)) if debug else None

    async def work(target: str) -> tuple[Lookup | None, tuple[ProbeResult, ...], float]:
        started = time.monotonic()
        plan = await probing.plan(
            target,
            _protocols(protocols),
            everything=everything,
            username=user,
            options=options,
            resolver=resolver(),
        )
        results = await probing.probe_all(plan, options, resolver(), password=password, trace=trace)
        return plan.lookup, results, (time.monotonic() - started) * 1000

    def show(target: str, outcome: tuple[Lookup | None, tuple[ProbeResult, ...], float]) -> int:
        answer, results, elapsed_ms = outcome
        if answer is not None and not results and not as_json:
            render.lookup(answer, as_json=False, everything=False, explain=False)
        else:
            provider = None if answer is None else answer.provider
            render.probe(target, provider, results, elapsed_ms, as_json=as_json)
        return exit_code_of_probe(answer, results)

    return _work_on(targets, work, show, options.jobs, as_json=as_json)


@mailsetup.command(
    help=_(
        "Write the configuration of TARGET, a mail address, for a mail client.\n\n"
        "A password is never written; the client asks for it. `--list` shows the formats."
    )
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
def export(
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
    from . import exporting

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
    wanted = _protocols(protocols) | {Protocol.SMTP}
    with render.progress(_("Asking {target} …").format(target=target)):
        answer = api.lookup(target, offline=offline, protocols=wanted, options=options)
    if answer.address.local_part is not None and answer.status is not Status.FOUND:
        click.echo("\n".join(text.lookup_lines(answer, explain=False)), err=True)
        return exit_code_of_lookup(answer)
    account = api.account_of(answer, display_name)
    made = exporter.render(account)
    exporting.deliver(made, exporter, output, force=force)
    for notice in (*account.notices, *made.notices):
        click.echo(f"! {text.notice(notice)}", err=True)
    return EXIT_OK


@mailsetup.group(help=_("The provider database: list, show and check its entries."))
@options.common
def providers() -> None:
    """Run one of the commands below."""


@providers.command("list", help=_("List the providers whose id, name or domain contains SEARCH."))
@click.argument("search", default="")
@options.as_json
@options.common
def providers_list(search: str, as_json: bool) -> int:
    """List providers."""
    from .index import Index

    wanted = search.casefold()
    found = [
        p for p in Index.load() if any(wanted in word.casefold() for word in (p.id, p.name, p.name_zh, *p.domains))
    ]
    render.providers(found, as_json=as_json, full=False)
    return EXIT_OK if found else EXIT_NOTHING


@providers.command("show", help=_("Show all that is known about the provider with this ID or mail domain."))
@click.argument("key", metavar="ID|DOMAIN")
@options.as_json
@options.common
def providers_show(key: str, as_json: bool) -> int:
    """Show one provider."""
    from .index import Index

    index = Index.load()
    found = index.by_id(key.lower()) or index.by_domain(key.lower())
    if found is None:
        raise InputError("input.unknown_provider", query=key)
    render.providers([found], as_json=as_json, full=True)
    return EXIT_OK


@providers.command("check", help=_("Check a providers.yaml and name the line of every fault."))
@click.argument("file", required=False)
@options.common
def providers_check(file: str | None) -> int:
    """Check the source of the database."""
    from pathlib import Path  # 5 ms that a lookup need not spend

    from . import compiler

    path = _provider_file() if file is None else Path(file)
    try:
        source = path.read_bytes()
    except OSError as error:
        raise InputError("input.unreadable", path=str(path), reason=error.strerror or "") from None
    checked, faults = compiler.compile_providers(source, str(path))
    for fault in faults:
        click.echo(str(fault))
    if faults:
        return EXIT_FAULT
    click.echo(_("{path}: {count} providers, no faults").format(path=path, count=len(checked)))
    return EXIT_OK


def _provider_file() -> Path:
    """The hand-written file in a checkout: beside the package, or below the current folder."""
    from pathlib import Path

    name = Path("data", "providers.yaml")
    for path in (Path(__file__).parent.parent / name, name):
        if path.exists():
            return path
    raise InputError("input.no_provider_file")


def exit_code_of_lookup(answer: Lookup) -> int:
    """0 found, 1 nothing, 3 could not ask."""
    match answer.status:
        case Status.FOUND:
            return EXIT_OK
        case Status.FAILED:
            return EXIT_FAILED
        case _:
            return EXIT_NOTHING


def exit_code_of_probe(answer: Lookup | None, results: Sequence[ProbeResult]) -> int:
    """0 if the recommended endpoint of every protocol works, 4 if one does not, 3 if nothing could be asked at all."""
    if not results:
        return EXIT_NOTHING if answer is None else exit_code_of_lookup(answer) or EXIT_NOTHING
    if all(result.code in _NOT_ASKED for result in results):
        return EXIT_FAILED
    recommended = {c.endpoint.key for c in answer.recommended()} if answer is not None else set()
    decisive = [r for r in results if not recommended or r.candidate.endpoint.key in recommended]
    return EXIT_OK if all(result.ok for result in decisive) else EXIT_FAULT


def _exit_code_of_error(error: MailsetupError) -> int:
    if error.code.startswith("export."):
        return EXIT_NOTHING
    return EXIT_FAILED if error.code.startswith(("dns.", "data.")) else EXIT_USAGE


def _complain(message: str, code: int) -> int:
    click.echo(text.complaint(message), err=True)
    return code


def _protocols(names: Iterable[str]) -> frozenset[Protocol]:
    return frozenset(Protocol(name) for name in names) or api.ALL_PROTOCOLS


def _is_single(targets: Sequence[str]) -> bool:
    return len(targets) == 1 and targets[0] != "-"


def _shared_resolver(options: NetworkOptions) -> Callable[[], Resolver]:
    """A resolver for all targets, made when the first of them needs the network."""
    from functools import cache

    @cache
    def make() -> Resolver:
        from .net import Resolver

        return Resolver(options.nameservers)

    return make


def _work_on(
    targets: Sequence[str],
    work: Callable[[str], Coroutine[Any, Any, Result]],
    show: Callable[[str, Result], int],
    jobs: int,
    *,
    as_json: bool,
) -> int:
    """Work on one target, or on several concurrently; the highest exit code of all."""
    import asyncio  # 48 ms: only where the network is used

    if _is_single(targets):
        with render.progress(_("Asking {target} …").format(target=targets[0])):
            result = asyncio.run(work(targets[0]))
        return show(targets[0], result)
    return asyncio.run(_work_on_all(targets, work, show, jobs, as_json=as_json))


async def _work_on_all(
    targets: Sequence[str],
    work: Callable[[str], Awaitable[Result]],
    show: Callable[[str, Result], int],
    jobs: int,
    *,
    as_json: bool,
) -> int:
    from . import bulk

    async def guarded(target: str) -> Result | InputError:
        try:
            return await work(target)
        except InputError as error:
            return error

    worst = EXIT_OK
    lines = (line for target in targets for line in (sys.stdin if target == "-" else [target]))
    async for target, result in bulk.ordered(bulk.targets(lines), guarded, jobs):
        if isinstance(result, InputError):
            render.error(target, result, as_json=as_json)
            worst = max(worst, EXIT_USAGE)
        else:
            worst = max(worst, show(target, result))
    return worst
