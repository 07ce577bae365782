"""Thunderbird's preferences: an account in their names, and files of them (prefs.js, user.js) as text, both ways.

A file is a list of statements such as ``user_pref("mail.smtpservers", "smtp1");``. Accounts, servers and identities are
numbered, and two lists name those that exist: whatever adds an account extends the lists. Pure functions; ``profiles``
reads and writes the files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from .errors import ExportError
from .model import AccountServer, Authentication, Protocol, Security

Value = str | int | bool
Preferences = dict[str, Value]

ACCOUNTS = "mail.accountmanager.accounts"
OUTGOING_SERVERS = "mail.smtpservers"
LISTS = (ACCOUNTS, OUTGOING_SERVERS)  # comma-separated keys: what is not named here does not exist
_CHOSEN = ("mail.accountmanager.defaultaccount", "mail.smtp.defaultserver")
_LAST_ACCOUNT = "mail.account.lastKey"  # the highest number that an account ever had

# nsMsgSocketType. 1, "TLS if available", sends passwords in clear text to whoever hides STARTTLS.
_SOCKET_TYPES = {Security.STARTTLS: 2, Security.TLS: 3}
# nsMsgAuthMethod
_METHODS = {
    Authentication.NONE: 1,
    Authentication.PASSWORD: 3,
    Authentication.APP_PASSWORD: 3,
    Authentication.AUTH_CODE: 3,
    Authentication.ENCRYPTED_PASSWORD: 4,
    Authentication.KERBEROS: 5,
    Authentication.NTLM: 6,
    Authentication.OAUTH2: 10,
}

# Comments come first, so that a statement inside one is none.
_STRING = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_STATEMENT = re.compile(
    rf"//[^\n]*|\#[^\n]*|/\*.*?\*/"
    rf"|user_pref\(\s*(?P<name>{_STRING})\s*,\s*(?P<value>{_STRING}|true|false|[+-]?[0-9]+)\s*\)\s*;",
    re.DOTALL,
)
_ESCAPE = re.compile(r"""\\(?:(["'\\nr])|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4}))""")
# The escapes of strings, for ``str.translate``. The reader does not know all those of JavaScript and JSON.
_ESCAPES = {code: f"\\x{code:02x}" for code in range(0x20)} | {ord('"'): '\\"', ord("\\"): "\\\\"}
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
# A key with its number, in the name of a preference ("mail.server.server2.type") or in a list ("account1,account2").
_KEY = re.compile(r"(?:\A|[.,]\s*)(account|server|id|smtp)([0-9]{1,9})(?=\s*[.,]|\Z)")


class Keys(NamedTuple):
    """What the parts of one account are called in the names of preferences."""

    account: str
    server: str
    identity: str
    smtp: str


def numbered(account: int, server: int, identity: int, smtp: int) -> Keys:
    """The keys that Thunderbird itself gives: a word and a number."""
    return Keys(f"account{account}", f"server{server}", f"id{identity}", f"smtp{smtp}")


class Login(NamedTuple):
    """A server and how to log in to it."""

    server: AccountServer
    method: Authentication


def of_account(keys: Keys, address: str, display_name: str, incoming: Login, outgoing: Login) -> Preferences:
    """An account that is the only one; the folders and identifiers that are missing are made by Thunderbird."""
    endpoint, username = incoming.server
    preferences: Preferences = {
        ACCOUNTS: keys.account,
        "mail.accountmanager.defaultaccount": keys.account,
        f"mail.account.{keys.account}.identities": keys.identity,
        f"mail.account.{keys.account}.server": keys.server,
        f"mail.identity.{keys.identity}.fullName": display_name,
        f"mail.identity.{keys.identity}.useremail": address,
        f"mail.identity.{keys.identity}.smtpServer": keys.smtp,
        f"mail.identity.{keys.identity}.valid": True,
        f"mail.server.{keys.server}.type": str(endpoint.protocol),
        f"mail.server.{keys.server}.hostname": endpoint.host,
        f"mail.server.{keys.server}.port": endpoint.port,
        f"mail.server.{keys.server}.socketType": _SOCKET_TYPES[endpoint.security],
        f"mail.server.{keys.server}.authMethod": _METHODS[incoming.method],
        f"mail.server.{keys.server}.userName": username,
        f"mail.server.{keys.server}.name": address,
        # As Thunderbird's own assistant has it; otherwise nothing is fetched before the user clicks on the account.
        f"mail.server.{keys.server}.login_at_startup": True,
        f"mail.server.{keys.server}.check_new_mail": True,
        OUTGOING_SERVERS: keys.smtp,
        "mail.smtp.defaultserver": keys.smtp,
        **_outgoing(f"mail.smtpserver.{keys.smtp}", outgoing),
    }
    if endpoint.protocol is Protocol.POP3:
        preferences[f"mail.server.{keys.server}.leave_on_server"] = True  # else what was fetched is deleted there
        preferences[f"mail.server.{keys.server}.download_on_biff"] = True  # else new mail is announced and not fetched
    return preferences


def _outgoing(branch: str, login: Login) -> Preferences:
    """The server that sends: its preferences have other names than those of a server that receives."""
    endpoint, username = login.server
    return {
        f"{branch}.hostname": endpoint.host,
        f"{branch}.port": endpoint.port,
        f"{branch}.try_ssl": _SOCKET_TYPES[endpoint.security],
        f"{branch}.authMethod": _METHODS[login.method],
        f"{branch}.username": username,
    }


def read(text: str) -> Preferences:
    """The preferences that a file sets; the last statement about a name counts, what is no statement is passed over."""
    return {
        _unquoted(statement["name"]): _value(statement["value"])
        for statement in _STATEMENT.finditer(text)
        if statement["name"]
    }


def changed(text: str, changes: Mapping[str, Value]) -> str:
    """``text`` with ``changes``: statements about these names replaced, the others added, everything else kept.

    Lines end as they do in ``text``.
    """
    missing = dict(changes)

    def replace(statement: re.Match[str]) -> str:
        name = _unquoted(statement["name"] or '""')  # a comment has none
        if name not in changes:
            return statement[0]
        missing.pop(name, None)
        return _statement(name, changes[name])

    replaced = _STATEMENT.sub(replace, text)
    newline = "\r\n" if "\r\n" in text else "\n"
    if replaced and not replaced.endswith("\n"):
        replaced += newline
    return replaced + "".join(_statement(name, value) + newline for name, value in missing.items())


def write(preferences: Mapping[str, Value]) -> str:
    """A file of statements."""
    return changed("", preferences)


def addition(current: Mapping[str, Value], make: Callable[[Keys], Preferences]) -> Preferences:
    """What changes in a profile with ``current`` when it gets the account that ``make`` describes; {} if it is there.

    Other accounts stay as they are, and so does which of them is the default. Raise ExportError
    (``export.other_settings``) if the profile has the address with other servers.
    """
    keys = _free_keys(current)
    wanted = make(keys)
    if _has(current, wanted, keys):
        return {}
    changes = dict(wanted)
    for name in LISTS:
        changes[name] = ",".join([*_keys(current, name), *_keys(wanted, name)])
    for name in _CHOSEN:
        if current.get(name):
            del changes[name]
    changes[_LAST_ACCOUNT] = int(keys.account.removeprefix("account"))
    return changes


def _has(current: Mapping[str, Value], wanted: Mapping[str, Value], new: Keys) -> bool:
    """Whether the account is there already; raise ExportError if its address is, with another server."""
    address = wanted[f"mail.identity.{new.identity}.useremail"]
    for account in _keys(current, ACCOUNTS):
        identities = _keys(current, f"mail.account.{account}.identities")
        # The first identity is the account's own; others are further addresses in the same mailbox.
        if not identities or _folded(current.get(f"mail.identity.{identities[0]}.useremail")) != _folded(address):
            continue
        server = str(current.get(f"mail.account.{account}.server"))
        if _receiving(current, server) != _receiving(wanted, new.server):
            host = str(current.get(f"mail.server.{server}.hostname"))
            raise ExportError("export.other_settings", address=str(address), host=host)
        return True
    return False


def _receiving(preferences: Mapping[str, Value], server: str) -> list[str]:
    """What a server for incoming mail is, for a comparison."""
    names = ("type", "hostname", "port", "socketType", "userName")
    return [_folded(preferences.get(f"mail.server.{server}.{name}")) for name in names]


def _free_keys(current: Mapping[str, Value]) -> Keys:
    """Keys with numbers above every one that ``current`` mentions: what an account left behind is not taken over."""
    highest = {"account": 0, "server": 0, "id": 0, "smtp": 0}
    for name, value in current.items():
        if name.startswith("mail."):
            for word, number in (*_KEY.findall(name), *_KEY.findall(str(value))):
                highest[word] = max(highest[word], int(number))
    last = current.get(_LAST_ACCOUNT)
    account = max(highest["account"], last if isinstance(last, int) else 0)
    return numbered(account + 1, highest["server"] + 1, highest["id"] + 1, highest["smtp"] + 1)


def _keys(preferences: Mapping[str, Value], name: str) -> list[str]:
    """A list of keys, without the empty ones."""
    return [key for word in str(preferences.get(name, "")).split(",") if (key := word.strip())]


def _folded(value: Value | None) -> str:
    return str(value).casefold()


def _statement(name: str, value: Value) -> str:
    word = _quoted(value) if isinstance(value, str) else str(value).lower()  # True is written "true"
    return f"user_pref({_quoted(name)}, {word});"


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _value(word: str) -> Value:
    if word[0] in "\"'":
        return _unquoted(word)
    return word == "true" if word in ("true", "false") else int(word)


def _unquoted(word: str) -> str:
    def character(escape: re.Match[str]) -> str:
        letter, two_digits, four_digits = escape.groups()
        return {"n": "\n", "r": "\r"}.get(letter, letter) if letter else chr(int(two_digits or four_digits, 16))

    text = _ESCAPE.sub(character, word[1:-1])
    # A character beyond the basic plane may have been written as two escapes.
    return _SURROGATE_PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
