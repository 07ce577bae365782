"""``mailsetup audit``: what a domain publishes for mail clients, seen from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .. import api, helptext, options, render, text
from ..address import printable
from ..i18n import N_, _
from ..model import Address, Candidate, Lookup, NetworkOptions, Protocol, Status
from . import EXIT_FAILED, EXIT_FAULT, EXIT_NOTHING, EXIT_OK

if TYPE_CHECKING:
    from ..auditing import Audit
    from ..clients import Servers
    from ..findings import Finding
    from ..jsonform import Object


@click.command(
    cls=helptext.Command,
    help=_(
        "Show what DOMAIN publishes for mail clients, seen from outside: what Thunderbird, Outlook and others get from "
        "it, what is wrong or missing, and what to do.\n\n"
        "The servers that are named are connected to, without credentials."
    ),
)
@click.argument("domain")
@click.option("--verify/--no-verify", default=True, help=_("Connect to the servers that are published."))
@options.as_json
@options.network
@options.common
def command(domain: str, verify: bool, as_json: bool, options: NetworkOptions) -> int:
    """Audit a domain."""
    with render.progress(_("Asking {target} …").format(target=printable(domain))):
        audit = api.audit(domain, verify=verify, options=options)
    if as_json:
        render.write_json(_object(audit))
    else:
        click.echo("\n".join(_lines(audit)))
    return _exit_code(audit)


_CLIENTS = {
    "thunderbird": "Thunderbird",
    "thunderbird-android": N_("Thunderbird for Android"),
    "outlook": "Outlook (Autodiscover)",
    "srv": N_("clients that read SRV records"),
    "pacc": N_("clients that follow PACC"),
}


def _exit_code(audit: Audit) -> int:
    from ..findings import Severity

    if audit.status is Status.FAILED:
        return EXIT_FAILED
    if any(finding.severity is Severity.ERROR for finding in audit.findings):
        return EXIT_FAULT
    return EXIT_NOTHING if audit.status is Status.NOTHING else EXIT_OK


def _object(audit: Audit) -> Object:
    from ..jsonform import SCHEMA

    address = audit.address
    return {
        "schema": SCHEMA,
        "domain": address.domain,
        **({"domain_unicode": address.domain_unicode} if address.domain_unicode != address.domain else {}),
        "status": audit.status,
        "findings": [
            {
                "severity": finding.severity,
                "code": finding.code,
                "message": finding.message,
                "remedy": finding.remedy,
                "evidence": finding.evidence,
            }
            for finding in audit.findings
        ],
        "clients": {name: _view_object(address, servers) for name, servers in audit.clients.items()},
        "elapsed_ms": round(audit.elapsed_ms, 1),
    }


def _view_object(address: Address, servers: Servers) -> Object | None:
    from ..jsonform import candidate_object

    if not servers:
        return None
    answer = _as_lookup(address, servers)
    return {
        "incoming": [candidate_object(candidate, answer) for candidate in answer.incoming],
        "outgoing": [candidate_object(candidate, answer) for candidate in answer.outgoing],
    }


def _as_lookup(address: Address, servers: Servers) -> Lookup:
    """What a client gets, in the form of an answer of ours."""
    incoming = tuple(candidate for candidate in servers if candidate.endpoint.protocol is not Protocol.SMTP)
    outgoing = tuple(candidate for candidate in servers if candidate.endpoint.protocol is Protocol.SMTP)
    return Lookup(address.domain, address, Status.FOUND, None, incoming, outgoing, (), (), (), 0.0)


def _lines(audit: Audit) -> list[str]:
    from ..findings import Severity

    counts = {severity: sum(f.severity is severity for f in audit.findings) for severity in Severity}
    heading = _("{domain} – errors: {errors}, warnings: {warnings}, notes: {notes}").format(
        domain=audit.address.domain_unicode,
        errors=counts[Severity.ERROR],
        warnings=counts[Severity.WARNING],
        notes=counts[Severity.INFO],
    )
    lines = [heading]
    if audit.status is not Status.FAILED:  # else nobody knows what they get
        lines += ["", _("What mail clients get:"), *_view_lines(audit)]
    for finding in audit.findings:
        lines += ["", *_finding_lines(finding)]
    return lines


def _view_lines(audit: Audit) -> list[str]:
    """A line for each server that each client gets."""
    views = [
        (_(_CLIENTS[name]), [_place(candidate) for candidate in servers] or [_("nothing")])
        for name, servers in audit.clients.items()
    ]
    # Apple's programs ask Apple, so an audit has nothing to find out about them. Those who look for them shall know.
    views.append((_("Apple Mail"), [_("asks Apple instead; `mailsetup publish` writes a profile to hand out")]))
    width = max(text.cells(label) for label, _servers in views)
    lines = []
    for label, (first, *further) in views:
        lines.append("  " + label + " " * (width - text.cells(label)) + "  " + first)
        lines += [" " * (width + 4) + words for words in further]
    return lines


def _place(candidate: Candidate) -> str:
    """A server, what is known of it, and how people log in."""
    endpoint = candidate.endpoint
    words = f"{endpoint.protocol.upper()} {endpoint.host}:{endpoint.port} {text.security(endpoint.security)}"
    return words if candidate.verified is not False else _("{server} (connection failed)").format(server=words)


def _finding_lines(finding: Finding) -> list[str]:
    # Translators: how serious a finding is, at the beginning of a line.
    severities = {"error": N_("ERROR"), "warning": N_("WARNING"), "info": N_("NOTE")}
    return [
        *render.paragraph(f"{_(severities[finding.severity])}  ", finding.message),
        f"  {finding.code}: {finding.evidence}",
        *render.paragraph("  -> ", finding.remedy),
    ]
