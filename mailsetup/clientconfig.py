"""The autoconfig format (config-v1.1.xml), both directions: pure functions between bytes and records.

Follows draft-ietf-mailmaint-autoconfig and what Thunderbird's own reader accepts. Reading is lenient where the draft
asks for it (unknown elements are ignored, a broken server section costs only itself) and strict where a stranger's file
could do harm (see ``xmlfile``): bounded number of servers, host names and ports checked. Of services beside mail only
their place is read. Fetching, and its limit of 256 KiB, is the caller's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from .address import is_login_name, parse_host, parse_port, parse_url, printable
from .errors import InputError, InvalidConfig
from .model import (
    PLACEHOLDERS,
    USERNAME_ADDRESS,
    USERNAME_LOCAL_PART,
    USERNAME_UNKNOWN,
    AccountServer,
    Authentication,
    Endpoint,
    Protocol,
    Security,
    Service,
)
from .xmlfile import read, text_of

MEDIA_TYPE = "text/xml"  # Thunderbird reads anything but text/xml, application/xml and text/rdf as a mere string
MAX_SERVERS = 64
MAX_LABEL_CHARACTERS = 100  # no standard's limit; names of providers fit into a column

_PROTOCOLS = {
    ("incomingServer", "imap"): Protocol.IMAP,
    ("incomingServer", "pop3"): Protocol.POP3,
    ("outgoingServer", "smtp"): Protocol.SMTP,
}
# Services beside mail: in version 1.2 next to the provider, in older files inside it and with <addressBook>.
_SERVICES_BY_URL = {
    ("incomingserver", "jmap"): "jmap",
    ("calendar", "caldav"): "caldav",
    ("addressbook", "carddav"): "carddav",
    ("fileshare", "webdav"): "webdav",
}
_SERVICES_BY_HOST = {("setupserver", "managesieve"): "managesieve"}
_SECURITIES = {"SSL": Security.TLS, "STARTTLS": Security.STARTTLS, "plain": Security.PLAIN}
_SECURITY_WORDS = {security: word for word, security in _SECURITIES.items()}
_AUTHENTICATIONS = {
    "OAuth2": Authentication.OAUTH2,
    "password-cleartext": Authentication.PASSWORD,
    "plain": Authentication.PASSWORD,  # until Thunderbird 3.1
    "password-encrypted": Authentication.ENCRYPTED_PASSWORD,
    "secure": Authentication.ENCRYPTED_PASSWORD,  # until Thunderbird 3.1
    "GSSAPI": Authentication.KERBEROS,
    "NTLM": Authentication.NTLM,
    "none": Authentication.NONE,
    "client-IP-address": Authentication.NONE,
}
_AUTHENTICATION_WORDS = {
    Authentication.OAUTH2: "OAuth2",
    Authentication.PASSWORD: "password-cleartext",
    Authentication.APP_PASSWORD: "password-cleartext",
    Authentication.AUTH_CODE: "password-cleartext",
    Authentication.ENCRYPTED_PASSWORD: "password-encrypted",
    Authentication.KERBEROS: "GSSAPI",
    Authentication.NTLM: "NTLM",
    Authentication.NONE: "none",
}
_EMAIL_ADDRESS, _LOCAL_PART, _DOMAIN = PLACEHOLDERS
_PLACEHOLDER = re.compile("%[A-Z_]+%")
_USERNAME_FORMS = {
    _EMAIL_ADDRESS: USERNAME_ADDRESS,
    f"{_LOCAL_PART}@{_DOMAIN}": USERNAME_ADDRESS,
    _LOCAL_PART: USERNAME_LOCAL_PART,
}
# Thunderbird deletes mail from a POP3 server after 14 days unless told otherwise, and "never" cannot be said in the
# format. It counts in seconds, so the number must stay small enough for 32 bits.
_DAYS_TO_LEAVE_ON_SERVER = "3650"


class ClientConfig(NamedTuple):
    """What a configuration file says about mail."""

    provider_id: str
    display_name: str
    domains: tuple[str, ...]  # lower-case A-labels; names that are no host names are left out
    endpoints: tuple[Endpoint, ...]  # at least one, in document order, incoming and outgoing
    skipped: tuple[str, ...]  # "<type> <element>: <value>" of each server section that cannot be used
    covers_domain: bool  # whether the file is about the domain asked
    mx_domains: tuple[str, ...] = ()  # those of ``domains`` that stand for mail exchangers: purpose="mx"
    services: tuple[Service, ...] = ()  # without their source


class _UnusableError(Exception):
    """The element of a server section that makes it unusable, and its value."""


def parse(body: bytes, domain: str, locator_is_own: bool) -> ClientConfig:
    """Read the configuration file ``body``, found when ``domain`` (A-labels) was asked about.

    ``locator_is_own`` says that the domain's own server sent it: then a file that names no domain is about that one.
    Raise InvalidConfig: ``discover.not_autoconfig`` (something else, often an HTML page), ``xml.syntax``, ``xml.dtd``,
    ``xml.depth``, ``xml.encoding``, ``discover.empty`` (no mail servers), ``discover.invalid_values`` (none usable).
    """
    root = read(body, "clientConfig")
    provider = root.find("emailProvider")
    if provider is None:
        raise InvalidConfig("discover.empty")
    endpoints: list[Endpoint] = []
    skipped: list[str] = []
    sections = [element for element in provider if (element.tag, element.get("type", "").strip()) in _PROTOCOLS]
    for section in sections[:MAX_SERVERS]:
        try:
            endpoints.append(_endpoint(section, domain))
        except _UnusableError as unusable:
            name, value = unusable.args
            skipped.append(f"{section.get('type', '').strip()} {name}: {printable(value)[:80]}")
    if len(sections) > MAX_SERVERS:
        skipped.append(f"servers: {len(sections)} > {MAX_SERVERS}")
    if not sections:
        raise InvalidConfig("discover.empty")
    if not endpoints:
        raise InvalidConfig("discover.invalid_values", values="; ".join(skipped))
    domains, mx_domains, covers_domain = _domains(provider, domain, locator_is_own)
    return ClientConfig(
        _label(provider.get("id", "")),
        _label(provider.findtext("displayName", "")),
        domains,
        tuple(endpoints),
        tuple(skipped),
        covers_domain,
        mx_domains,
        tuple(_services([*root, *provider], domain)),
    )


def render(
    provider_id: str, display_name: str, short_name: str, domains: Sequence[str], servers: Iterable[AccountServer]
) -> bytes:
    """The file that tells clients about ``servers``; user names are templates (see ``username_template``).

    ``provider_id`` and ``domains`` are host names in A-labels; names are printable and not empty. The order of the
    servers is kept, incoming before outgoing. Clients take the first authentication they can do: OAuth2 is put first,
    because those that are not registered with the provider skip it, and the others would never get past a password.
    """
    root = ET.Element("clientConfig", version="1.1")
    provider = ET.SubElement(root, "emailProvider", id=provider_id)
    for domain in domains:
        ET.SubElement(provider, "domain").text = domain
    ET.SubElement(provider, "displayName").text = display_name
    ET.SubElement(provider, "displayShortName").text = short_name
    for endpoint, username in sorted(servers, key=lambda server: server.endpoint.protocol is Protocol.SMTP):
        element = "outgoingServer" if endpoint.protocol is Protocol.SMTP else "incomingServer"
        section = ET.SubElement(provider, element, type=endpoint.protocol)
        ET.SubElement(section, "hostname").text = endpoint.host
        ET.SubElement(section, "port").text = str(endpoint.port)
        ET.SubElement(section, "socketType").text = _SECURITY_WORDS[endpoint.security]
        for word in _authentication_words(endpoint.authentication):
            ET.SubElement(section, "authentication").text = word
        if username:
            ET.SubElement(section, "username").text = username
        if endpoint.protocol is Protocol.POP3:
            pop3 = ET.SubElement(section, "pop3")
            ET.SubElement(pop3, "leaveMessagesOnServer").text = "true"
            ET.SubElement(pop3, "daysToLeaveMessagesOnServer").text = _DAYS_TO_LEAVE_ON_SERVER
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + xml + b"\n"


def username_template(form: str) -> str:
    """A username form in the placeholders of the format; an unknown one becomes the address, the best first try."""
    if form == USERNAME_LOCAL_PART:
        return _LOCAL_PART
    return _EMAIL_ADDRESS if form in (USERNAME_ADDRESS, USERNAME_UNKNOWN) else form


def _endpoint(section: ET.Element, domain: str) -> Endpoint:
    username = text_of(section, "username")
    if not is_login_name(username):
        raise _UnusableError("username", username)
    return Endpoint(
        _PROTOCOLS[section.tag, section.get("type", "").strip()],
        _host(text_of(section, "hostname"), domain),
        _port(text_of(section, "port")),
        _security(section),
        _username_form(username),
        _authentication(section),
    )


def _host(text: str, domain: str) -> str:
    # A host name made of the local part would tell the DNS who is asking: it is not among the names parse_host accepts.
    try:
        return parse_host(text.replace(_DOMAIN, domain))
    except InputError:
        raise _UnusableError("hostname", text) from None


def _port(text: str) -> int:
    port = parse_port(text)
    if port is None:
        raise _UnusableError("port", text)
    return port


def _security(section: ET.Element) -> Security:
    """The first socketType that is understood: an element may be repeated for newer clients."""
    words = [_trimmed(element.text) for element in section.iterfind("socketType")]
    for word in words:
        if word in _SECURITIES:
            return _SECURITIES[word]
    raise _UnusableError("socketType", " ".join(words))


def _authentication(section: ET.Element) -> tuple[Authentication, ...]:
    """The methods in order of preference; those we know nothing about are left out."""
    words = (_trimmed(element.text) for element in section.iterfind("authentication"))
    return tuple(dict.fromkeys(_AUTHENTICATIONS[word] for word in words if word in _AUTHENTICATIONS))


def _username_form(text: str) -> str:
    if text in (USERNAME_ADDRESS, USERNAME_LOCAL_PART):
        return USERNAME_UNKNOWN  # a literal login name that only looks like one of our words
    if any(word not in PLACEHOLDERS for word in _PLACEHOLDER.findall(text)):
        return USERNAME_UNKNOWN  # made of something that clients ask for: %REALNAME%, or a key of an inputField
    return _USERNAME_FORMS.get(text, text or USERNAME_UNKNOWN)


def _services(elements: Iterable[ET.Element], domain: str) -> Iterator[Service]:
    """Where the services beside mail are; what cannot be used is left out."""
    kinds = ((element, (element.tag.lower(), element.get("type", "").strip())) for element in elements)
    known = [(e, kind) for e, kind in kinds if kind in _SERVICES_BY_URL or kind in _SERVICES_BY_HOST]
    for element, kind in known[:MAX_SERVERS]:
        if kind in _SERVICES_BY_URL:
            place = text_of(element, "url") or text_of(element, "serverURL")
            if (url := parse_url(place.replace(_DOMAIN, domain))) is not None:
                yield Service(_SERVICES_BY_URL[kind], url)
            continue
        try:
            if _security(element) is not Security.PLAIN:
                host, port = _host(text_of(element, "hostname"), domain), _port(text_of(element, "port"))
                yield Service(_SERVICES_BY_HOST[kind], host=host, port=port)
        except _UnusableError:
            continue  # services are an extra: one that makes no sense is not worth a word


def _domains(provider: ET.Element, domain: str, locator_is_own: bool) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """The domains the file is about, those of them that stand for mail exchangers, and whether it is about ``domain``.

    Servers that make the file for whoever asks write the placeholder, or nothing. That speaks for the domain asked only
    if it comes from the domain's own server.
    """
    names: dict[str, bool] = {}
    is_open = True
    for element in provider.iterfind("domain"):
        text = _trimmed(element.text)
        if text == _DOMAIN:
            continue
        is_open = False
        try:
            names[parse_host(text)] = element.get("purpose") == "mx"
        except InputError:
            continue  # it covers nothing that can be asked about
    exchangers = tuple(name for name, is_exchanger in names.items() if is_exchanger)
    return tuple(names), exchangers, domain in names or (is_open and locator_is_own)


def _authentication_words(methods: tuple[Authentication, ...]) -> tuple[str, ...]:
    """The words for ``methods``, OAuth2 first; clients refuse a server without any, so silence means a password."""
    oauth2_first = sorted(methods or (Authentication.PASSWORD,), key=lambda method: method is not Authentication.OAUTH2)
    return tuple(dict.fromkeys(_AUTHENTICATION_WORDS[method] for method in oauth2_first))


def _trimmed(text: str | None) -> str:
    return (text or "").strip()


def _label(text: str) -> str:
    """A text for people, without characters that could act on a terminal."""
    return "".join(character for character in text.strip() if character.isprintable())[:MAX_LABEL_CHARACTERS]
