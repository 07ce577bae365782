"""Thunderbird: the autoconfig file of a domain (see ``clientconfig``).

The file is about the domain, not about one person: user names become placeholders wherever they can be computed from
the address, so that it can be put on a server for everybody. It can carry every protocol and both kinds of TLS.
"""

from __future__ import annotations

import re

from .. import clientconfig
from ..address import is_subdomain
from ..errors import ExportError
from ..i18n import N_
from ..model import PLACEHOLDERS, Account, AccountServer, Authentication, Endpoint, Notice, Protocol
from . import Export, ExportFile, display_name, expressible, refuse_unsafe

NAME = "thunderbird"
TITLE = N_("Thunderbird and other programs that read its autoconfig files")
FILES = ("*.xml",)
MEDIA_TYPE = clientconfig.MEDIA_TYPE
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = False
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "client"
WHERE = N_(
    "Put the file, named {file}, into the folder “isp” beside the Thunderbird program (administrator rights needed); "
    "whoever runs the domain can publish it as https://autoconfig.{domain}/mail/config-v1.1.xml instead. Then add the "
    "address as a new account: Thunderbird shows these servers without searching. On a Mac, and with Flatpak or Snap, "
    "that folder cannot be written to: follow the steps there (--to steps)."
)

# Hosts, and everything below them, at which Thunderbird 153 is registered for OAuth2. It skips the method at others.
OAUTH2_HOSTS = (
    *("gmail.com", "googlemail.com", "yahoo.com", "att.net", "aol.com", "office365.com", "outlook.com", "hotmail.com"),
    *("imap.mail.ru", "smtp.mail.ru", "imap.yandex.com", "smtp.yandex.com", "thundermail.com"),
    *("imap.fastmail.com", "pop.fastmail.com", "smtp.fastmail.com"),
    *("imap.comcast.net", "pop.comcast.net", "smtp.comcast.net"),
)
# Thunderbird turns text that JavaScript reads as a number or a truth value into one: "007" comes out as 7.
_READ_AS_NUMBER = re.compile(
    r"0[box][0-9a-f]+|[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|true|false", re.IGNORECASE
)
_READ_UNCHANGED = re.compile(r"0|[1-9][0-9]{0,14}|true|false")  # 15 digits fit into a double
_REPLACED = (*PLACEHOLDERS, "%REALNAME%")


def render(account: Account) -> Export:
    """One file, named after the domain; raise ExportError (``export.*``) where it would be refused or misread."""
    servers = (
        *expressible(account.incoming, can_receive, "export.no_incoming"),
        *expressible(account.outgoing, can_send, "export.no_outgoing"),
    )
    domain = account.address.domain
    name = account.provider.name if account.provider else domain
    body = clientconfig.render(
        domain, name, name, [domain], [server._replace(username=_username(server, account)) for server in servers]
    )
    person = display_name(account)
    notices = (Notice("export.no_display_name", {"name": person}),) if person else ()
    return Export((ExportFile(f"{domain}.xml", MEDIA_TYPE, body),), notices)


def can_receive(endpoint: Endpoint, method: Authentication) -> bool:
    """Whether Thunderbird can log in to a server for incoming mail with ``method``."""
    if method is Authentication.OAUTH2:
        return any(is_subdomain(endpoint.host, host) for host in OAUTH2_HOSTS)
    return method is not Authentication.NONE


def can_send(endpoint: Endpoint, method: Authentication) -> bool:
    """Whether Thunderbird can log in to a server for outgoing mail with ``method``, which may be none."""
    return method is Authentication.NONE or can_receive(endpoint, method)


def _username(server: AccountServer, account: Account) -> str:
    """The login name with placeholders if it is the usual one for the address, else as it is."""
    if server.username in ("", server.endpoint.username(account.address)):
        return clientconfig.username_template(server.endpoint.username_form)
    refuse_unsafe(username=server.username)
    is_misread = _READ_AS_NUMBER.fullmatch(server.username) and not _READ_UNCHANGED.fullmatch(server.username)
    if is_misread or any(placeholder in server.username for placeholder in _REPLACED):
        raise ExportError("export.username", username=server.username)
    return server.username
