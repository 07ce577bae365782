"""Answers as lines and rows of words: what a pipe gets, and what ``render`` draws as tables on a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from . import i18n, text
from .i18n import N_, _, fill
from .model import LIVE, Candidate, Lookup, Notice, ProbeResult, Provider, ProviderStatus, Role, SourceReport, Status

if TYPE_CHECKING:
    from .conclusion import Cause
    from .diagnosis import Diagnosis

# Warnings that name something to do before the first login.
_PREPARATIONS = frozenset({"service-must-be-enabled", "auth-code", "app-password", "oauth2-only", "imap-id"})
_SOURCES = {
    "providers": N_("mailsetup's provider database"),
    "mx": N_("the domain's MX and the provider database"),
    "autoconfig": N_("published by the domain over https"),
    "well-known": N_("published by the domain over https"),
    "ispdb": N_("the public ISP database"),
    "pacc": N_("published by the domain over https, with a digest in DNS"),
    "autodiscover": N_("the domain's Autodiscover for Outlook"),
    "srv": N_("the domain's SRV records"),
    "mx-ispdb": N_("the public ISP database, for the operator of the domain's MX"),
    "mx-autoconfig": N_("published by the operator of the domain's MX"),
    "mailconf": N_("the file that a TXT record of the domain names"),
    "dns": N_("other DNS records of the domain and the provider database"),
    "guess": N_("a guess"),
    "http-autoconfig": N_("the domain over unencrypted http"),
}

_MOST_MECHANISMS = 6
_SERVICES = {"jmap": "JMAP", "caldav": "CalDAV", "carddav": "CardDAV", "webdav": "WebDAV", "managesieve": "ManageSieve"}


def username(candidate: Candidate, answer: Lookup) -> str:
    """The login name, or how it is formed."""
    name = candidate.endpoint.username(answer.address)
    match candidate.endpoint.username_form:
        case "unknown":
            return _("{name} (not stated, try this first)").format(name=name) if name else _("not stated")
        case form:
            return name or username_form(form)


def username_form(form: str) -> str:
    """How login names are formed, in words."""
    match form:
        case "unknown":
            return _("not stated")
        case "address":
            return _("full address")
        case "local-part":
            return _("the part before the @")
        case template:
            return template


def reason(candidate: Candidate) -> str:
    """Where a setting comes from, and what confirms it."""
    named = list(dict.fromkeys(_(_SOURCES.get(e.source, e.source)) for e in candidate.evidence))
    words = named[0] if named else ""
    if named[1:]:
        words += fill(N_(", confirmed by {sources}"), {"sources": text.joined(named[1:], _(" and "))})
    if candidate.verified:
        words += _(", proved by a live connection")
    elif candidate.verified is False:
        words += _(", but a live connection failed")
    return words


def headline(answer: Lookup) -> str:
    """The first line of an answer."""
    name = answer.query + _other_form(answer)
    provider = "" if answer.provider is None else f" – {text.provider_name(answer.provider)}"
    match answer.status:
        case Status.FOUND:
            return f"{name}{provider}"
        case Status.FAILED:
            return _("{name}{provider}: could not find out, because not every source could be asked").format(
                name=name, provider=provider
            )
        case _:
            words = _("{name}{provider}: no usable settings") if answer.provider else _("{name}: nothing found")
            return words.format(name=name, provider=provider)


def _other_form(answer: Lookup) -> str:
    """An internationalised domain in the form that was not typed: names that look alike differ in one of them."""
    address = answer.address
    if address.domain == address.domain_unicode:
        return ""
    typed_as_ascii = address.domain in answer.query.lower()
    return text.in_brackets([address.domain_unicode if typed_as_ascii else address.domain])


def preparations(answer: Lookup) -> list[str]:
    """What the user must do before the settings work, in order; the provider's own words where it has some."""
    return [_in_own_words(item, answer.provider) for item in answer.notices if item.code in _PREPARATIONS]


