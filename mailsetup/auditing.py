"""From a survey to findings: what is wrong, weak or missing in what a domain publishes for mail clients. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from . import clients
from .address import same_owner
from .findings import Finding, Severity
from .model import (
    PLACEHOLDERS,
    USERNAME_UNKNOWN,
    Address,
    Endpoint,
    ProbeResult,
    Protocol,
    Security,
    SourceReport,
    Status,
)
from .prober import CERTIFICATE_SOON_DAYS
from .probing import NOT_ASKED
from .sources import SRVRecord, autoconfig, http_autoconfig, mailconf, mx, pacc, srv
from .survey import PublishedFile, Survey

_WEB_SOURCES = ("autoconfig", "well-known", "mailconf", "pacc", "autodiscover")
# Which service a standard port belongs to.
_LABELS = {143: "_imap", 993: "_imaps", 110: "_pop3", 995: "_pop3s", 587: "_submission", 465: "_submissions"}
_REDIRECTS = frozenset({"http.downgrade", "http.redirect_loop", "http.too_many_redirects", "http.bad_scheme"})
_UNUSABLE = ("xml.", "discover.", "http.too_large", "http.header_too_large", "http.incomplete")
_UNREACHABLE = ("dns.", "tcp.", "tls.timeout", "greeting.timeout", "protocol.timeout")
_SEVERITIES = tuple(Severity)


class Audit(NamedTuple):
    """The outcome."""

    address: Address  # of the domain
    status: Status  # NOTHING: nothing is published; FAILED: nothing could be asked
    findings: tuple[Finding, ...]  # the worst first
    clients: Mapping[str, clients.Servers]
    elapsed_ms: float


def judge(survey: Survey) -> Audit:
    """What ``survey`` amounts to."""
    status = _status(survey)
    if status is Status.FAILED:
        findings = list(_about_unanswered(survey))
    elif _is_missing(survey):
        findings = [_finding("audit.domain.missing", survey, survey.address.domain)]
    else:
        findings = [
            *_about_mx(survey),
            *_about_srv(survey),
            *_about_web(survey),
            *_about_files(survey),
            *_about_pacc(survey),
            *_about_outlook(survey),
            *_about_contradictions(survey),
            *(finding for result in survey.live for finding in _about_server(result)),
            *_about_unanswered(survey),
        ]
    findings.sort(key=lambda finding: _SEVERITIES.index(finding.severity))
    return Audit(survey.address, status, tuple(findings), clients.views(survey), survey.elapsed_ms)


def _status(survey: Survey) -> Status:
    own = [report for report in survey.reports if report.source != "mx"]
    if any(report.candidates for report in own):
        return Status.FOUND
    # Without DNS there is nothing to conclude from whatever else was tried.
    by_dns = survey.of("mx", "srv")
    return Status.FAILED if all(report.status is Status.FAILED for report in by_dns) else Status.NOTHING


def _is_missing(survey: Survey) -> bool:
    return _status(survey) is Status.NOTHING and any(report.code == "dns.nxdomain" for report in survey.of("mx"))


def _finding(code: str, survey: Survey, evidence: str, cause: str = "", **facts: str) -> Finding:
    return Finding(code, evidence, {"domain": survey.address.domain, **facts}, cause)


def _about_mx(survey: Survey) -> Iterator[Finding]:
    domain = survey.address.domain
    if survey.has_wildcard:
        yield _finding("audit.dns.wildcard", survey, f"*.{domain}")
    (report,) = survey.of("mx")
    if report.status is Status.FAILED:
        return
    evidence = "; ".join(f"{domain} MX {record.preference} {record.host}." for record in survey.mx)
    if not survey.mx:
        yield _finding("audit.mx.missing", survey, f"{domain} MX")
    elif all(not record.host for record in survey.mx):
        yield _finding("audit.mx.null", survey, evidence)
    elif any(not record.host for record in survey.mx):
        yield _finding("audit.mx.contradictory", survey, evidence)
    for notice in report.notices:
        if notice.code.startswith("mx-is-"):
            yield _finding("audit.mx.gateway", survey, evidence, name=notice.facts["name"])


def _about_srv(survey: Survey) -> Iterator[Finding]:
    offered = {label for label, records in survey.srv.items() if any(record.host for record in records)}
    declared = {label for label, records in survey.srv.items() if records}
    asked = set(survey.srv)
    if not declared and len(asked) == len(srv.SERVICES):
        yield _finding("audit.srv.missing", survey, _names(survey, [service.label for service in srv.SERVICES]))
        return
    undeclared = [service.label for service in srv.SERVICES if service.label in asked - declared]
    for service in srv.SERVICES:
        secure = f"{service.label}s"
        if service.security is Security.STARTTLS and service.label in offered and secure in undeclared:
            undeclared.remove(secure)
            names = {"service": _name(survey, service.label), "secure": _name(survey, secure)}
            yield _finding("audit.srv.no_implicit_tls", survey, _records(survey, service.label), **names)
    if undeclared:
        names_of_all = _names(survey, undeclared)
        yield _finding("audit.srv.undeclared", survey, names_of_all, services=names_of_all)
    for label in sorted(declared):
        yield from _about_records(survey, label, survey.srv[label])
    outside = sorted(
        {
            record.host
            for records in survey.srv.values()
            for record in records
            if record.host and not same_owner(record.host, survey.address.domain)
        }
    )
    if outside:
        evidence = "; ".join(_records(survey, label) for label in sorted(offered))
        yield _finding("audit.srv.outside", survey, evidence, hosts=", ".join(outside))


def _about_records(survey: Survey, label: str, records: Sequence[SRVRecord]) -> Iterator[Finding]:
    """The faults of the records of one service."""
    name = _name(survey, label)
    if len({bool(record.host) for record in records}) == 2:
        yield _finding("audit.srv.contradictory", survey, _records(survey, label), service=name)
    for report in survey.of("srv"):
        if report.locator == name and report.code == "discover.invalid_values":
            yield _finding("audit.srv.invalid", survey, _records(survey, label), service=name, values=report.detail)
    for record in records:
        evidence = _record(name, record)
        facts = {"service": name, "host": record.host, "port": str(record.port)}
        right = _LABELS.get(record.port, label)
        if record.host and right != label:
            yield _finding("audit.srv.port", survey, evidence, **facts, right=_name(survey, right))
        if record.host in survey.aliases:
            target = survey.aliases[record.host]
            yield _finding(
                "audit.srv.alias", survey, f"{evidence}; {record.host} CNAME {target}.", **facts, target=target
            )
        if record.host in survey.unresolved:
            yield _finding("audit.srv.no_address", survey, evidence, survey.unresolved[record.host], **facts)


def _about_web(survey: Survey) -> Iterator[Finding]:
    """Places over https that exist and do not do their work."""
    for report in survey.of(*_WEB_SOURCES):
        code = report.code or ""
        # Below a wildcard record every name exists, whether anybody set it up or not.
        stranger = code == "discover.not_autoconfig" or "tls.cert.hostname" in report.detail
        if report.status is Status.FOUND or _is_unanswered(report) or (survey.has_wildcard and stranger):
            continue
        yield from _about_place(survey, report, code)


def _about_place(survey: Survey, report: SourceReport, code: str) -> Iterator[Finding]:
    """What is wrong with one place that has no settings, if anything is."""
    url = report.locator
    if code == "discover.invalid_values" and not url.startswith("https://"):  # the record that should lead there
        finding = "audit.mailconf.invalid" if report.source == mailconf.NAME else "audit.srv.invalid"
        yield _finding(finding, survey, f"{url}: {report.detail}", service=url, values=report.detail)
        return
    first_detail = report.detail.partition(",")[0]
    facts = {"url": url, "status": first_detail, "host": urlsplit(url).hostname or url, "port": "443"}
    evidence = f"{url}: {code} {report.detail}".strip()
    found: tuple[str, str] | None = None
    if code == "http.certificate":
        facts["reason"] = first_detail
        found = ("audit.web.certificate", code)
    elif code == "discover.not_autoconfig":
        found = ("audit.file.not_settings", "")
    elif code in _REDIRECTS:
        found = ("audit.web.redirect", code)
    elif report.status is Status.FAILED and code == "http.status":
        found = ("audit.web.status", code)
    elif code.startswith(_UNUSABLE) and code != "discover.domain_mismatch":
        found = ("audit.file.unusable", code)
    elif report.status is Status.FAILED and code != "pacc.digest_mismatch":
        found = ("audit.web.unreachable", code)
    if found is not None:
        yield _finding(found[0], survey, evidence, found[1], **facts)


def _about_files(survey: Survey) -> Iterator[Finding]:
    domain = survey.address.domain
    https = [file for file in survey.files if file.report.source != http_autoconfig.NAME]
    found = [file for file in survey.files if file.report.candidates]
    if not found and all(file.report.status is Status.NOTHING for file in https):
        yield _finding("audit.autoconfig.missing", survey, autoconfig.url(domain))
    elif found and not any(file in https for file in found):
        evidence = found[0].report.locator
        yield _finding("audit.autoconfig.http_only", survey, evidence, url=autoconfig.url(domain))
    # The twin of an https file over http has the same faults.
    read = [file for file in found if file in https] or found
    for file in read:
        yield from _about_file(survey, file)
    for report in (*(file.report for file in read), *survey.of("mailconf", "autodiscover")):
        plain = [c.endpoint for c in report.candidates if c.endpoint.security is Security.PLAIN]
        if plain:
            servers = ", ".join(map(_place, plain))
            yield _finding("audit.plaintext", survey, report.locator, source=report.locator, servers=servers)


def _about_file(survey: Survey, file: PublishedFile) -> Iterator[Finding]:
    """The faults of one file with settings in it."""
    url = file.report.locator
    if file.refusal:
        yield _finding("audit.autoconfig.needs_address", survey, f"{url}: {file.refusal}", url=url)
    if file.media_type and file.media_type not in clients.XML_TYPES:
        evidence = f"{url}: Content-Type: {file.media_type}"
        yield _finding("audit.autoconfig.media_type", survey, evidence, url=url, type=file.media_type)
    if file.report.code == "discover.domain_mismatch":
        yield _finding("audit.autoconfig.domain", survey, url, url=url)
    if file.skipped:
        values = "; ".join(file.skipped)
        yield _finding("audit.autoconfig.skipped", survey, f"{url}: {values}", url=url, values=values)
    if not clients.is_complete(candidate.endpoint for candidate in file.report.candidates):
        yield _finding("audit.autoconfig.one_direction", survey, url, url=url)


def _about_pacc(survey: Survey) -> Iterator[Finding]:
    domain = survey.address.domain
    facts = {"url": pacc.url(domain), "name": f"_ua-auto-config.{domain}"}
    (report,) = survey.of("pacc")
    if report.code == "pacc.digest_mismatch":
        yield _finding("audit.pacc.digest", survey, f"{facts['url']}: {report.detail}", **facts)
    elif not survey.has_pacc_digest and report.status is Status.NOTHING:
        code = "audit.pacc.no_digest" if survey.has_pacc_file else "audit.pacc.missing"
        yield _finding(code, survey, facts["name"], **facts)
    elif report.status is Status.NOTHING and not survey.has_pacc_file:
        cause, status = report.code or "", report.detail.partition(",")[0]
        evidence = f"{facts['url']}: {cause} {status}".strip()
        host = urlsplit(facts["url"]).hostname or ""
        yield _finding("audit.pacc.no_file", survey, evidence, cause, **facts, status=status, host=host, port="443")


def _about_outlook(survey: Survey) -> Iterator[Finding]:
    reports = survey.of("autodiscover")
    # Exchange answers only those who log in, and Outlook does.
    wants_login = any(report.code == "http.status" and report.detail.startswith("401") for report in reports)
    if not wants_login and all(report.status is Status.NOTHING for report in reports):
        evidence = ", ".join(report.locator for report in reports)
        yield _finding("audit.autodiscover.missing", survey, evidence)
    for report in reports:
        names = {candidate.endpoint.username_form for candidate in report.candidates}
        # Asked about an address, the server should have filled it in: no placeholder is left then.
        literal = sorted(name for name in names if any(placeholder in name for placeholder in PLACEHOLDERS))
        if literal:
            facts = {"url": report.locator, "name": literal[0]}
            yield _finding("audit.autodiscover.placeholder", survey, f"{report.locator}: {literal[0]}", **facts)


def _about_contradictions(survey: Survey) -> Iterator[Finding]:
    """Clients that read different places should get the same servers, and log in alike."""
    for protocol in Protocol:
        said = _said_about(survey, protocol)
        tls = _statements(said, lambda e: _place(e) if e.security is Security.TLS else "")
        starttls = _statements(said, lambda e: _place(e) if e.security is Security.STARTTLS else "")
        hosts = _statements(said, lambda e: e.host)
        # A place may name one kind of encryption only, so ports are compared among servers of a kind.
        if any(map(_is_contradictory, (tls, starttls, hosts))):
            words = _joined(_statements(said, _place))
            yield _finding("audit.conflict", survey, words, protocol=protocol.upper(), statements=words)
        usernames = _statements(said, lambda e: "" if e.username_form == USERNAME_UNKNOWN else e.username_form)
        if _is_contradictory(usernames):
            words = _joined(usernames)
            yield _finding("audit.username", survey, words, protocol=protocol.upper(), statements=words)


def _said_about(survey: Survey, protocol: Protocol) -> dict[str, list[Endpoint]]:
    """The encrypted servers of a protocol by the place that names them; all SRV records are one place."""
    said: dict[str, list[Endpoint]] = {}
    for report in survey.reports:
        if report.source in (mx.NAME, http_autoconfig.NAME):  # other people's words, and anybody's
            continue
        for candidate in report.candidates:
            if candidate.endpoint.protocol is protocol and candidate.endpoint.security is not Security.PLAIN:
                said.setdefault("SRV" if report.source == "srv" else report.locator, []).append(candidate.endpoint)
    return said


def _place(endpoint: Endpoint) -> str:
    return f"{endpoint.host}:{endpoint.port}"


def _statements(said: Mapping[str, Sequence[Endpoint]], about: Callable[[Endpoint], str]) -> dict[str, set[str]]:
    """What each place says, in the words of ``about``; without those that say nothing ("")."""
    found = {place: {words for e in endpoints if (words := about(e))} for place, endpoints in said.items()}
    return {place: words for place, words in found.items() if words}


def _is_contradictory(statements: Mapping[str, set[str]]) -> bool:
    """Whether there is nothing that all say."""
    return bool(statements) and not set.intersection(*statements.values())


def _joined(statements: Mapping[str, set[str]]) -> str:
    return "; ".join(f"{place}: {', '.join(sorted(words))}" for place, words in statements.items())


def _about_server(result: ProbeResult) -> Iterator[Finding]:
    """What a connection to a published server showed."""
    endpoint = result.candidate.endpoint
    source = result.candidate.evidence[0].locator
    place = f"{endpoint.protocol} {endpoint.host}:{endpoint.port} {endpoint.security} ({source})"
    code = result.code or ""
    evidence = f"{place}: {code}" if code else place
    if result.ok:
        days = result.tls.days_left if result.tls else None
        if days is not None and days < CERTIFICATE_SOON_DAYS:
            facts = {"host": endpoint.host, "port": str(endpoint.port), "days": str(days)}
            yield Finding("audit.server.expires", evidence, facts)
    elif code in NOT_ASKED or code == "greeting.temporary":
        yield Finding("audit.server.unchecked", evidence, result.facts, code)
    elif code.startswith("tls.cert."):
        yield Finding("audit.server.certificate", evidence, result.facts, code)
    elif code.startswith(("starttls.", "greeting.tls_on_plaintext_port")):
        yield Finding("audit.server.starttls", evidence, result.facts, code)
    elif code.startswith(_UNREACHABLE):
        yield Finding("audit.server.unreachable", evidence, result.facts, code)
    else:
        yield Finding("audit.server.failed", evidence, result.facts, code)


def _about_unanswered(survey: Survey) -> Iterator[Finding]:
    """All that could not be asked, in one finding: the reason is nearly always the same."""
    failed = [report for report in survey.reports if _is_unanswered(report)]
    if failed:
        places = ", ".join(dict.fromkeys(f"{report.locator} ({report.code})" for report in failed))
        reasons = ", ".join(sorted({report.code or "" for report in failed}))
        yield _finding("audit.unanswered", survey, places, codes=reasons)


def _is_unanswered(report: SourceReport) -> bool:
    """Whether DNS or our own network failed, so that nothing is known about what was asked."""
    code = report.code or ""
    return report.status is Status.FAILED and (code in NOT_ASKED or code.startswith("dns."))


def _name(survey: Survey, label: str) -> str:
    return f"{label}._tcp.{survey.address.domain}"


def _names(survey: Survey, labels: Sequence[str]) -> str:
    return ", ".join(_name(survey, label) for label in labels)


def _record(name: str, record: SRVRecord) -> str:
    return f"{name} SRV {record.priority} {record.weight} {record.port} {record.host}."


def _records(survey: Survey, label: str) -> str:
    return "; ".join(_record(_name(survey, label), record) for record in survey.srv[label])
