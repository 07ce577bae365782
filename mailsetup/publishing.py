"""What a domain publishes so that mail clients find its servers: zone records and files, from one ``Offer``. Pure.

Everything is for all addresses of the domain: login names are placeholders that the client, or for Outlook the web
server, replaces. Clients that know no placeholders and no STARTTLS (PACC) get a file only where it would be true.
"""

from __future__ import annotations

import base64
import hashlib
import json
import plistlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from . import clientconfig, webserver, zonefile
from .errors import InputError
from .exporters import apple, outlook_autodiscover
from .i18n import N_, _
from .model import (
    PLACEHOLDERS,
    USERNAME_ADDRESS,
    USERNAME_UNKNOWN,
    Account,
    AccountServer,
    Address,
    Endpoint,
    Protocol,
    Security,
)
from .sources.srv import SERVICES
from .webserver import AUTOCONFIG, AUTODISCOVER, PACC
from .zonefile import Record, Section

PROFILE = "mail.mobileconfig"
ZONE = "records.zone"
NGINX, APACHE, README = "nginx.conf", "apache.conf", "README.txt"

_ADDRESS, _LOCAL_PART, _DOMAIN = PLACEHOLDERS
# The only ports of PACC clients: implicit TLS (draft-ietf-mailmaint-pacc).
_PACC_PORTS = {Protocol.IMAP: 993, Protocol.POP3: 995, Protocol.SMTP: 465}
# "submit" since the third draft, "smtp" before; readers of one ignore the other.
_PACC_KEYS = {Protocol.IMAP: ("imap",), Protocol.POP3: ("pop3",), Protocol.SMTP: ("submit", "smtp")}
_PACC_NAME_CHARACTERS, _PACC_SHORT_NAME_CHARACTERS = 60, 20
# RFC 6186 §3.4: a client that can do both takes the protocol with the lower priority.
_SRV_PRIORITIES = {Protocol.IMAP: 0, Protocol.POP3: 20, Protocol.SMTP: 0}
_STARTTLS_PENALTY = 10  # RFC 8314 §3: implicit TLS is preferred
_LONGEST_NAME = "_submissions._tcp."
MAX_DOMAIN_CHARACTERS = 253 - len(_LONGEST_NAME)
_RELAY_PORT = 25


class Offer(NamedTuple):
    """Where the mail of a domain is."""

    domain: Address  # without local part
    name: str  # what people call the service
    endpoints: tuple[Endpoint, ...]  # encrypted, for both directions, preferred first
    web: str  # the host of the web server that gets the files


class PublishedFile(NamedTuple):
    """A file to publish, or about publishing."""

    path: str  # below the folder, with slashes
    body: bytes


def offer(domain: Address, endpoints: Iterable[Endpoint], *, name: str = "", web: str = "") -> Offer:
    """What ``domain`` offers; without ``name`` and ``web`` they are the domain.

    Raise InputError (``input.*``) for what clients would refuse, and for what must not be published.
    """
    if len(domain.domain) > MAX_DOMAIN_CHARACTERS:
        raise InputError("input.domain_too_long", query=domain.domain_unicode, limit=str(MAX_DOMAIN_CHARACTERS))
    if not name.isprintable():
        raise InputError("input.bad_name")
    made = Offer(domain, name.strip() or domain.domain_unicode, tuple(endpoints), web or domain.domain)
    for endpoint in made.endpoints:
        server = f"{endpoint.host}:{endpoint.port}"
        if endpoint.security is Security.PLAIN:
            raise InputError("input.unencrypted", server=server)
        if endpoint.port == _RELAY_PORT:
            raise InputError("input.relay_port", server=server)
    directions = {endpoint.protocol is Protocol.SMTP for endpoint in made.endpoints}
    if directions != {True, False}:
        raise InputError("input.one_direction")
    return made