def warnings(answer: Lookup) -> list[str]:
    """What else the user must know: warnings, the provider's other notes, sources that could not be asked."""
    provider = answer.provider
    lines = [_in_own_words(item, provider) for item in answer.notices if item.code not in _PREPARATIONS]
    if provider is not None:
        said = {item.code for item in answer.notices}
        lines += [note.text(i18n.language()) for note in text.notes(provider) if note.code not in said]
    return lines + (_unasked(answer) if answer.status is Status.FAILED else [])


def _failed(answer: Lookup) -> list[SourceReport]:
    """The sources that could not be asked, but for reasons that a warning is about."""
    if any(item.code == "captive-portal" for item in answer.notices):
        return []
    failed = (report for report in answer.reports if report.status is Status.FAILED and report.source != LIVE)
    return [report for report in failed if not (report.code or "").endswith(".private_address")]


def _unasked(answer: Lookup) -> list[str]:
    """Which sources could not be asked, those with the same trouble on one line."""
    from .reasons import reason as why

    troubles: dict[str, list[SourceReport]] = {}
    for report in _failed(answer):
        troubles.setdefault(f"{report.code}: {why(report, answer)}", []).append(report)
    lines = []
    for reason, (first, *others) in troubles.items():
        if others:
            sources = text.listed(dict.fromkeys(report.source for report in (first, *others)))
            lines.append(_("could not ask {sources} ({reason})").format(sources=sources, reason=reason))
        else:
            words = _("could not ask {source}: {locator} ({reason})")
            lines.append(words.format(source=first.source, locator=first.locator, reason=reason))
    return lines


def _in_own_words(item: Notice, provider: Provider | None) -> str:
    for note in () if provider is None else provider.notes:
        if note.code == item.code:
            return note.text(i18n.language())
    return text.notice(item)


def suggestion(answer: Lookup) -> str | None:
    """What to try next when there is no answer."""
    if answer.status is Status.FAILED:
        codes = [report.code or "" for report in _failed(answer)]
        if not codes:
            return None  # a warning says what to do
        if all(code.startswith("dns.") for code in codes):
            return _("Check the network, or name another DNS server with --nameserver.")
        if not any(code.startswith(("dns.", "tcp.", "tls.")) or code == "http.timeout" for code in codes):
            return _ask_operator(answer)
        return _("Check the network, allow more time with --timeout 30, or see --explain.")
    asked = [report.status for report in answer.reports if report.source != "providers"]
    if answer.status is Status.NOTHING and set(asked) == {Status.SKIPPED}:
        return _("Without --offline the domain itself is asked.")
    mistyped = any(item.code == "no-such-domain" for item in answer.notices)
    if answer.status is Status.NOTHING and answer.provider is None and not mistyped:
        return _ask_operator(answer)
    return None


def _ask_operator(answer: Lookup) -> str:
    words = _("Ask the operator of {domain} for the settings; `mailsetup lookup --explain {domain}` says more.")
    return words.format(domain=answer.address.domain)


def lookup_columns() -> tuple[str, ...]:
    """The headings of the settings table."""
    return (_("Protocol"), _("Server"), _("Port"), _("Encryption"), _("User name"), _("Log in with"), _("Certainty"))


def lookup_rows(answer: Lookup) -> list[tuple[str, ...]]:
    """The settings table: incoming first, best first."""
    return [
        (
            candidate.endpoint.protocol.upper(),
            candidate.endpoint.host,
            str(candidate.endpoint.port),
            text.security(candidate.endpoint.security),
            username(candidate, answer),
            text.authentication(candidate.endpoint.authentication) or _("not stated"),
            text.confidence(candidate.confidence) if candidate.verified is not False else _("connection failed"),
        )
        for candidate in answer.incoming + answer.outgoing
    ]


