"""Thunderbird: user.js, which sets up an account in a new profile (see ``preferences``).

Thunderbird reads the file at every start, and the lists of accounts in it replace those of the profile. So it is for a
new profile, and to be deleted after the first start; ``profiles`` adds the account to a profile that has others.
"""

from __future__ import annotations

from ..i18n import N_
from ..model import Account, AccountServer, Authentication, Protocol
from ..preferences import Keys, Login, Preferences, numbered, of_account, write
from . import Can, Export, ExportFile, display_name, expressible, full_address, method, refuse_unsafe
from .thunderbird import can_receive, can_send

NAME = "thunderbird-profile"
TITLE = N_("Thunderbird, one account in a new or existing profile")
FILES = ("user.js",)
MEDIA_TYPE = "text/javascript; charset=utf-8"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "client"
WHERE = N_(
    "Only for a new profile: in one that has accounts they would disappear (there use --profile instead). Make the "
    "profile with `thunderbird -P`, put the file into its folder as {file}, start Thunderbird once, and delete the "
    "file. The account is in the folder list; Thunderbird asks for the password when it first connects."
)


def render(account: Account) -> Export:
    """One file; raise ExportError (``export.*``) where Thunderbird could not connect with it."""
    body = write(preferences(account, numbered(1, 1, 1, 1))).encode()
    return Export((ExportFile("user.js", MEDIA_TYPE, body),))


def preferences(account: Account, keys: Keys) -> Preferences:
    """The account by its preferred servers, as the only one of a profile; raise ExportError as ``render`` does."""
    address = full_address(account.address)
    incoming = expressible(account.incoming, can_receive, "export.no_incoming")[0]
    outgoing = expressible(account.outgoing, can_send, "export.no_outgoing")[0]
    refuse_unsafe(username=incoming.username, outgoing_username=outgoing.username)
    return of_account(keys, address, display_name(account), _login(incoming, can_receive), _login(outgoing, can_send))


def _login(server: AccountServer, can: Can) -> Login:
    """How Thunderbird logs in: in the browser wherever it can, because no password has to be made for that."""
    oauth2 = Authentication.OAUTH2
    if oauth2 in server.endpoint.authentication and can(server.endpoint, oauth2):
        return Login(server, oauth2)
    return Login(server, method(server.endpoint, can))
