"""Outlook for Windows ("classic"): an Autodiscover answer that it finds on the computer itself, through the registry.

Three files: two for the Registry Editor, which set this up and take it back, and the answer (``outlook_autodiscover``).
Registry files are UTF-16 with a byte order mark and CRLF. The answer belongs into a folder in which other users of the
computer cannot change it: whoever can sends the password to a server of their own.
"""

from __future__ import annotations

import codecs

from ..i18n import N_
from ..model import Account, Protocol
from . import Export, ExportFile, client_version, outlook_autodiscover

NAME = "outlook-registry"
TITLE = N_("Outlook for Windows, classic (Autodiscover through the registry)")
FILES = ("*.reg", "*-undo.reg", "*.xml")
MEDIA_TYPE = "application/octet-stream"  # there is no registered type, and the file must arrive unchanged
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = True
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ("2016", "2013", "2010", "2007")
APPEND = False
JUDGED_BY = "rules"
WHERE = N_(
    "On the Windows computer the three files belong into C:\\ProgramData\\mailsetup: write them there with -o, or make "
    "the folder and copy them. Double-click {file} and confirm. Then add the address in Outlook: it finds the servers "
    "and asks only for the password. It is about this one address. To take it back, double-click {domain}-undo.reg. "
    "Outlook 2013 and earlier need --client-version."
)

FOLDER = r"C:\ProgramData\mailsetup"  # a user may add files there, but not change those of others
_KEY = r"HKEY_CURRENT_USER\Software\Microsoft\Office\{}\Outlook\AutoDiscover"
_OFFICE_VERSIONS = {"2016": "16.0", "2013": "15.0", "2010": "14.0", "2007": "12.0"}  # 16.0 is 2016 to 365
_SWITCH = "PreferLocalXML"


def render(account: Account) -> Export:
    """Three files, named after the domain; raise ExportError (``export.*``) as ``outlook_autodiscover`` does."""
    answer = outlook_autodiscover.render(account)
    (xml,) = answer.files
    domain = account.address.domain
    key = _KEY.format(_OFFICE_VERSIONS[client_version(account, VERSIONS)])
    setting = _registry_file(key, {_SWITCH: "dword:00000001", domain: _quoted(rf"{FOLDER}\{xml.name}")})
    undoing = _registry_file(key, {_SWITCH: "-", domain: "-"})  # a dash deletes the value
    return Export(
        (
            ExportFile(f"{domain}.reg", MEDIA_TYPE, setting),
            ExportFile(f"{domain}-undo.reg", MEDIA_TYPE, undoing),
            xml,
        ),
        answer.notices,
    )


def _registry_file(key: str, values: dict[str, str]) -> bytes:
    """A file that sets ``values``, written as the Registry Editor reads them, below ``key``."""
    lines = [
        "Windows Registry Editor Version 5.00",
        "",
        f"[{key}]",
        *(f"{_quoted(name)}={value}" for name, value in values.items()),
        "",
    ]
    return codecs.BOM_UTF16_LE + "".join(f"{line}\r\n" for line in lines).encode("utf-16-le")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