def narrow_lookup(answer: Lookup) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
    """Headings and rows of the settings without what is the same for all of them, and lines that say it once."""
    columns, rows = lookup_columns(), lookup_rows(answer)
    same = [place for place in (4, 5) if len({row[place] for row in rows}) == 1]  # user name, log in with
    kept = [place for place in range(len(columns)) if place not in same]
    return (
        tuple(columns[place] for place in kept),
        [tuple(row[place] for place in kept) for row in rows],
        [text.introduced(columns[place], rows[0][place]) for place in same],
    )


def narrowest_lookup_lines(answer: Lookup) -> list[str]:
    """The settings without a table: nothing in them is broken into lines."""
    names = lookup_columns()[4:]
    lines = []
    for protocol, host, port, encryption, *further in lookup_rows(answer):
        lines.append(f"{protocol} {host}:{port} {encryption}")
        lines += [f"  {text.introduced(name, value)}" for name, value in zip(names, further, strict=True)]
    return lines


def reasons(answer: Lookup) -> list[str]:
    """One line per group of settings: where they come from."""
    groups: dict[str, list[str]] = {}
    for candidate in answer.incoming + answer.outgoing:
        names = groups.setdefault(reason(candidate), [])
        if (protocol := candidate.endpoint.protocol.upper()) not in names:
            names.append(protocol)
    return [
        _("{protocols}: {reason}").format(protocols=text.listed(protocols), reason=words)
        for words, protocols in groups.items()
    ]


def links(answer: Lookup) -> list[str]:
    """Web mail and help page of the provider."""
    return [] if answer.provider is None else _links(answer.provider)


def _links(provider: Provider) -> list[str]:
    lines = []
    if provider.webmail:
        lines.append(_("Web mail: {url}").format(url=provider.webmail))
    if provider.help:
        lines.append(_("Help: {url}").format(url=provider.help))
    return lines


def services(answer: Lookup) -> list[str]:
    """What is named beside mail, one line each."""
    lines = []
    for name, url, host, port, source in answer.services:
        place = url or f"{host}:{port}"
        lines.append(
            _("{service}: {place} (source: {source})").format(service=_SERVICES[name], place=place, source=source)
        )
    return lines


def ledger_columns() -> tuple[str, ...]:
    """The headings of the ledger."""
    return (_("Source"), _("Result"), "ms", _("Why"), _("Asked"), _("Detail"))


def ledger_rows(answer: Lookup) -> list[tuple[str, ...]]:
    """Every source asked, what it said and why that counted or not."""
    from .reasons import reason as why  # only here is there any use for it

    return [
        (
            report.source,
            text.status(report.status),
            f"{report.elapsed_ms:.0f}",
            why(report, answer),
            report.locator,
            _detail(report),
        )
        for report in answer.reports
    ]


def narrow_ledger_lines(answer: Lookup) -> list[str]:
    """The ledger for a terminal, its headings first: what was asked has lines of its own, so that URLs stay whole."""
    asked = ledger_columns().index(_("Asked"))
    columns, *rows = [row[:asked] + row[asked + 1 :] for row in (ledger_columns(), *ledger_rows(answer))]
    head, *lines = _table(columns, rows)
    places = [f"    {report.locator}" for report in answer.reports]
    return [head, *(part for pair in zip(lines, places, strict=True) for part in pair)]


def _detail(report: SourceReport) -> str:
    """The facts behind a line of the ledger: the code, what was found, and the servers if they are not recommended."""
    if report.status is Status.SKIPPED:
        return ""
    detail = report.detail.removeprefix(f"{report.locator} ")  # a chain of redirects begins there
    words = f"{report.code or ''} {detail}".strip()
    if report.role not in (Role.OUTRANKED, Role.DISPROVED):
        return words
    hosts = dict.fromkeys(candidate.endpoint.host for candidate in report.candidates)
    return "; ".join(filter(None, (words, ", ".join(host for host in hosts if host not in words))))


