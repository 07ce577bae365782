"""What the verdicts on one target amount to: the settings to use, and the one cause behind the failures. Pure.

Each failure has a diagnosis of its own (``diagnosis``). Here they are looked at side by side, because what they have in
common says more: that port 465 does not answer is no news of the server if port 993 of its neighbour does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from .i18n import N_, fill
from .model import Confidence, Notice, ProbeResult, Protocol, Security, TLSFacts

Results = Sequence[ProbeResult]


class Cause(NamedTuple):
    """The most likely reason why several settings fail."""

    code: str  # cause.*, a key of the table below
    explained: tuple[ProbeResult, ...]  # the failures that it accounts for
    facts: Mapping[str, str] = {}

    @property
    def message(self) -> str:
        """What is probably wrong, in the user's language."""
        return fill(_WORDS[self.code][0], self.facts)

    @property
    def remedy(self) -> tuple[str, ...]:
        """What to do, the most likely first, in the user's language."""
        return tuple(fill(remedy, self.facts) for remedy in _WORDS[self.code][1])


_SIGN_IN = N_("Open any web page in a browser, sign in to the network, and try again.")
_ELSEWHERE = N_("Try another network, for example a phone's hotspot; switch off any VPN or proxy.")

# code -> (message, remedies)
_WORDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "cause.dns": (
        N_("No name can be looked up: the DNS resolver of this computer or network does not work."),
        (
            N_("Ask another resolver: add --nameserver 223.5.5.5 or --nameserver 1.1.1.1."),
            N_("Check the network connection, and sign in where the network wants that."),
        ),
    ),
    "cause.no_network": (
        N_("This computer has no way to the internet at the moment."),
        (N_("Check the network connection, and switch off any VPN."),),
    ),
    "cause.captive_portal": (
        N_("The network answers in place of the mail servers, as hotels, campuses and airports do before the sign-in."),
        (_SIGN_IN, _ELSEWHERE),
    ),
    "cause.clock": (
        N_("The certificates of all servers seem to be out of date: the clock of this computer is wrong ({now})."),
        (N_("Set date and time, best automatically, and try again."),),
    ),
    "cause.interception": (
        N_(
            "One issuer that nobody knows, {issuer}, stands behind the certificates of all servers: a virus scanner, a "
            "company proxy or an attacker reads the connections."
        ),
        (
            N_("Switch off mail scanning or “TLS inspection” in the virus scanner."),
            N_("If {issuer} is the authority of your own company, give its certificate with --ca-file."),
            N_("Until then do not log in from here."),
        ),
    ),
    "cause.ipv6": (
        N_("Servers answer over IPv4, but not over IPv6: IPv6 is broken in this network."),
        (N_("Switch off IPv6 on this computer, or have it repaired where the network is run."), _ELSEWHERE),
    ),
    "cause.smtp_blocked": (
        N_("Other ports answer, but nothing for sending (port {ports}): the network probably blocks sending mail."),
        (
            N_("Internet providers often block port 25, some also 465 or 587: try the other ports with --all."),
            _ELSEWHERE,
        ),
    ),
    "cause.host_down": (
        N_("No port of {host} answers: the server is down, or does not let this network in."),
        (N_("Wait a few minutes and try again."), _ELSEWHERE),
    ),
    "cause.mail_blocked": (
        N_("No mail server answers on any port: a firewall here probably blocks mail, or there is no internet."),
        (_ELSEWHERE, _SIGN_IN),
    ),
}
CODES = frozenset(_WORDS)


def usable(results: Results) -> tuple[ProbeResult, ...]:
    """The settings to use: the first for receiving and the first for sending that has been proved, best first.

    IMAP comes before POP3, which shows the inbox only; unencrypted settings never count, nor does a server that was not
    logged in to because another has refused the login: that one is no worse.
    """
    proved = [
        result
        for result in results
        if result.ok
        and result.candidate.endpoint.security is not Security.PLAIN
        and all(notice.code != "login-skipped" for notice in result.notices)
    ]
    first = {protocol: next((r for r in proved if _protocol(r) is protocol), None) for protocol in Protocol}
    chosen = (first[Protocol.IMAP] or first[Protocol.POP3], first[Protocol.SMTP])
    return tuple(result for result in chosen if result is not None)


def cause(results: Results, notices: Iterable[Notice] = ()) -> Cause | None:
    """The cause that explains the most failures; None where nothing failed, or each failure has its own story.

    ``notices`` are those of the lookup that named the settings, or could not name any.
    """
    if not any(result.ok for result in results) and any(notice.code == "captive-portal" for notice in notices):
        return Cause("cause.captive_portal", tuple(results))  # whatever the failures look like
    found = [cause for rule in _RULES for cause in rule(results)]
    return max(found, key=lambda cause: len(cause.explained), default=None)


# What only a resolver says or does, and what a broken zone looks like, too.
_NO_RESOLVER = frozenset({"dns.refused", "dns.unreachable", "dns.no_resolver"})
_NO_ANSWER = frozenset({"dns.timeout", "dns.servfail", "dns.malformed", "dns.truncated"})


def _dns(results: Results) -> Iterable[Cause]:
    failed = _with(results, *_NO_RESOLVER, *_NO_ANSWER)
    if failed and len(failed) == len(results) and (_with(failed, *_NO_RESOLVER) or _are_independent(failed)):
        yield Cause("cause.dns", failed)
    denied = _with(results, "dns.nxdomain")
    # The names in the database are spelled right; only of some it is not sure that they still exist.
    sure = [r for r in denied if _is_curated(r) and r.candidate.confidence is not Confidence.LOW]
    if len(sure) == len(results) and len(_hosts(denied)) > 1:
        yield Cause("cause.dns", denied)


