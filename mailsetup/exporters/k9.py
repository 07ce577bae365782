"""K-9 Mail, and Thunderbird for Android: a settings file (.k9s) with one account.

Written as the app itself writes what it has read from a QR code: XML, every element without a default is there. The
UUID derives from the address. The app sends ID (RFC 2971) to IMAP servers.
"""

from __future__ import annotations

import uuid
from xml.etree import ElementTree as ET

from ..i18n import N_
from ..model import Account, AccountServer, Authentication, Protocol, Security
from . import Export, ExportFile, display_name, easiest_method, preferred
from .thunderbird_android import app_address, can_receive, can_send

NAME = "k9"
TITLE = N_("K-9 Mail and Thunderbird for Android (settings file)")
FILES = ("*.k9s",)
MEDIA_TYPE = "application/octet-stream"  # what the app gives its own files: there is no registered type
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "rules"
WHERE = N_(
    "Send the file to the phone. In K-9 Mail or Thunderbird: Settings, Import settings, and choose the file. Mark the "
    "account and import it; the app asks for the password, or opens the provider's login page, before it uses it."
)

# Words that later versions of the app still read: it brings older files up to date (Settings.VERSION).
_SETTINGS_VERSION = "99"
_FORMAT_VERSION = "1"
_SECURITY = {Security.STARTTLS: "STARTTLS_REQUIRED", Security.TLS: "SSL_TLS_REQUIRED"}
_METHODS = {
    Authentication.NONE: "NONE",
    Authentication.PASSWORD: "PLAIN",
    Authentication.APP_PASSWORD: "PLAIN",
    Authentication.AUTH_CODE: "PLAIN",
    Authentication.ENCRYPTED_PASSWORD: "CRAM_MD5",
    Authentication.OAUTH2: "XOAUTH2",
}
# What becomes of a message on the server when it is deleted on the phone: the app's own choices.
_DELETE_POLICY = {Protocol.IMAP: "DELETE", Protocol.POP3: "NEVER"}


def render(account: Account) -> Export:
    """One file, named after the domain; raise ExportError (``export.*``) where the app could not connect with it."""
    address = app_address(account)
    incoming, outgoing = preferred(account, can_receive, can_send)
    root = ET.Element("k9settings", version=_SETTINGS_VERSION, format=_FORMAT_VERSION)
    element = ET.SubElement(
        ET.SubElement(root, "accounts"), "account", uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{address}"))
    )
    ET.SubElement(element, "name").text = address
    policy = ET.SubElement(ET.SubElement(element, "settings"), "value", key="deletePolicy")
    policy.text = _DELETE_POLICY[incoming.endpoint.protocol]
    _add_server(element, "incoming-server", incoming)
    _add_server(element, "outgoing-server", outgoing)
    identity = ET.SubElement(ET.SubElement(element, "identities"), "identity")
    ET.SubElement(identity, "name").text = display_name(account)
    ET.SubElement(identity, "email").text = address
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8")
    body = b"<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\n" + xml + b"\n"
    return Export((ExportFile(f"{account.address.domain}.k9s", MEDIA_TYPE, body),))


def _add_server(account: ET.Element, name: str, server: AccountServer) -> None:
    endpoint = server.endpoint
    element = ET.SubElement(account, name, type=endpoint.protocol.upper())
    ET.SubElement(element, "host").text = endpoint.host
    ET.SubElement(element, "port").text = str(endpoint.port)
    ET.SubElement(element, "connection-security").text = _SECURITY[endpoint.security]
    ET.SubElement(element, "authentication-type").text = _METHODS[easiest_method(endpoint, can_send)]
    ET.SubElement(element, "username").text = server.username