def render(offer: Offer) -> tuple[PublishedFile, ...]:
    """Every file, the zone first and the README last; the same for the same offer (and language, for the README).

    Raise ExportError (``export.*``) for a login that a file cannot express.
    """
    autodiscover = _autodiscover(offer)
    pacc = _pacc(offer)
    published = [
        PublishedFile(ZONE, _zone(offer, pacc)),
        PublishedFile(AUTOCONFIG, _autoconfig(offer)),
        PublishedFile(AUTODISCOVER, autodiscover),
        *([PublishedFile(PACC, pacc)] if pacc else []),
        PublishedFile(PROFILE, _profile(offer)),
        PublishedFile(NGINX, webserver.nginx(offer.domain, autodiscover, with_pacc=bool(pacc))),
        PublishedFile(APACHE, webserver.apache(offer.domain, with_pacc=bool(pacc))),
    ]
    readme = "\n".join(_readme(offer, has_pacc=bool(pacc))) + "\n"
    return (*published, PublishedFile(README, readme.encode()))


def digest(body: bytes) -> str:
    """The TXT record that vouches for the PACC document ``body``."""
    return f"v=UAAC1; a=sha256; d={base64.b64encode(hashlib.sha256(body).digest()).decode()}"


def _servers(offer: Offer) -> list[AccountServer]:
    """The endpoints with login names for everybody."""
    domain = offer.domain.domain
    return [
        AccountServer(endpoint, clientconfig.username_template(endpoint.username_form).replace(_DOMAIN, domain))
        for endpoint in offer.endpoints
    ]


def _account(offer: Offer) -> Account:
    """An account of nobody in particular, its address made of a placeholder."""
    servers = _servers(offer)
    return Account(
        offer.domain._replace(local_part=_LOCAL_PART),
        "",
        tuple(server for server in servers if server.endpoint.protocol is not Protocol.SMTP),
        tuple(server for server in servers if server.endpoint.protocol is Protocol.SMTP),
    )


def _autoconfig(offer: Offer) -> bytes:
    domain = offer.domain.domain
    return clientconfig.render(domain, offer.name, offer.name, [domain], _servers(offer))


def _autodiscover(offer: Offer) -> bytes:
    return outlook_autodiscover.render(_account(offer)).files[0].body


def _profile(offer: Offer) -> bytes:
    """A profile without a person: the device asks for the keys of the mail payload that are missing."""
    profile = plistlib.loads(apple.render(_account(offer)).files[0].body)
    (payload,) = profile["PayloadContent"]
    for key in ("EmailAddress", "IncomingMailServerUsername", "OutgoingMailServerUsername"):
        payload.pop(key, None)
    payload["EmailAccountDescription"] = payload["PayloadDisplayName"] = profile["PayloadDisplayName"] = offer.name
    return plistlib.dumps(profile, sort_keys=True)


