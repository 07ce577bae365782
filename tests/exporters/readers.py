"""Each exported format read back by a reader of its own, strict where the real client is."""

from __future__ import annotations

import plistlib
import re
import tomllib
from configparser import RawConfigParser
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

from markdown_it import MarkdownIt

from mailsetup.model import PLACEHOLDERS, Address


class Setting(NamedTuple):
    """What a client knows about one server."""

    protocol: str
    host: str
    port: int
    security: str
    username: str


def read_thunderbird(body: bytes, address: Address) -> list[Setting]:
    settings = []
    for section in ET.fromstring(body).iterfind("emailProvider/*[hostname]"):
        assert section.tag == ("outgoingServer" if section.get("type") == "smtp" else "incomingServer")
        username = section.findtext("username", "")
        values = (str(address), address.local_part or "", address.domain)
        for placeholder, value in zip(PLACEHOLDERS, values, strict=True):
            username = username.replace(placeholder, value)
        settings.append(
            Setting(
                section.get("type", ""),
                section.findtext("hostname", ""),
                int(section.findtext("port", "")),
                {"SSL": "tls", "STARTTLS": "starttls"}[section.findtext("socketType", "")],
                username,
            )
        )
    return settings


def prf_sections(body: bytes) -> dict[str, dict[str, str]]:
    """The sections of a profile file; keys in the case they are written in, each at most once."""
    text = body.decode("gbk")
    assert text.endswith("\r\n")
    assert not re.search(r"\r(?!\n)|(?<!\r)\n", text)
    sections: dict[str, dict[str, str]] = {}
    properties: dict[str, str] = {}
    for line in text.split("\r\n"):
        if header := re.fullmatch(r"\[(.+)\]", line):
            assert header[1] not in sections
            properties = sections[header[1]] = {}
        elif line:
            key, separator, value = line.partition("=")
            assert separator
            assert re.fullmatch(r"[A-Za-z0-9]+", key)
            assert key not in properties
            properties[key] = value
    return sections


def read_outlook(body: bytes, _address: Address) -> list[Setting]:
    sections = prf_sections(body)
    kind = sections["Internet Account List"]["Account1"]
    prefix = sections[kind]["AccountType"]
    properties = sections["Account1"]
    assert properties[f"{prefix}UseSSL"] == "1"
    incoming = Setting(
        prefix.lower(),
        properties[f"{prefix}Server"],
        int(properties[f"{prefix}Port"]),
        "tls",
        properties[f"{prefix}UserName"],
    )
    outgoing = Setting(
        "smtp",
        properties["SMTPServer"],
        int(properties["SMTPPort"]),
        {"1": "tls", "2": "starttls"}[properties["SMTPSecureConnection"]],
        incoming.username if properties["SMTPAuthMethod"] == "0" else properties["SMTPUserName"],
    )
    return [incoming, outgoing]


def read_apple(body: bytes, _address: Address) -> list[Setting]:
    (payload,) = plistlib.loads(body)["PayloadContent"]
    settings = []
    for direction in ("Incoming", "Outgoing"):
        port = payload[f"{direction}MailServerPortNumber"]
        assert payload[f"{direction}MailServerUseSSL"] is True
        protocol = {"EmailTypeIMAP": "imap", "EmailTypePOP": "pop3"}[payload["EmailAccountType"]]
        settings.append(
            Setting(
                protocol if direction == "Incoming" else "smtp",
                payload[f"{direction}MailServerHostName"],
                port,
                "tls" if port in (993, 995, 465) else "starttls",
                payload[f"{direction}MailServerUsername"],
            )
        )
    return settings


class Page(NamedTuple):
    """What a Markdown text shows."""

    text: str
    links: list[str]
    html: list[str]
    table: list[list[str]]  # by column, the row titles first


def read_page(body: bytes) -> Page:
    text: list[str] = []
    links: list[str] = []
    html: list[str] = []
    rows: list[list[str]] = []
    in_cell = False
    for block in MarkdownIt("commonmark").enable("table").parse(body.decode()):
        if block.type == "tr_open":
            rows.append([])
        elif block.type == "html_block":
            html.append(block.content)
        elif block.type == "inline":
            children = block.children or []
            links += [str(token.attrs["href"]) for token in children if token.type == "link_open"]
            html += [token.content for token in children if token.type == "html_inline"]
            shown = "".join(token.content for token in children)
            text.append(shown)
            if in_cell:
                rows[-1].append(shown)
        in_cell = block.type in ("th_open", "td_open")
    return Page("\n".join(text), links, html, [list(column) for column in zip(*rows, strict=True)])


