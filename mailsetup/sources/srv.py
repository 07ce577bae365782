"""SRV records for mail services (RFC 6186, RFC 8314 §5.1), in the order of RFC 2782 made deterministic.

A target of "." says that the service is not offered, and is believed. STARTTLS services are asked too, but a record of
``_submission`` on port 465 means implicit TLS, because that is the only thing that works there. Services beside mail
are passed on as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from ..address import parse_host
from ..errors import InputError
from ..model import (
    USERNAME_UNKNOWN,
    Candidate,
    Endpoint,
    Notice,
    Protocol,
    Security,
    Service,
    SourceReport,
)
from . import Found, Net, SRVRecord, Target, ask, evidence_in_dns, pointed, validated

NAME = "srv"


class MailService(NamedTuple):
    """A service label and what it stands for."""

    label: str
    protocol: Protocol
    security: Security


# More than anyone offers; the rest of an endless answer is not worth ranking.
MAX_RECORDS = 8

# Implicit TLS first: RFC 8314 §3.
SERVICES = (
    MailService("_imaps", Protocol.IMAP, Security.TLS),
    MailService("_imap", Protocol.IMAP, Security.STARTTLS),
    MailService("_pop3s", Protocol.POP3, Security.TLS),
    MailService("_pop3", Protocol.POP3, Security.STARTTLS),
    MailService("_submissions", Protocol.SMTP, Security.TLS),
    MailService("_submission", Protocol.SMTP, Security.STARTTLS),
)
# JMAP (RFC 8620 §2.2), CalDAV and CardDAV over TLS (RFC 6764 §3), ManageSieve (RFC 5804 §1.8).
OTHER_SERVICES = {"_jmap": "jmap", "_caldavs": "caldav", "_carddavs": "carddav", "_sieve": "managesieve"}


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report per service, all asked at once."""
    mail = (_ask_for_mail(service, target, net) for service in SERVICES)
    others = (_ask_for_other(label, target, net) for label in OTHER_SERVICES)
    return list(await asyncio.gather(*mail, *others))


async def _ask_for_mail(service: MailService, target: Target, net: Net) -> SourceReport:
    name = f"{service.label}._tcp.{target.address.domain}"

    async def question() -> Found:
        records = await net.srv(name)
        return interpret(service, name, records, target, records.validator)

    return await ask(NAME, name, question)


async def _ask_for_other(label: str, target: Target, net: Net) -> SourceReport:
    name = f"{label}._tcp.{target.address.domain}"

    async def question() -> Found:
        return interpret_other(OTHER_SERVICES[label], await net.srv(name))

    return await ask(NAME, name, question)


def interpret(
    service: MailService, name: str, records: list[SRVRecord], target: Target, validator: str | None = None
) -> Found:
    """The endpoints that the records of one mail service name, best first; ``validator`` as in ``Records``."""
    if is_declined(records):
        notice = Notice("not-offered", {"service": service.label, "protocol": service.protocol.upper()})
        return Found(code="srv.not_available", detail="target .", notices=(notice,))
    usable, invalid = in_order(records)
    candidates: list[Candidate] = []
    for record in usable:
        implicit = service.protocol is Protocol.SMTP and record.port == 465
        security = Security.TLS if implicit else service.security
        endpoint = Endpoint(service.protocol, record.host, record.port, security, USERNAME_UNKNOWN)
        evidence = evidence_in_dns(NAME, name, _words(record), validator)
        candidates.append(pointed(endpoint, evidence, target))
    if invalid and not usable:
        return Found(code="discover.invalid_values", detail=", ".join(invalid)[:200])
    detail = "; ".join(filter(None, (*map(_words, usable), validated(validator) if usable else "")))
    return Found(tuple(candidates), detail)


def interpret_other(service: str, records: list[SRVRecord]) -> Found:
    """Where the records of a service beside mail say that it is, best first."""
    if is_declined(records):
        return Found(code="srv.not_available", detail="target .")
    usable, invalid = in_order(records)
    if invalid and not usable:
        return Found(code="discover.invalid_values", detail=", ".join(invalid)[:200])
    services = tuple(Service(service, host=record.host, port=record.port, source=NAME) for record in usable)
    return Found(services=services, detail="; ".join(map(_words, usable)))


def is_declined(records: list[SRVRecord]) -> bool:
    """Whether the records say that the service is not offered; beside a real target, "." is a mistake."""
    return bool(records) and all(not record.host for record in records)


def in_order(records: Iterable[SRVRecord]) -> tuple[list[SRVRecord], list[str]]:
    """The records with valid host names in A-labels and ports, best first, and what the invalid ones name."""
    usable, invalid = [], []
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
        usable.append(record._replace(host=host))
    return usable, invalid


def _words(record: SRVRecord) -> str:
    return f"{record.priority} {record.weight} {record.port} {record.host}"
