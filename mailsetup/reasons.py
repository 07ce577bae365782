"""Why each answer in the ledger of a lookup counted or not, in a few words. Pure.

The same failures have whole sentences and remedies in ``diagnosis``; here they must fit into a column. Imported only
where a ledger is shown.
"""

from __future__ import annotations

from .i18n import N_, _
from .model import Lookup, ProviderStatus, Role, SourceReport, Status

_ROLES = {
    Role.WON: N_("recommended"),
    Role.CONFIRMED: N_("confirms it"),
    Role.OUTRANKED: N_("outranked by {source}"),
    Role.DISPROVED: N_("connection failed"),
    Role.PLAINTEXT: N_("unencrypted: not used"),
    Role.NOT_ASKED_FOR: N_("other protocols"),
}
_DISAGREES = N_("disagrees with {source}")  # in place of "outranked", if the hosts are others
_FAILED = N_("connection failed, none better")  # in place of what was chosen, and does not work
_PROVIDERS = {
    ProviderStatus.ACTIVE: N_("no settings"),
    ProviderStatus.NO_CLIENT_ACCESS: N_("no mail clients allowed"),
    ProviderStatus.DISCONTINUED: N_("service closed"),
}
# What the details of a source say that was not asked; an option stands for itself.
NOT_ASKED = (
    N_("a stronger source had answered"),
    N_("nothing to guess"),
    N_("MX leads nowhere else"),
    N_("MX is in the database"),
    N_("MX could not be asked"),
)
_TIMEOUT = N_("no answer in time")
_PRIVATE = N_("private address: refused")
_CERTIFICATE = N_("bad certificate")
_CIRCLE = N_("redirects in a circle")
# A key that ends with a dot is an area: what it says holds for every code in it that has no words of its own.
_CODES = {
    "dns.": N_("DNS failed"),
    "dns.nxdomain": N_("no such name"),
    "dns.no_address": N_("name without address"),
    "dns.servfail": N_("DNS server failed"),
    "dns.timeout": _TIMEOUT,
    "dns.refused": N_("DNS server refused"),
    "dns.unreachable": N_("no DNS server reached"),
    "dns.no_resolver": N_("no DNS server known"),
    "dns.bad_name": N_("name not valid"),
    "dns.private_address": _PRIVATE,
    "dns.null_mx": N_("takes no mail"),
    "srv.": N_("not offered"),
    "tcp.": N_("no connection"),
    "tcp.refused": N_("connection refused"),
    "tcp.timeout": _TIMEOUT,
    "tcp.reset": N_("connection cut off"),
    "tls.": N_("TLS failed"),
    "tls.timeout": _TIMEOUT,
    "tls.cert.": _CERTIFICATE,
    "greeting.": N_("not let in"),
    "greeting.timeout": _TIMEOUT,
    "greeting.temporary": N_("server busy"),
    "greeting.http": N_("not a mail server"),
    "greeting.ssh": N_("not a mail server"),
    "greeting.wrong_protocol": N_("another protocol"),
    "greeting.tls_on_plaintext_port": N_("TLS, not STARTTLS"),
    "starttls.": N_("no STARTTLS"),
    "protocol.": N_("unusable answer"),
    "protocol.eof": N_("connection cut off"),
    "protocol.timeout": _TIMEOUT,
    "http.": N_("unusable answer"),
    "http.status": N_("refused ({status})"),
    "http.timeout": _TIMEOUT,
    "http.too_large": N_("too large"),
    "http.header_too_large": N_("too large"),
    "http.incomplete": N_("answer broke off"),
    "http.redirect_loop": _CIRCLE,
    "http.too_many_redirects": N_("too many redirects"),
    "http.downgrade": N_("redirect to http"),
    "http.cross_site": N_("redirect elsewhere"),
    "http.private_address": _PRIVATE,
    "http.bad_scheme": N_("not an https address"),
    "http.certificate": _CERTIFICATE,
    "xml.": N_("file damaged"),
    "xml.dtd": N_("file with DTD: refused"),
    "discover.not_autoconfig": N_("not a settings file"),
    "discover.empty": N_("names no server"),
    "discover.domain_mismatch": N_("for other domains"),
    "discover.invalid_values": N_("only invalid servers"),
    "pacc.": N_("digest does not match"),
}
# Warnings that say it better than a code.
_INSTEAD = {
    "mx-is-filter": N_("only a mail filter"),
    "mx-is-forwarder": N_("only forwards mail"),
    "captive-portal": N_("the network answered"),
    "wildcard-dns": N_("every name exists"),
}
_NOT_FOUND = frozenset({"404", "410"})


def reason(report: SourceReport, answer: Lookup) -> str:
    """Why ``report``, a line of the ledger of ``answer``, counted or not."""
    if report.role in (Role.WON, Role.CONFIRMED) and _is_disproved(report, answer):
        return _(_FAILED)
    if report.role is not None:
        disagrees = report.role is Role.OUTRANKED and report.disagrees
        words = _(_DISAGREES if disagrees else _ROLES[report.role]).format(source=_winner(report, answer))
        if report.disagrees and report.role in (Role.WON, Role.CONFIRMED):
            protocols = ", ".join(protocol.upper() for protocol in report.disagrees)
            return _("{reason}, but not {protocols}").format(reason=words, protocols=protocols)
        return words
    if report.status is Status.FOUND:
        if report.services:
            return _("beside mail")
        # A provider without settings, or a live connection.
        return _("connection works") if report.provider is None else _(_PROVIDERS[report.provider.status])
    if report.status is Status.SKIPPED:
        return _(report.detail)
    for notice in report.notices:
        if notice.code in _INSTEAD:
            return _(_INSTEAD[notice.code])
    if report.code is None:
        if report.source == "providers":
            return _("not in the database")
        # A domain's MX without an entry of ours is named in the details.
        return _("no known provider") if report.detail else _("no such record")
    return _failure(report.code, report.detail)


def _is_disproved(report: SourceReport, answer: Lookup) -> bool:
    """Whether whatever is recommended of what ``report`` names failed in a live connection."""
    named = {candidate.endpoint.key for candidate in report.candidates}
    chosen = [c for c in answer.incoming + answer.outgoing if c.endpoint.key in named]
    return all(candidate.verified is False for candidate in chosen)


def _winner(report: SourceReport, answer: Lookup) -> str:
    """The strongest source of what is recommended in place of the settings of ``report``."""
    best = {candidate.endpoint.protocol: candidate for candidate in answer.recommended()}
    rivals = (best.get(candidate.endpoint.protocol) for candidate in report.candidates)
    return next((rival.evidence[0].source for rival in rivals if rival is not None), "")


def _failure(code: str, detail: str) -> str:
    if code == "http.status":
        status = detail.partition(",")[0]  # an address may follow
        if status in _NOT_FOUND:
            return _("not found ({status})").format(status=status)
        if status.startswith("5"):
            return _("server error ({status})").format(status=status)
        return _(_CODES[code]).format(status=status)
    known = [key for key in _CODES if key == code or (key.endswith(".") and code.startswith(key))]
    return _(_CODES[max(known, key=len)]) if known else ""