def read_steps(body: bytes, _address: Address) -> list[Setting]:
    titles, *columns = read_page(body).table
    assert titles == ["", "Server", "Port", "Encryption", "User name", "Log in with"]
    securities = {"SSL/TLS": "tls", "STARTTLS": "starttls"}
    return [
        Setting(re.sub(r".*\((.*)\)", r"\1", title).lower(), host, int(port), securities[encryption], username)
        for title, host, port, encryption, username, _login in columns
    ]


def keywords(body: bytes, separator: str = " ") -> dict[str, str]:
    """Lines of a keyword and a value, which may stand in double quotes; what is said twice is said last."""
    pairs = (line.strip().partition(separator) for line in body.decode().splitlines())
    return {key.strip(): value.strip().removeprefix('"').removesuffix('"') for key, _, value in pairs}


def read_msmtp(body: bytes, _address: Address) -> list[Setting]:
    found = keywords(body)
    assert (found["tls"], found["tls_trust_file"]) == ("on", "system")
    security = {"on": "starttls", "off": "tls"}[found["tls_starttls"]]
    return [Setting("smtp", found["host"], int(found["port"]), security, found["user"])]


def read_mbsync(body: bytes, _address: Address) -> list[Setting]:
    found = keywords(body)
    security = {"IMAPS": "tls", "STARTTLS": "starttls"}[found["SSLType"]]
    return [Setting("imap", found["Host"], int(found["Port"]), security, found["User"])]


def read_url(url: str) -> Setting:
    """A server by its URL; what does not end with "s" is meant for STARTTLS."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    protocol = {"imap": "imap", "pop": "pop3", "smtp": "smtp"}[parts.scheme.removesuffix("s")]
    security = "tls" if parts.scheme.endswith("s") else "starttls"
    return Setting(protocol, parts.hostname, parts.port, security, unquote(parts.username or ""))


def read_mutt(body: bytes, _address: Address) -> list[Setting]:
    found = keywords(body, "=")
    assert found["set ssl_force_tls"] == "yes"
    incoming = read_url(found.get("set folder") or found["set pop_host"])
    assert found.get("set imap_user", incoming.username) == incoming.username
    return [incoming, read_url(found["set smtp_url"])]


def read_fetchmail(body: bytes, _address: Address) -> list[Setting]:
    words = body.decode().splitlines()[1:]
    found = re.fullmatch(r'poll (\S+) protocol (\S+) service (\d+) +user "(.*?)" (.*) sslcertck keep', "".join(words))
    assert found
    host, protocol, port, username, security = found.groups()
    return [Setting(protocol, host, int(port), {"ssl": "tls"}.get(security, "starttls"), username)]


def ini_sections(body: bytes) -> RawConfigParser:
    """An INI file without interpolation."""
    parser = RawConfigParser()
    parser.read_string(body.decode())
    return parser


def read_getmail(body: bytes, _address: Address) -> list[Setting]:
    found = ini_sections(body)["retriever"]
    assert found["ca_certs"]
    protocol = {"SimpleIMAPSSLRetriever": "imap", "SimplePOP3SSLRetriever": "pop3"}[found["type"]]
    return [Setting(protocol, found["server"], int(found["port"]), "tls", found["username"])]


def read_offlineimap(body: bytes, _address: Address) -> list[Setting]:
    sections = ini_sections(body)
    name = sections[f"Account {sections['general']['accounts']}"]["remoterepository"]
    found = sections[f"Repository {name}"]
    assert (found["ssl"], found["sslcacertfile"]) == ("yes", "OS-DEFAULT")
    username = found["remoteuser"].replace("%%", "%")
    return [Setting("imap", found["remotehost"], int(found["remoteport"]), "tls", username)]


def read_aerc(body: bytes, _address: Address) -> list[Setting]:
    sections = ini_sections(body)
    (name,) = sections.sections()
    outgoing = read_url(sections[name]["outgoing"])
    assert sections[name].get("smtp-starttls", "no") == ("yes" if outgoing.security == "starttls" else "no")
    return [read_url(sections[name]["source"]), outgoing]


def read_himalaya(body: bytes, _address: Address) -> list[Setting]:
    (account,) = tomllib.loads(body.decode())["accounts"].values()
    settings = []
    for protocol in ("imap", "smtp"):
        found = account[protocol]
        setting = read_url(found["server"])
        assert found.get("starttls", False) == (setting.security == "starttls")
        settings.append(setting._replace(username=found["sasl"]["plain"]["username"]))
    return settings


READERS = {
    "thunderbird": read_thunderbird,
    "outlook": read_outlook,
    "apple": read_apple,
    "msmtp": read_msmtp,
    "mbsync": read_mbsync,
    "mutt": read_mutt,
    "fetchmail": read_fetchmail,
    "getmail": read_getmail,
    "offlineimap": read_offlineimap,
    "aerc": read_aerc,
    "himalaya": read_himalaya,
    "steps": read_steps,
}
