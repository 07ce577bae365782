"""Thunderbird: user.js, which sets up an account in a new profile (see ``preferences``).

Thunderbird reads the file at every start, and the lists of accounts in it replace those of the profile. So it is for a
new profile, and to be deleted after the first start; ``profiles`` adds the account to a profile that has others.
"""

from __future__ import annotations

from ..i18n import N_
from ..model import Account, Protocol
from ..preferences import Keys, Login, Preferences, numbered, of_account, write
from . import Export, ExportFile, display_name, easiest_method, full_address, preferred
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
    "file. The account is in the folder list; Thunderbird asks for the password, or opens the provider's login page."
)


def render(account: Account) -> Export:
    """One file; raise ExportError (``export.*``) where Thunderbird could not connect with it."""
    body = write(preferences(account, numbered(1, 1, 1, 1))).encode()
    return Export((ExportFile("user.js", MEDIA_TYPE, body),))


def preferences(account: Account, keys: Keys) -> Preferences:
    """The account by its preferred servers, as the only one of a profile; raise ExportError as ``render`` does."""
    address = full_address(account.address)
    incoming, outgoing = preferred(account, can_receive, can_send)
    return of_account(
        keys,
        address,
        display_name(account),
        Login(incoming, easiest_method(incoming.endpoint, can_receive)),
        Login(outgoing, easiest_method(outgoing.endpoint, can_send)),
    )