def _no_network(results: Results) -> Iterable[Cause]:
    failed = _with(results, "dns.unreachable", "tcp.unreachable")
    if failed and len(failed) == len(results):
        yield Cause("cause.no_network", failed)


def _captive_portal(results: Results) -> Iterable[Cause]:
    if any(result.ok for result in results):
        return
    pages = _with(results, "greeting.http", "tls.http_on_tls_port")
    redirected = _with(results, "dns.private_address")
    foreign = _with(results, "tls.cert.hostname")
    if not _are_independent(foreign):  # many a customer of a hoster sees its certificate under names of his own
        foreign = ()
    for failed, common in (
        (pages, {""}),
        (redirected, {result.facts.get("address", "") for result in redirected}),
        (foreign, {_certificate(result.tls) for result in foreign}),
    ):
        if len(_hosts(failed)) > 1 and len(common) == 1 and None not in common:
            yield Cause("cause.captive_portal", failed)


def _clock(results: Results) -> Iterable[Cause]:
    for code in ("tls.cert.expired", "tls.cert.not_yet_valid"):
        failed = _with(results, code)
        if len(failed) < len(_judged(results)):
            continue  # some certificate is in time
        # One certificate may have been forgotten, but hardly anybody uses one that is not valid yet.
        if len({_certificate(result.tls) for result in failed}) > 1 or (failed and code == "tls.cert.not_yet_valid"):
            yield Cause("cause.clock", failed, {"now": failed[0].facts.get("now", "–")})


def _interception(results: Results) -> Iterable[Cause]:
    failed = _with(results, "tls.cert.untrusted_issuer")
    issuers = {result.tls.issuer if result.tls else None for result in failed}
    if len(failed) == len(_judged(results)) and len(_hosts(failed)) > 1 and len(issuers) == 1:
        (issuer,) = issuers
        if issuer:
            yield Cause("cause.interception", failed, {"issuer": issuer})


def _ipv6(results: Results) -> Iterable[Cause]:
    works = {_family(ip) for result in results for ip, outcome, _code in result.addresses if outcome == "ok"}
    failed = tuple(
        result
        for result in _with(results, "tcp.timeout", "tcp.unreachable")
        if {_family(address.ip) for address in result.addresses} == {6}
    )
    if failed and works == {4}:
        yield Cause("cause.ipv6", failed)


def _smtp_blocked(results: Results) -> Iterable[Cause]:
    sending = [result for result in results if _protocol(result) is Protocol.SMTP]
    blocked = _with(sending, "tcp.timeout")
    neighbours = [result for result in results if _protocol(result) is not Protocol.SMTP]
    neighbours += [result for result in sending if _host(result) in _hosts(blocked)]
    if blocked and any(map(_is_reached, neighbours)):
        yield Cause("cause.smtp_blocked", blocked, {"ports": _ports(blocked)})


def _host_down(results: Results) -> Iterable[Cause]:
    silent = _with(results, "tcp.timeout")
    if len(silent) == len(results) and len(_hosts(silent)) > 1:
        yield Cause("cause.mail_blocked", silent)
        return
    for host in sorted(_hosts(silent)):
        failed = tuple(result for result in silent if _host(result) == host)
        alone = not any(_host(result) == host for result in results if result not in failed)
        if alone and len({result.candidate.endpoint.port for result in failed}) > 1:
            yield Cause("cause.host_down", failed, {"host": host})


# Of two that explain equally much the first is taken.
_RULES: tuple[Callable[[Results], Iterable[Cause]], ...] = (
    _no_network,
    _dns,
    _captive_portal,
    _clock,
    _interception,
    _ipv6,
    _smtp_blocked,
    _host_down,
)


def _with(results: Results, *codes: str) -> tuple[ProbeResult, ...]:
    return tuple(result for result in results if result.code in codes)


def _judged(results: Results) -> list[ProbeResult]:
    """Those with a certificate that was accepted or refused."""
    return [r for r in results if (r.tls is not None and r.tls.verified) or (r.code or "").startswith("tls.cert.")]


def _is_reached(result: ProbeResult) -> bool:
    return any(address.outcome == "ok" for address in result.addresses)


def _are_independent(results: Results) -> bool:
    """Whether there are several hosts, of several domains or of a provider in the database: not one zone's mistake."""
    hosts = _hosts(results)
    return len(hosts) > 1 and (any(map(_is_curated, results)) or len({host.split(".", 1)[-1] for host in hosts}) > 1)


def _is_curated(result: ProbeResult) -> bool:
    return any(evidence.source == "providers" for evidence in result.candidate.evidence)


def _hosts(results: Results) -> set[str]:
    return {_host(result) for result in results}


def _host(result: ProbeResult) -> str:
    return result.candidate.endpoint.host


def _protocol(result: ProbeResult) -> Protocol:
    return result.candidate.endpoint.protocol


def _ports(results: Results) -> str:
    return ", ".join(map(str, sorted({result.candidate.endpoint.port for result in results})))


def _family(ip: str) -> int:
    return 6 if ":" in ip else 4


def _certificate(facts: TLSFacts | None) -> tuple[object, ...] | None:
    """What tells one certificate from another; None if it has not been seen."""
    return None if facts is None else (facts.subject, facts.issuer, facts.names, facts.not_before, facts.not_after)
