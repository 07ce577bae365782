"""SRV records for mail services (RFC 6186, RFC 8314 §5.1), in the order of RFC 2782 made deterministic.

A target of "." says that the service is not offered, and is believed. STARTTLS services are asked too, but a record of
``_submission`` on port 465 means implicit TLS, because that is the only thing that works there.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from ..address import parse_host, same_owner
from ..errors import InputError
from ..model import (
    USERNAME_UNKNOWN,
    Candidate,
    Confidence,
    Endpoint,
    Evidence,
    Notice,
    Protocol,
    Security,
    SourceReport,
)
from . import Found, Net, SRVRecord, Target, ask

NAME = "srv"


class Service(NamedTuple):
    """A service label and what it stands for."""

    label: str
    protocol: Protocol
    security: Security


# More than anyone offers; the rest of an endless answer is not worth ranking.
MAX_RECORDS = 8

# Implicit TLS first: RFC 8314 §3.
SERVICES = (
    Service("_imaps", Protocol.IMAP, Security.TLS),
    Service("_imap", Protocol.IMAP, Security.STARTTLS),
    Service("_pop3s", Protocol.POP3, Security.TLS),
    Service("_pop3", Protocol.POP3, Security.STARTTLS),
    Service("_submissions", Protocol.SMTP, Security.TLS),
    Service("_submission", Protocol.SMTP, Security.STARTTLS),
)


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report per service, all asked at once."""
    return list(await asyncio.gather(*(_ask(service, target, net) for service in SERVICES)))


async def _ask(service: Service, target: Target, net: Net) -> SourceReport:
    name = f"{service.label}._tcp.{target.address.domain}"

    async def question() -> Found:
        return interpret(service, name, await net.srv(name), target)

    return await ask(NAME, name, question)


def interpret(service: Service, name: str, records: list[SRVRecord], target: Target) -> Found:
    """The endpoints that the records of one service name, best first."""
    if records and all(not record.host for record in records):
        notice = Notice("not-offered", {"service": service.label, "protocol": service.protocol.upper()})
        return Found(code="srv.not_available", detail="target .", notices=(notice,))
    candidates = []
    invalid = []
    # RFC 2782 picks at random by weight; a tool must give the same answer twice, so: highest weight, then name.
    for record in sorted(records, key=lambda r: (r.priority, -r.weight, r.host, r.port))[:MAX_RECORDS]:
        try:
            host = parse_host(record.host)
        except InputError:
            invalid.append(record.host)
            continue
        if record.port == 0:
            invalid.append(f"{record.host}:0")
            continue
        implicit = service.protocol is Protocol.SMTP and record.port == 465
        security = Security.TLS if implicit else service.security
        endpoint = Endpoint(service.protocol, host, record.port, security, USERNAME_UNKNOWN)
        detail = f"{record.priority} {record.weight} {record.port} {host}"
        evidence = Evidence(NAME, name, trusted=False, detail=detail)
        inside = same_owner(host, target.address.domain)
        candidates.append(Candidate(endpoint, (evidence,), Confidence.MEDIUM if inside else Confidence.LOW))
    detail = "; ".join(candidate.evidence[0].detail for candidate in candidates)
    if not candidates and invalid:
        return Found(code="discover.invalid_values", detail=", ".join(invalid)[:200])
    return Found(tuple(candidates), detail)
