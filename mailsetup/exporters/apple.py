"""Apple Mail on iPhone, iPad and Mac: a configuration profile with one mail payload (com.apple.mail.managed).

Follows Apple's published schema. Identifiers and UUIDs derive from the address, so that installing a second profile for
it replaces the first instead of adding an account. A profile has one switch for TLS and none for STARTTLS: with it on,
the client upgrades on the STARTTLS ports. Not expressible: OAuth2.
"""

from __future__ import annotations

import plistlib
import uuid

from .. import text
from ..i18n import N_
from ..model import Account, AccountServer, Authentication, Endpoint, Protocol
from . import Export, ExportFile, display_name, full_address, imap_id, method, preferred

NAME = "apple"
TITLE = N_("Apple Mail on iPhone, iPad and Mac")
FILES = ("*.mobileconfig",)
MEDIA_TYPE = "application/x-apple-aspen-config"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "rules"
WHERE = N_(
    "Open the file on the device (send it by AirDrop, or put it on a web page). Then install it: on iPhone and iPad "
    "under Settings, General, VPN & Device Management; on a Mac under System Settings, General, Device Management. The "
    "device warns that the profile is not signed and asks for the password. Mail then lists the account."
)

_ACCOUNT_TYPES = {Protocol.IMAP: "EmailTypeIMAP", Protocol.POP3: "EmailTypePOP"}
_METHODS = {
    Authentication.PASSWORD: "EmailAuthPassword",
    Authentication.APP_PASSWORD: "EmailAuthPassword",
    Authentication.AUTH_CODE: "EmailAuthPassword",
    Authentication.ENCRYPTED_PASSWORD: "EmailAuthCRAMMD5",
    Authentication.NTLM: "EmailAuthNTLM",
    Authentication.NONE: "EmailAuthNone",
}


def render(account: Account) -> Export:
    """One file, named after the domain; raise ExportError (``export.*``) where the device could not connect with it."""
    address = full_address(account.address)
    incoming, outgoing = preferred(account, _can, _can)
    # Only its owner sees what the account is called: it may be in the owner's language.
    provider = text.provider_name(account.provider) if account.provider else account.address.domain
    identifier = f"mailsetup.{_uuid(address, 'identifier')}"
    payload: dict[str, object] = {
        "PayloadType": "com.apple.mail.managed",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{identifier}.mail",
        "PayloadUUID": _uuid(address, "mail"),
        "PayloadDisplayName": address,
        "EmailAccountType": _ACCOUNT_TYPES[incoming.endpoint.protocol],
        "EmailAccountDescription": provider,
        "EmailAddress": address,
        **_server("Incoming", incoming),
        **_server("Outgoing", outgoing),
    }
    if name := display_name(account):
        payload["EmailAccountName"] = name
    if method(outgoing.endpoint, _can) is not Authentication.NONE:
        payload["OutgoingPasswordSameAsIncomingPassword"] = True  # asked for once
    profile = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": _uuid(address, "profile"),
        "PayloadDisplayName": f"{provider}: {address}",
        "PayloadRemovalDisallowed": False,
        "PayloadContent": [payload],
    }
    body = plistlib.dumps(profile, sort_keys=True)
    return Export(
        (ExportFile(f"{account.address.domain}.mobileconfig", MEDIA_TYPE, body),),
        imap_id(account, incoming, "Apple Mail"),
    )


def _server(direction: str, server: AccountServer) -> dict[str, object]:
    endpoint, username = server
    keys: dict[str, object] = {
        f"{direction}MailServerHostName": endpoint.host,
        f"{direction}MailServerPortNumber": endpoint.port,
        f"{direction}MailServerUseSSL": True,  # absent means no TLS at all
        f"{direction}MailServerAuthentication": _METHODS[method(endpoint, _can)],
    }
    if username:
        keys[f"{direction}MailServerUsername"] = username
    return keys


def _can(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in _METHODS


def _uuid(address: str, part: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{address}#{part}")).upper()
