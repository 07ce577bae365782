"""Each exported format read back by a reader of its own, strict where the real client is."""

from __future__ import annotations

import plistlib
import re
from typing import NamedTuple
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


READERS = {
    "thunderbird": read_thunderbird,
    "outlook": read_outlook,
    "apple": read_apple,
    "steps": read_steps,
}
