"""Captive portals (RFC 8952): networks that answer in place of every server until the user has signed in. Pure.

A server that shows a certificate for its name and says something that a server of its kind says is genuine: no portal
can do that. Where nobody is, and even the public database shows a certificate of another name or a web page, which it
never does, as does a server that has nothing to do with it, then it is the network that answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from .address import registrable_domain
from .model import Notice, SourceReport, Status

NOTICE = "captive-portal"
# Any other site may have a page for whatever is asked, or certificates for some of its names only.
_DATABASE = frozenset({"ispdb", "mx-ispdb"})
_STRANGERS = frozenset(
    {"tls.cert.hostname", "tls.cert.self_signed", "tls.cert.untrusted_issuer", "tls.cert.incomplete_chain"}
)
_PAGE = "discover.not_autoconfig"
_NO_TLS = frozenset({"tls.http_on_tls_port", "tls.plaintext_on_tls_port"})


def has_genuine_answer(reports: Iterable[SourceReport]) -> bool:
    """Whether any https server has answered that can only be itself."""
    return any(_site(report) and _is_genuine(report) for report in reports)


def is_recognised(reports: Iterable[SourceReport]) -> bool:
    """Whether the public database and another site answered as a portal does; look for a genuine answer first."""
    strange = [(report.source in _DATABASE, _site(report)) for report in reports if _is_strange(report)]
    databases = {site for is_database, site in strange if is_database}
    return bool(databases and {site for _is_database, site in strange if site} - databases)


def is_of_another_name(report: SourceReport) -> bool:
    """Whether the certificate in the way was one for other names."""
    return "tls.cert.hostname" in report.detail.split(", ")


def disbelieved(reports: Iterable[SourceReport]) -> list[SourceReport]:
    """``reports`` of which nothing counts, neither what was found nor what was not."""
    return [
        report
        if report.status is Status.SKIPPED
        else report._replace(status=Status.FAILED, candidates=(), provider=None, services=(), notices=(Notice(NOTICE),))
        for report in reports
    ]


def _site(report: SourceReport) -> str:
    """The registrable domain of the https server that was asked, "" if none was."""
    host = urlsplit(report.locator).hostname if report.locator.startswith("https://") else None
    return registrable_domain(host) if host else ""


def _is_genuine(report: SourceReport) -> bool:
    code = report.code or ""
    settings = report.status is Status.FOUND or code.startswith(("discover.", "xml.", "pacc."))
    return (settings and code != _PAGE) or code == "http.status"


def _is_strange(report: SourceReport) -> bool:
    # The details of a refused certificate are the reason, and where it was met if that is elsewhere.
    refused = report.code == "http.certificate" and not _STRANGERS.isdisjoint(report.detail.split(", "))
    return refused or report.code == _PAGE or report.code in _NO_TLS
