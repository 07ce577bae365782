"""What each family of mail clients makes of what a domain publishes. Pure.

Only what the domain itself publishes counts: no public database, no guesses, no MX. How the programs behave was read
in the sources of Thunderbird 153 and Thunderbird for Android, and in the specifications for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from .model import Candidate, Endpoint, Protocol, Security, best_per_protocol
from .survey import PublishedFile, Survey

# Thunderbird takes any other type for a mere string.
XML_TYPES = frozenset({"text/xml", "application/xml", "text/rdf"})

Servers = tuple[Candidate, ...]  # incoming and outgoing, in the client's order; () if it gets nothing


def views(survey: Survey) -> Mapping[str, Servers]:
    """What each client gets, with the verdict of a live connection where there was one."""
    verdicts = {result.candidate.endpoint.key: result.ok for result in survey.live}
    return {
        name: tuple(c._replace(verified=verdicts.get(c.endpoint.key)) for c in get(survey))
        for name, get in CLIENTS.items()
    }


def is_complete(endpoints: Iterable[Endpoint]) -> bool:
    """Whether there is a server for each direction."""
    return len({endpoint.protocol is Protocol.SMTP for endpoint in endpoints}) == 2


def _thunderbird(survey: Survey) -> Servers:
    """The first usable file, plain http and unencrypted servers included; else what Autodiscover says."""
    for file in survey.files:
        is_read = not file.media_type or file.media_type in XML_TYPES
        if is_read and is_complete(_endpoints(file)):
            return file.report.candidates
    return _outlook(survey)


def _thunderbird_android(survey: Survey) -> Servers:
    """IMAP and SMTP of the first file that is given without an address and is faultless throughout."""
    for file in survey.files:
        faultless = not file.skipped and all(e.security is not Security.PLAIN for e in _endpoints(file))
        known = [c for c in file.report.candidates if c.endpoint.protocol is not Protocol.POP3]
        if faultless and not file.refusal and is_complete(c.endpoint for c in known):
            return best_per_protocol(known)
    return ()


def _outlook(survey: Survey) -> Servers:
    """The first answer of Autodiscover."""
    return _first(survey, "autodiscover")


def _srv(survey: Survey) -> Servers:
    """Every server in SRV records, TLS from the start before STARTTLS (RFC 8314 section 3)."""
    found = [candidate for report in survey.of("srv") for candidate in report.candidates]
    return tuple(sorted(found, key=lambda c: c.endpoint.security is not Security.TLS))


def _pacc(survey: Survey) -> Servers:
    """The PACC document, if its digest is right."""
    return _first(survey, "pacc")


# The names are those of the JSON output.
CLIENTS: Mapping[str, Callable[[Survey], Servers]] = {
    "thunderbird": _thunderbird,
    "thunderbird-android": _thunderbird_android,
    "outlook": _outlook,
    "srv": _srv,
    "pacc": _pacc,
}


def _first(survey: Survey, source: str) -> Servers:
    return next((report.candidates for report in survey.of(source) if report.candidates), ())


def _endpoints(file: PublishedFile) -> Sequence[Endpoint]:
    return [candidate.endpoint for candidate in file.report.candidates]