def lookup_lines(answer: Lookup, *, explain: bool) -> list[str]:
    """The whole answer as plain text for a pipe or a file."""
    lines = [headline(answer)]
    if answer.incoming or answer.outgoing:
        lines += ["", *_table(lookup_columns(), lookup_rows(answer)), ""]
        lines += [_("Source: {reason}").format(reason=line) for line in reasons(answer)]
    if steps := preparations(answer):
        lines += ["", _("Before it works:"), *(f"  - {step}" for step in steps), ""]
    lines += [f"! {line}" for line in warnings(answer)]
    lines += [*services(answer), *links(answer)]
    if (next_step := suggestion(answer)) is not None:
        lines.append(next_step)
    if explain:
        lines += ["", *_table(ledger_columns(), ledger_rows(answer))]
    return lines


def verdict(result: ProbeResult) -> str:
    """Whether it works, in a word."""
    return _("OK") if result.ok else _("FAIL")


def stage(result: ProbeResult) -> str:
    """The code of a failure, and what was going on."""
    return f"{result.code}{text.in_brackets([text.stage(result.stage)])}"


def probe_place(result: ProbeResult) -> str:
    """The setting that was probed, on one line."""
    endpoint = result.candidate.endpoint
    return f"{endpoint.protocol.upper()} {endpoint.host}:{endpoint.port} {text.security(endpoint.security)}"


def probe_columns() -> tuple[str, ...]:
    """The headings of the table of verdicts, what can be left out last."""
    return (_("Setting"), _("Result"), "TLS", _("Days"), "ms", _("Log in with"), _("ms per stage"))


def probe_rows(results: Sequence[ProbeResult]) -> list[tuple[str, ...]]:
    """The table of verdicts, in the order of the results: days are those left to the certificate, a dash is unknown."""
    return [
        (
            probe_place(result),
            result.code or verdict(result),
            (result.tls.version or "–").removeprefix("TLSv") if result.tls else "–",
            str(result.tls.days_left) if result.tls and result.tls.days_left is not None else "–",
            f"{result.timing_ms.get('total', 0.0):.0f}",
            _few(result.mechanisms),
            _stages(result.timing_ms),
        )
        for result in results
    ]


def _stages(timing_ms: Mapping[str, float]) -> str:
    """Where the time went: the stages, as JSON calls them, that took any."""
    rounded = {stage: round(ms) for stage, ms in timing_ms.items() if stage != "total"}
    return " ".join(f"{stage} {ms}" for stage, ms in rounded.items() if ms) or "–"


def _few(names: Sequence[str]) -> str:
    """The first of ``names``: a server may offer thousands, and each of any length."""
    shown = [name[:20] for name in names[:_MOST_MECHANISMS]]
    return " ".join(shown) + (" …" if len(names) > len(shown) else "") or "–"


def choice(results: Sequence[ProbeResult]) -> str | None:
    """Which of several settings to use, on one line; None if there is no choice or none works."""
    from .conclusion import usable

    chosen = usable(results)
    if len(results) < 2 or not chosen:
        return None
    names = {result.username for result in chosen}
    words = _("Use {settings}").format(settings=text.joined([probe_place(result) for result in chosen], _(" and ")))
    if len(names) == 1 and (name := names.pop()) is not None:
        words += _(", user name {username}").format(username=name)
    return words


def why(found: Cause) -> str:
    """What the failures have in common."""
    return _("Most likely cause: {cause}").format(cause=found.message)


def diagnoses(
    results: Sequence[ProbeResult], provider: Provider | None, explained: Sequence[ProbeResult]
) -> Iterator[tuple[ProbeResult, Diagnosis | None]]:
    """Every verdict with its diagnosis; without advice if it is among the ``explained``, or stands there already."""
    from .diagnosis import about

    given: set[tuple[str, ...]] = set()
    for result in results:
        diagnosis = about(result, provider, i18n.language())
        if diagnosis is not None and (result in explained or diagnosis.remedy in given):
            yield result, diagnosis._replace(remedy=())
            continue
        if diagnosis is not None:
            given.add(diagnosis.remedy)
        yield result, diagnosis


