"""Outlook's Autodiscover in plain XML ("POX", [MS-OXDSCLI]): the question and what an answer says. Pure.

The format predates the words that clients use: it does not tell TLS from STARTTLS, so the port decides, and login names
come filled in for the address that was asked about.
"""

from __future__ import annotations

from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from .address import is_login_name, parse_host, parse_port, printable
from .errors import InputError, InvalidConfig
from .model import (
    USERNAME_ADDRESS,
    USERNAME_LOCAL_PART,
    USERNAME_UNKNOWN,
    Address,
    Authentication,
    Endpoint,
    Protocol,
    Security,
)
from .xmlfile import read, text_of

PATH = "/autodiscover/autodiscover.xml"
MAX_SERVERS = 64

_REQUEST = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
    "<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>"
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
    "</AcceptableResponseSchema></Request></Autodiscover>"
)
_PROTOCOLS = {"IMAP": Protocol.IMAP, "POP3": Protocol.POP3, "SMTP": Protocol.SMTP}
_TLS_PORTS = frozenset({"993", "995", "465"})
_STARTTLS_PORTS = frozenset({"143", "110", "587", "25"})
# Words of ours; as a login name they would be misread.
_FORMS = frozenset({USERNAME_ADDRESS, USERNAME_LOCAL_PART, USERNAME_UNKNOWN})


class Answer(NamedTuple):
    """What a server says: settings, or whom to ask instead."""

    endpoints: tuple[Endpoint, ...] = ()  # their ``username_form`` is the login name of whom the question was about
    skipped: tuple[str, ...] = ()  # "<type> <element>: <value>" of each server section that cannot be used
    address: str = ""  # ask about this address instead
    url: str = ""  # ask there instead


class _UnusableError(Exception):
    """The element of a server section that makes it unusable, and its value."""


def request(address: Address) -> bytes:
    """The question about ``address``, which has a local part."""
    return _REQUEST.format(address=escape(str(address))).encode()


def parse(body: bytes) -> Answer:
    """Read an answer; raise InvalidConfig: see ``xmlfile.read``, ``discover.empty``, ``discover.invalid_values``."""
    response = read(body, "Autodiscover").find("Response")
    account = None if response is None else response.find("Account")
    if response is None or account is None:
        error = None if response is None else response.find("Error")
        words = "" if error is None else f"{text_of(error, 'ErrorCode')} {text_of(error, 'Message')}".strip()
        raise InvalidConfig("discover.empty", error=printable(words)[:200])
    match text_of(account, "Action").lower():
        case "redirecturl":
            return Answer(url=text_of(account, "RedirectUrl"))
        case "redirectaddr":
            return Answer(address=text_of(account, "RedirectAddr"))
        case _:  # "settings", which some leave out
            pass
    sections = [section for section in account.iterfind("Protocol") if text_of(section, "Type").upper() in _PROTOCOLS]
    if not sections:
        others = sorted({text_of(section, "Type") for section in account.iterfind("Protocol")})
        raise InvalidConfig("discover.empty", types=printable(", ".join(filter(None, others)))[:200])
    endpoints: list[Endpoint] = []
    skipped: list[str] = []
    for section in sections[:MAX_SERVERS]:
        try:
            endpoints.append(_endpoint(section))
        except _UnusableError as unusable:
            name, value = unusable.args
            skipped.append(f"{text_of(section, 'Type')} {name}: {printable(value)[:80]}")
    if not endpoints:
        raise InvalidConfig("discover.invalid_values", values="; ".join(skipped))
    return Answer(tuple(endpoints), tuple(skipped))


def _endpoint(section: ET.Element) -> Endpoint:
    protocol = _PROTOCOLS[text_of(section, "Type").upper()]
    server, port, login = (text_of(section, name) for name in ("Server", "Port", "LoginName"))
    try:
        host = parse_host(server)
    except InputError:
        raise _UnusableError("Server", server) from None
    number = parse_port(port)
    if number is None:
        raise _UnusableError("Port", port)
    if not is_login_name(login):
        raise _UnusableError("LoginName", login)
    # A Windows domain would have to go before the name (DomainRequired), and nobody but the user knows it.
    named = login and login not in _FORMS and not _is_on(section, "DomainRequired")
    form = login if named else USERNAME_UNKNOWN
    return Endpoint(protocol, host, number, _security(section, port), form, _authentication(section, protocol))


def _security(section: ET.Element, port: str) -> Security:
    encryption = text_of(section, "Encryption").lower()  # overrides SSL, which is on unless it says off
    if encryption == "none" or (not encryption and text_of(section, "SSL").lower() == "off"):
        return Security.PLAIN
    if port in _TLS_PORTS:
        return Security.TLS
    return Security.STARTTLS if port in _STARTTLS_PORTS or encryption == "tls" else Security.TLS


def _authentication(section: ET.Element, protocol: Protocol) -> tuple[Authentication, ...]:
    if protocol is Protocol.SMTP and text_of(section, "AuthRequired").lower() == "off":
        return (Authentication.NONE,)
    # SPA, "secure password authentication", is Microsoft's word for NTLM. Left out it would mean "on", which hosters
    # without Exchange do not mean: then nothing is known.
    if _is_on(section, "SPA"):
        return (Authentication.NTLM,)
    return (Authentication.PASSWORD,) if text_of(section, "SPA") else ()


def _is_on(section: ET.Element, name: str) -> bool:
    return text_of(section, name).lower() == "on"
