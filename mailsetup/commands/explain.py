"""`mailsetup explain`: what a server's refusal or a client's error message means."""

from __future__ import annotations

import sys

import click

from .. import api, helptext, options, render, text
from ..explaining import ASK_THE_SERVER, Explanation, Match
from ..i18n import _
from ..jsonform import SCHEMA, Object
from ..model import Confidence, Protocol
from ..pasted import MAX_BYTES
from ..wire.refusal import is_retryable
from . import EXIT_NOTHING, EXIT_OK

_CERTAINTY = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


class _Command(helptext.Command):
    """A command that takes what a POP3 server says for what it is, and not for options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # RFC 1939 §3: "-ERR" begins every refusal. Behind a space, which is dropped later, it is no option to click.
        return super().parse_args(ctx, [f" {arg}" if arg.upper().startswith("-ERR") else arg for arg in args])


@click.command(
    cls=_Command,
    help=_(
        "Explain what a mail server or mail program said when it refused, and say what to do. "
        "TEXT is its message, or - to read it from standard input.\n\n"
        "Nothing is sent anywhere. Passwords and long codes in the text are not shown again."
    ),
)
@click.argument("words", nargs=-1, required=True, metavar="TEXT...")
@click.option(
    "--provider", "key", metavar="ID|DOMAIN|ADDRESS", help=_("Whose server it was: provider, domain or address.")
)
@click.option(
    "--protocol",
    type=click.Choice([str(protocol) for protocol in Protocol]),
    help=_("The protocol in which it was said."),
)
@options.as_json
@options.common
def command(words: tuple[str, ...], key: str | None, protocol: str | None, as_json: bool) -> int:
    """Explain a message."""
    explanation = api.explain(_pasted(words), provider=key, protocol=None if protocol is None else Protocol(protocol))
    if as_json:
        render.write_json(_object(explanation))
    else:
        click.echo("\n".join(_lines(explanation)))
    return EXIT_OK if explanation.matches else EXIT_NOTHING


def _pasted(words: tuple[str, ...]) -> bytes:
    """What was given, as bytes of whatever charset."""
    if words == ("-",):
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    # Bytes that are no text reach us as lone surrogates (PEP 383); Windows knows others, which mean nothing.
    joined = " ".join(words)
    try:
        return joined.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return joined.encode("utf-8", "replace")


def _object(explanation: Explanation) -> Object:
    return {
        "schema": SCHEMA,
        "query": explanation.query,
        "status": "found" if explanation.matches else "nothing",
        "matches": [_match_object(match) for match in explanation.matches],
    }


def _match_object(match: Match) -> Object:
    provider = match.provider.id if match.provider is not None else next(iter(match.providers), None)
    return {
        "code": match.code,
        "provider": provider,
        "providers": match.providers,
        "protocol": match.protocols[0] if len(match.protocols) == 1 else None,
        "protocols": match.protocols,
        "message": match.message,
        "remedy": match.remedy,
        "retryable": is_retryable(match.code),
        "confidence": match.confidence,
        "source": match.source,
        "seen": match.seen,
    }


def _lines(explanation: Explanation) -> list[str]:
    if not explanation.matches:
        return [
            *render.paragraph("", _("Nothing is known about this: {query}").format(query=explanation.query)),
            *render.paragraph(
                "  -> ", _("Paste the whole message, above all what the server itself said, with the number before it.")
            ),
            *render.paragraph("  -> ", _(ASK_THE_SERVER)),
        ]
    # Words of one provider and of any server often mean the same: that is said once, and then what to do about each.
    groups: dict[tuple[str, str], list[Match]] = {}
    for match in explanation.matches:
        groups.setdefault((match.code, match.message), []).append(match)
    written: list[str] = []
    for (code, message), matches in groups.items():
        surest = max(matches, key=lambda match: _CERTAINTY.index(match.confidence))
        place = [part for part in (_place(surest), text.confidence(surest.confidence)) if part]
        written += ["", code + text.in_brackets(place), *render.paragraph("  ", message)]
        remedies = dict.fromkeys(remedy for match in matches for remedy in match.remedy)
        written += [line for remedy in remedies for line in render.paragraph("  -> ", remedy)]
        for match in matches:
            written.append(
                "  " + _("Source: {reason}").format(reason=", ".join(filter(None, (match.source, match.seen))))
            )
    return written[1:]


def _place(match: Match) -> str:
    """Whose words these are, and in which protocol."""
    protocols = "/".join(protocol.upper() for protocol in match.protocols)
    name = text.provider_name(match.provider) if match.provider is not None else ""
    return f"{name} {protocols}".strip()
