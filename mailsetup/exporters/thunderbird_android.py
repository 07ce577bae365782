"""Thunderbird for Android, and K-9 Mail: the QR code that "Import settings" scans.

The content is a JSON array (``qr-code-format.md`` in the app's sources); everything beyond ASCII is escaped in it, so
that no scanner has to guess an encoding. The code is a picture (PNG, SVG) or drawn on a terminal.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import ExportError
from ..i18n import N_
from ..model import Account, AccountServer, Authentication, Endpoint, Protocol, Security
from . import (
    PASSWORDS,
    Export,
    ExportFile,
    display_name,
    easiest_method,
    full_address,
    preferred,
    refuse_non_ascii,
)

if TYPE_CHECKING:
    from segno import QRCode

NAME = "thunderbird-android"
TITLE = N_("Thunderbird for Android (QR code)")
FILES = ("*.json", "*.png", "*.svg")
MEDIA_TYPE = "application/json"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "rules"
WHERE = N_(
    "Show the code on a screen (in a terminal, or as a picture with -o {domain}.png or -o {domain}.svg). On the phone: "
    "Thunderbird, Settings, Import settings, Scan QR code; when it is first started, Import settings from Thunderbird. "
    "It shows the account before it adds it, and asks for the password or opens the provider's login page."
)

# Hosts at which these apps are registered for OAuth2, each exactly (OAuthConfigurationFactory in their sources).
OAUTH2_HOSTS = frozenset(
    {
        *("imap.gmail.com", "imap.googlemail.com", "smtp.gmail.com", "smtp.googlemail.com"),
        *("outlook.office365.com", "smtp.office365.com", "smtp-mail.outlook.com"),
        *("imap.mail.yahoo.com", "smtp.mail.yahoo.com", "imap.aol.com", "smtp.aol.com"),
        *("imap.fastmail.com", "smtp.fastmail.com", "mail.thundermail.com", "mail.tb.pro"),
    }
)

_FORMAT_VERSION = 1
_PART_1_OF_1 = [1, 1]
_INCOMING = {Protocol.IMAP: 0, Protocol.POP3: 1}
_SMTP = 0
_SECURITY = {Security.STARTTLS: 2, Security.TLS: 3}
_METHODS = {
    Authentication.NONE: 0,
    Authentication.PASSWORD: 1,
    Authentication.APP_PASSWORD: 1,
    Authentication.AUTH_CODE: 1,
    Authentication.ENCRYPTED_PASSWORD: 2,
    Authentication.OAUTH2: 6,
}

_QUIET_ZONE = 4  # modules, ISO/IEC 18004 §9.1
_PIXELS_PER_MODULE = 8
# Two modules on top of each other are one character; set is dark.
_HALF_BLOCKS = {(0, 0): " ", (1, 0): "\N{UPPER HALF BLOCK}", (0, 1): "\N{LOWER HALF BLOCK}", (1, 1): "\N{FULL BLOCK}"}


def render(account: Account) -> Export:
    """The content of the code and two pictures of it; raise ExportError (``export.*``) where the app refuses it."""
    import segno  # only a file of this format needs it

    address = app_address(account)
    incoming, outgoing = preferred(account, can_receive, can_send)
    payload = [
        _FORMAT_VERSION,
        _PART_1_OF_1,
        [_INCOMING[incoming.endpoint.protocol], *_server(incoming)],
        [[[_SMTP, *_server(outgoing)], [address, display_name(account)]]],
    ]
    body = json.dumps(payload, separators=(",", ":")).encode()
    code = segno.make(body, error="l", boost_error=False, micro=False, mode="byte")
    domain = account.address.domain
    return Export(
        (ExportFile(f"{domain}.json", MEDIA_TYPE, body),),
        forms=(
            ExportFile(f"{domain}.png", "image/png", _picture(code, "png")),
            ExportFile(f"{domain}.svg", "image/svg+xml", _picture(code, "svg")),
        ),
        drawing=tuple(_rows(code)),
    )


def can_receive(endpoint: Endpoint, method: Authentication) -> bool:
    """Whether Thunderbird for Android and K-9 Mail can log in to a server for incoming mail with ``method``."""
    if method is Authentication.OAUTH2:
        return endpoint.host in OAUTH2_HOSTS
    return method in (*PASSWORDS, Authentication.ENCRYPTED_PASSWORD)


def can_send(endpoint: Endpoint, method: Authentication) -> bool:
    """Whether they can log in to a server for outgoing mail with ``method``, which may be none."""
    return method is Authentication.NONE or can_receive(endpoint, method)


def app_address(account: Account) -> str:
    """The address of ``account``; raise ExportError for one that these apps take for no address.

    Their reader knows no quoted local parts and no UTF-8 in them (EmailAddressParserConfig.LIMITED).
    """
    address = full_address(account.address)
    refuse_non_ascii(address=address)
    if address.startswith('"'):
        raise ExportError("export.unsafe_value", field="address", value=address)
    return address


def _server(server: AccountServer) -> list[str | int]:
    endpoint = server.endpoint
    return [
        *(endpoint.host, endpoint.port),
        _SECURITY[endpoint.security],
        _METHODS[easiest_method(endpoint, can_send)],
        server.username,
    ]


def _picture(code: QRCode, kind: str) -> bytes:
    # The background is drawn, too: a dark page would leave a dark code on it.
    picture = io.BytesIO()
    code.save(picture, kind=kind, scale=_PIXELS_PER_MODULE, border=_QUIET_ZONE, dark="black", light="white")
    return picture.getvalue()


def _rows(code: QRCode) -> Iterator[str]:
    """The code in half blocks, one text per two rows of modules."""
    rows = [list(row) for row in code.matrix_iter(border=_QUIET_ZONE)]
    rows.append([0] * len(rows[0]))  # the number of rows is odd
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        yield "".join(_HALF_BLOCKS[int(bool(top)), int(bool(bottom))] for top, bottom in zip(upper, lower, strict=True))