def probe_lines(results: Sequence[ProbeResult], provider: Provider | None) -> list[str]:
    """Every verdict as plain text, and what they amount to; advice that a common cause makes pointless is left out.

    So is advice that has been given already.
    """
    from .conclusion import cause  # only a probe has use for these

    common = cause(results)
    lines = []
    for result, diagnosis in diagnoses(results, provider, () if common is None else common.explained):
        message = text.probe_success(result) if diagnosis is None else diagnosis.message
        lines.append(f"{verdict(result)}  {text.introduced(probe_place(result), message)}")
        if diagnosis is not None:
            lines.append(f"      {stage(result)}")
            lines += [f"      -> {remedy}" for remedy in diagnosis.remedy]
        lines += [f"      ! {text.notice(item)}" for item in result.notices]
    if (use := choice(results)) is not None:
        lines.append(use)
    if common is not None:
        lines += [why(common), *(f"      -> {remedy}" for remedy in common.remedy)]
    return lines


def provider_columns() -> tuple[str, ...]:
    """The headings of the table of providers."""
    return ("ID", _("Name"), _("Mail domains, or else MX records"))


def provider_row(provider: Provider) -> tuple[str, ...]:
    """One provider in the table; of one that has no servers, why."""
    names = provider.domains + provider.reported_domains or provider.mx
    words = " ".join(names[:6]) + (" …" if names[6:] else "")
    if provider.status is not ProviderStatus.ACTIVE:
        words = f"{words} – {text.provider_status(provider.status)}"
    return (provider.id, text.provider_name(provider), words)


def provider_lines(provider: Provider) -> list[str]:
    """One provider in full."""
    lines = [f"{provider.id}: {provider.name} / {provider.name_zh}"]
    if provider.status is not ProviderStatus.ACTIVE:
        lines.append(text.provider_status(provider.status))
    certain = [domain for domain in provider.domains if domain not in provider.listed_domains]
    lines.append(_("Domains: {domains}").format(domains=", ".join(certain) or "–"))
    if provider.listed_domains:
        lines.append(
            _("Domains that only one list names: {domains}").format(domains=", ".join(provider.listed_domains))
        )
    if provider.reported_domains:
        lines.append(_("Reported domains: {domains}").format(domains=", ".join(provider.reported_domains)))
    for name, patterns in (("MX", provider.mx), ("SPF", provider.spf), ("Autodiscover", provider.autodiscover)):
        if patterns:
            lines.append(f"{name}: {', '.join(patterns)}")
    lines += _links(provider)
    for endpoint, sure in provider.endpoints:
        words = [endpoint.protocol.upper(), f"{endpoint.host}:{endpoint.port}", text.security(endpoint.security)]
        words += [
            username_form(endpoint.username_form),
            text.authentication(endpoint.authentication) or _("not stated"),
        ]
        lines.append("  ".join(["", *words, text.confidence(sure)]))
    lines += [f"! [{note.code}] {note.text(i18n.language())}" for note in text.notes(provider)]
    for conflict in provider.conflicts:
        server = f"{conflict.protocol.upper()} {conflict.host}:{conflict.port} {text.security(conflict.security)}"
        who = ", ".join(conflict.said_by)
        lines.append(
            _("  others say {server} ({sources}): {rule}").format(
                server=server, sources=who, rule=text.conflict_rule(conflict.rule)
            )
        )
    for origin in provider.origins:
        source = f"{origin.locator} ({', '.join(origin.facts)}) {origin.checked}".rstrip()
        lines.append("  " + text.introduced(text.origin(origin.kind), source))
    return lines


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns aligned with spaces; Chinese characters count two cells, as terminals and fixed-width fonts draw them."""
    widths = [max(text.cells(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    return [
        "  ".join(cell + " " * (width - text.cells(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *rows)
    ]
