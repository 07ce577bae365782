"""Outlook for Windows ("classic"): the answer of an Autodiscover service (POX, [MS-OXDSCLI]), for one person.

An element that is missing has a dangerous default: without SPA Outlook logs in with NTLM only. ``SSL`` is on in both
kinds of TLS and ``Encryption`` tells them apart: with ``SSL`` off other readers, such as Thunderbird, would use none.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from ..i18n import N_
from ..model import Account, AccountServer, Authentication, Endpoint, Protocol, Security, best_per_protocol
from . import PASSWORDS, Export, ExportFile, display_name, expressible, full_address, imap_id, method, refuse_unsafe

NAME = "outlook-autodiscover"
TITLE = N_("Outlook for Windows, classic (Autodiscover XML)")
FILES = ("*.xml",)
MEDIA_TYPE = "text/xml"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "rules"
WHERE = N_(
    "This is the answer for one address. Whoever runs the domain can let a server send it for requests (POST) to "
    "https://autodiscover.{domain}/autodiscover/autodiscover.xml; to put it on the computer itself, use --to "
    "outlook-registry. Then add the address in Outlook: it asks only for the password."
)

_ROOT_NAMESPACE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
# A Response without a namespace of its own is ignored.
_RESPONSE_NAMESPACE = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
_ENCRYPTION = {Security.TLS: "SSL", Security.STARTTLS: "TLS"}
_METHODS = (*PASSWORDS, Authentication.NTLM)
_ON, _OFF = "on", "off"


def render(account: Account) -> Export:
    """One file, named after the domain; raise ExportError (``export.*``) where Outlook could not connect with it."""
    full_address(account.address)
    incoming = expressible(account.incoming, _can_receive, "export.no_incoming")
    outgoing = expressible(account.outgoing, _can_send, "export.no_outgoing")
    root = ET.Element("Autodiscover", xmlns=_ROOT_NAMESPACE)
    response = ET.SubElement(root, "Response", xmlns=_RESPONSE_NAMESPACE)
    if name := display_name(account):
        ET.SubElement(ET.SubElement(response, "User"), "DisplayName").text = name
    settings = ET.SubElement(response, "Account")
    ET.SubElement(settings, "AccountType").text = "email"
    ET.SubElement(settings, "Action").text = "settings"
    for server in best_per_protocol((*incoming, *outgoing)):
        _add_protocol(settings, server, same_login=server.username == incoming[0].username)
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8")
    body = b'<?xml version="1.0" encoding="utf-8"?>\n' + xml + b"\n"
    return Export(
        (ExportFile(f"{account.address.domain}.xml", MEDIA_TYPE, body),), imap_id(account, incoming[0], "Outlook")
    )


def _add_protocol(settings: ET.Element, server: AccountServer, *, same_login: bool) -> None:
    endpoint = server.endpoint
    refuse_unsafe(username=server.username)
    authentication = method(endpoint, _can_send)
    login = authentication is not Authentication.NONE
    values = {
        "Type": endpoint.protocol.upper(),
        "Server": endpoint.host,
        "Port": str(endpoint.port),
        "LoginName": server.username,
        "DomainRequired": _OFF,
        "SPA": _ON if authentication is Authentication.NTLM else _OFF,
        "SSL": _ON,
        "Encryption": _ENCRYPTION[endpoint.security],
        "AuthRequired": _ON if login else _OFF,
    }
    if endpoint.protocol is Protocol.SMTP:
        values["UsePOPAuth"] = _ON if login and same_login else _OFF  # the login for incoming mail, IMAP as well
        values["SMTPLast"] = _OFF
    protocol = ET.SubElement(settings, "Protocol")
    for name, value in values.items():
        ET.SubElement(protocol, name).text = value


def _can_receive(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in _METHODS


def _can_send(_endpoint: Endpoint, method: Authentication) -> bool:
    return method is Authentication.NONE or method in _METHODS