def _pacc(offer: Offer) -> bytes:
    """The PACC document, or b"" where it would lead clients astray: they log in with the address, on fixed ports."""
    hosts: dict[Protocol, str] = {}
    for endpoint in offer.endpoints:
        fits = endpoint.security is Security.TLS and endpoint.port == _PACC_PORTS[endpoint.protocol]
        if fits and endpoint.username_form in (USERNAME_ADDRESS, USERNAME_UNKNOWN):
            hosts.setdefault(endpoint.protocol, endpoint.host)
    if Protocol.SMTP not in hosts or len(hosts) == 1:
        return b""
    document = {
        "protocols": {key: {"host": host} for protocol, host in hosts.items() for key in _PACC_KEYS[protocol]},
        "authentication": {"password": True},
        "info": {
            "provider": {
                "name": offer.name[:_PACC_NAME_CHARACTERS],
                "shortName": offer.name[:_PACC_SHORT_NAME_CHARACTERS].rstrip(),
            }
        },
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def _zone(offer: Offer, pacc: bytes) -> bytes:
    domain = offer.domain.domain
    offered = tuple(_offered(offer))
    denied = tuple(
        zonefile.srv(f"{service.label}._tcp", 0, 0, "")
        for service in SERVICES
        if not any(record.name == f"{service.label}._tcp" for record in offered)
    )
    names = ("autoconfig", "autodiscover", *(("ua-auto-config",) if pacc else ()))
    unicode_name = "" if offer.domain.domain_unicode == domain else f" ({offer.domain.domain_unicode})"
    return zonefile.render(
        domain,
        f"Mail settings of {domain}{unicode_name}: paste this into the zone, or include it.",
        [
            Section("Mail servers (RFC 6186, RFC 8314).", offered),
            Section('Services that are not offered: the target "." says so (RFC 2782, RFC 6186 section 3.4).', denied),
            Section(
                f"The web server with the files. If it is not {offer.web}, change the target, or write A and AAAA\n"
                "records. Its certificate must be valid for each of these names.",
                tuple(zonefile.cname(name, offer.web) for name in names),
            ),
            Section(
                "Digest of user-agent-configuration.json: write it anew whenever that file changes.",
                (zonefile.txt("_ua-auto-config", digest(pacc)),) if pacc else (),
            ),
            Section(
                "Where the configuration file is, for clients that look here. It stands beside other TXT records.",
                (zonefile.txt("@", f"mailconf=https://autoconfig.{domain}/mail/config-v1.1.xml"),),
            ),
        ],
    )


def _offered(offer: Offer) -> Iterator[Record]:
    """The SRV records of all endpoints; of several under one name the first has the lowest priority."""
    for service in SERVICES:
        matching = [e for e in offer.endpoints if (e.protocol, e.security) == (service.protocol, service.security)]
        first = _SRV_PRIORITIES[service.protocol]
        first += _STARTTLS_PENALTY if service.security is Security.STARTTLS else 0
        for position, endpoint in enumerate(matching):
            yield zonefile.srv(f"{service.label}._tcp", first + position, endpoint.port, endpoint.host)


_STEPS = (
    (ZONE, N_("DNS records: paste them into the zone of {domain}, and raise its serial number.")),
    (
        AUTOCONFIG,
        N_(
            "for Thunderbird and many others: publish it as https://autoconfig.{domain}/mail/config-v1.1.xml and, if "
            "you can, as https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml (type text/xml)."
        ),
    ),
    (
        AUTODISCOVER,
        N_(
            "for Outlook: publish it as https://autodiscover.{domain}/autodiscover/autodiscover.xml (type text/xml). "
            "Outlook asks with POST, and the web server must put the address asked about, or the part before its @, "
            "in the place of {placeholders}: nginx.conf does both."
        ),
    ),
    (
        PACC,
        N_(
            "for clients that follow the PACC draft: publish it as https://ua-auto-config.{domain}/.well-known/"
            "user-agent-configuration.json (type application/json), unchanged to the last byte: its digest is in DNS."
        ),
    ),
    (
        PROFILE,
        N_(
            "for iPhone, iPad and Mac: offer it as a download (type application/x-apple-aspen-config). The device asks "
            "for address, user name and password, and warns that the profile is not signed."
        ),
    ),
    (f"{NGINX}, {APACHE}", N_("examples for the web server: change the folder and the certificate in them.")),
)


def _readme(offer: Offer, *, has_pacc: bool) -> Iterator[str]:
    domain = offer.domain.domain
    yield _("How {domain} publishes its mail settings").format(domain=offer.domain.domain_unicode)
    yield ""
    used = {server.username for server in _servers(offer)}
    placeholders = " / ".join(word for word in (_ADDRESS, _LOCAL_PART) if any(word in name for name in used))
    for path, words in _STEPS:
        if path != PACC or has_pacc:
            yield f"{path}: " + _(words).format(domain=domain, placeholders=placeholders)
            yield ""
    if not has_pacc:
        yield _(
            "There is no file for clients that follow the PACC draft: they log in with the whole address, and only on "
            "ports 993, 995 and 465."
        )
        yield ""
    hosts = ", ".join(dict.fromkeys(endpoint.host for endpoint in offer.endpoints))
    yield _("Each mail server needs a certificate for the very name that is published: {hosts}").format(hosts=hosts)
    yield ""
    yield _("Afterwards `mailsetup audit {domain}` tells what clients get, and what is still wrong.").format(
        domain=domain
    )
