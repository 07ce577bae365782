"""Thunderbird: policies.json, with which administrators give an account to whoever uses a computer.

The same preferences as in a profile (see ``preferences``), as defaults: nothing is written into a profile, users can
change everything, and a profile that has accounts of its own keeps them. The keys are ones that Thunderbird gives to
nobody, because defaults for "server1" would fill the gaps in the server1 of such a profile.
"""

from __future__ import annotations

import json

from ..i18n import N_
from ..model import Account, Protocol
from ..preferences import Keys
from . import Export, ExportFile
from .thunderbird_profile import preferences

NAME = "thunderbird-policies"
TITLE = N_("Thunderbird on managed computers (policies.json)")
FILES = ("policies.json",)
MEDIA_TYPE = "application/json"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "client"
WHERE = N_(
    "With administrator rights, put the file into the folder “distribution” beside the Thunderbird program (on a Mac: "
    "Thunderbird.app/Contents/Resources/distribution; on Linux also /etc/thunderbird/policies), named {file}. If there "
    "is one already, merge the two. New profiles then have the account, others keep their own accounts. To check: "
    "Thunderbird shows what it read under about:policies."
)

_KEYS = Keys("mailsetup", "mailsetup", "mailsetup", "mailsetup")


def render(account: Account) -> Export:
    """One file; raise ExportError (``export.*``) where Thunderbird could not connect with it."""
    settings = {name: {"Value": value, "Status": "default"} for name, value in preferences(account, _KEYS).items()}
    body = json.dumps({"policies": {"Preferences": settings}}, ensure_ascii=False, indent=2) + "\n"
    return Export((ExportFile("policies.json", MEDIA_TYPE, body.encode()),))
