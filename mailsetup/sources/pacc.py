"""PACC: a JSON file of the domain over https, with its digest in DNS (draft-ietf-mailmaint-pacc).

The record is asked first: without one there is no such file, and most domains are spared the request. Servers speak
TLS from the first byte on the standard ports, and everybody logs in with the address: the format says no more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping

from ..address import parse_host, parse_url, printable
from ..errors import InputError, InvalidConfig
from ..model import (
    USERNAME_ADDRESS,
    Authentication,
    Candidate,
    Confidence,
    Endpoint,
    Evidence,
    Protocol,
    Security,
    Service,
    SourceReport,
)
from . import Found, Net, Page, Target, ask

NAME = "pacc"
_VERSION = "UAAC1"
# "smtp" is what draft 02 calls what draft 03 calls "submit".
_MAIL = {
    "imap": (Protocol.IMAP, 993),
    "pop3": (Protocol.POP3, 995),
    "submit": (Protocol.SMTP, 465),
    "smtp": (Protocol.SMTP, 465),
}
_SERVICES_BY_URL = ("jmap", "caldav", "carddav", "webdav")
_MANAGESIEVE_PORT = 4190  # RFC 5804 §1.8
_AUTHENTICATIONS = {"oauth-public": Authentication.OAUTH2, "password": Authentication.PASSWORD}


def url(domain: str) -> str:
    """Where the file is."""
    return f"https://ua-auto-config.{domain}/.well-known/user-agent-configuration.json"


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report for the one file."""
    domain = target.address.domain
    location = url(domain)

    async def question() -> Found:
        known = digests(await net.txt(f"_ua-auto-config.{domain}"))
        return interpret(await net.get(location), known) if known else Found()

    return [await ask(NAME, location, question)]


def digests(records: Iterable[str]) -> list[str]:
    """The SHA-256 digests in base64 of ``v=UAAC1; a=sha256; d=…``; several while the file is being changed."""
    found = []
    for record in records:
        parts = (part.partition("=") for part in record.split(";"))
        tags = {name.strip(): value.strip() for name, _, value in parts}
        if tags.get("v") == _VERSION and tags.get("a") == "sha256" and "d" in tags:
            found.append(tags["d"])
    return found


def interpret(page: Page, known: Iterable[str]) -> Found:
    """What the file says; raise InvalidConfig, ``pacc.digest_mismatch`` for a file that DNS does not vouch for."""
    digest = base64.b64encode(hashlib.sha256(page.body).digest())
    if not any(hmac.compare_digest(digest, text.encode()) for text in known):
        raise InvalidConfig("pacc.digest_mismatch", digest=digest.decode())
    try:
        document = json.loads(page.body)
    except (ValueError, RecursionError):
        raise InvalidConfig("discover.not_autoconfig") from None
    protocols = _object(_object(document).get("protocols"))
    if not protocols:
        raise InvalidConfig("discover.empty")
    skipped: list[str] = []
    endpoints = dict.fromkeys(_endpoints(protocols, _authentication(document), skipped))
    services = tuple(_services(protocols))
    if not endpoints and not services:
        code = "discover.invalid_values" if skipped else "discover.empty"
        raise InvalidConfig(code, values="; ".join(skipped))
    name = _object(_object(_object(document).get("info")).get("provider")).get("name")
    detail = " -> ".join(page.chain) if len(page.chain) > 1 else printable(name)[:60] if isinstance(name, str) else ""
    evidence = Evidence(NAME, page.chain[0], trusted=True, detail=detail)
    return Found(
        tuple(Candidate(endpoint, (evidence,), Confidence.HIGH) for endpoint in endpoints),
        "; ".join(filter(None, (detail, *skipped))),
        services=services,
    )


def _endpoints(
    protocols: Mapping[str, object], authentication: tuple[Authentication, ...], skipped: list[str]
) -> Iterator[Endpoint]:
    for key, (protocol, port) in _MAIL.items():
        if key in protocols:
            host = _host(protocols[key])
            if host is None:
                skipped.append(f"{key} host")
            else:
                yield Endpoint(protocol, host, port, Security.TLS, USERNAME_ADDRESS, authentication)


def _services(protocols: Mapping[str, object]) -> Iterator[Service]:
    for key in _SERVICES_BY_URL:
        place = _object(protocols.get(key)).get("url")
        if isinstance(place, str) and (checked := parse_url(place)) is not None:
            yield Service(key, checked, source=NAME)
    if (host := _host(protocols.get("managesieve"))) is not None:
        yield Service("managesieve", host=host, port=_MANAGESIEVE_PORT, source=NAME)


def _authentication(document: object) -> tuple[Authentication, ...]:
    offered = _object(_object(document).get("authentication"))
    return tuple(method for key, method in _AUTHENTICATIONS.items() if offered.get(key))


def _host(server: object) -> str | None:
    name = _object(server).get("host")
    try:
        return parse_host(name) if isinstance(name, str) else None
    except InputError:
        return None


def _object(value: object) -> Mapping[str, object]:
    """``value`` if it is a JSON object, else an empty one: what is not of the right shape counts as absent."""
    return value if isinstance(value, dict) else {}
