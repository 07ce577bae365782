"""``mailsetup probe``: prove settings with live connections."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from .. import api, helptext, options, render
from ..errors import InputError
from ..i18n import _
from ..model import Lookup, NetworkOptions, ProbeResult, Protocol
from ..password import Source, obtain
from . import (
    EXIT_FAILED,
    EXIT_FAULT,
    EXIT_NOTHING,
    EXIT_OK,
    Tell,
    exit_code,
    is_single,
    shared_resolver,
    wanted_protocols,
    work_on,
)


def _source(command: Callable[..., int]) -> Callable[..., int]:
    """The options that say where the password or token comes from; the command receives ``source: Source``."""

    @functools.wraps(command)
    def with_source(**values: Any) -> int:
        source = Source(**{name: values.pop(name) for name in Source._fields})
        if len(source.options()) > 1:
            raise click.UsageError(_("give only one of {options}").format(options=", ".join(source.options())))
        return command(source=source, **values)

    decorated: Callable[..., int] = with_source
    # Decorators apply from the inside out: the help page shows them in reverse.
    for option in (
        click.option(
            "--oauth-token-command", metavar="CMD", help=_("Run CMD; the first line it prints is an OAuth2 token.")
        ),
        click.option("--oauth-token-stdin", is_flag=True, help=_("Read an OAuth2 token from standard input.")),
        click.option("--keyring", is_flag=True, help=_("Take the password from the system's keyring.")),
        click.option("--password-command", metavar="CMD", help=_("Run CMD; the first line it prints is the password.")),
        click.option("--password-stdin", is_flag=True, help=_("Read the password from standard input.")),
    ):
        decorated = option(decorated)
    return decorated


@click.command(
    cls=helptext.Command,
    help=_(
        "Prove settings with live connections, and say what is wrong and what to do.\n\n"
        "TARGET is a mail address or domain (its recommended settings are tried), an endpoint such as "
        "imaps://imap.qq.com or smtp.qq.com:465, or - for one per line from standard input."
    ),
)
@options.targets
@options.protocols(*Protocol)
@click.option("--all", "everything", is_flag=True, help=_("Try every candidate, not only the recommended ones."))
@click.option("--login", is_flag=True, help=_("Log in over verified TLS and try the account; asks for the password."))
@click.option("--user", metavar="NAME", help=_("User name for the login, where it is not the usual one."))
@_source
@click.option("--send-test", is_flag=True, help=_("Log in, send one message to yourself and wait for it; asks first."))
@click.option("--yes", is_flag=True, help=_("Agree to --send-test."))
@options.as_json
@options.network
@options.common
@click.pass_obj
def command(
    debug: bool,
    targets: tuple[str, ...],
    protocols: tuple[str, ...],
    everything: bool,
    login: bool,
    user: str | None,
    source: Source,
    send_test: bool,
    yes: bool,
    as_json: bool,
    options: NetworkOptions,
) -> int:
    """Prove settings."""
    from .. import probing

    login = login or send_test or bool(source.options())
    if login and not is_single(targets):
        raise click.UsageError(_("a login is tried for one target at a time"))
    wanted = wanted_protocols(protocols)
    if send_test and (Protocol.SMTP not in wanted or wanted == {Protocol.SMTP}):
        raise InputError("input.message_needs_address")
    # Before anything is sent: a password that cannot be had is a usage error, whatever the servers say.
    if send_test and not yes:
        _ask_for_consent(targets[0])
    secret = obtain(source, targets[0], user or targets[0]) if login else None
    resolver = shared_resolver(options)
    trace = (lambda line: click.echo(line, err=True)) if debug else None

    async def work(target: str, _tell: Tell) -> tuple[Lookup | None, tuple[ProbeResult, ...], float]:
        started = time.monotonic()
        plan = await api.plan_async(
            target,
            protocols=wanted,
            everything=everything,
            username=user,
            options=options,
            resolver=resolver(),
        )
        results = await probing.probe_all(plan, options, resolver(), secret=secret, send_test=send_test, trace=trace)
        return plan.lookup, results, (time.monotonic() - started) * 1000

    def show(target: str, outcome: tuple[Lookup | None, tuple[ProbeResult, ...], float]) -> int:
        answer, results, elapsed_ms = outcome
        if answer is not None and not results and not as_json:
            render.lookup(answer, as_json=False, everything=False, explain=False)
        else:
            render.probe(target, answer, results, elapsed_ms, as_json=as_json)
        return _exit_code(answer, results)

    return work_on(targets, work, show, options.jobs, as_json=as_json)


def _ask_for_consent(target: str) -> None:
    if not sys.stdin.isatty():
        raise InputError("input.consent_needed")
    question = _("Send one test message from {target} to itself?").format(target=target)
    click.confirm(question, abort=True, err=True)


def _exit_code(answer: Lookup | None, results: Sequence[ProbeResult]) -> int:
    """0 if the recommended endpoint of every protocol works, 4 if one does not, 3 if nothing could be asked at all."""
    from ..probing import NOT_ASKED

    if not results:
        return EXIT_NOTHING if answer is None else exit_code(answer) or EXIT_NOTHING
    if all(result.code in NOT_ASKED for result in results):
        return EXIT_FAILED
    recommended = {c.endpoint.key for c in answer.recommended()} if answer is not None else set()
    decisive = [r for r in results if not recommended or r.candidate.endpoint.key in recommended]
    return EXIT_OK if all(result.ok for result in decisive) else EXIT_FAULT
