"""Thunderbird reads the Autodiscover answer, too: the servers and the encryption that it finds in it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from accounts import ADDRESS, account, server
from marionette import NEEDED, Thunderbird, thunderbird
from thunderbird_accounts import ON_STARTTLS, ON_TLS, PASSWORD, Server

from mailsetup.exporters import outlook_autodiscover
from mailsetup.model import Protocol, Security

pytestmark = NEEDED

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS

# The module keeps its reader to itself: a copy in the profile folder hands it out.
SOURCE = """
const { NetUtil } = ChromeUtils.importESModule("resource://gre/modules/NetUtil.sys.mjs");
const uri = "resource:///modules/accountcreation/ExchangeAutoDiscover.sys.mjs";
const stream = NetUtil.newChannel({ uri, loadUsingSystemPrincipal: true }).open();
return NetUtil.readInputStreamToString(stream, stream.available(), { charset: "UTF-8" });
"""
READ = """
const { JXON } = ChromeUtils.importESModule("resource:///modules/JXON.sys.mjs");
const folder = Services.dirsvc.get("ProfD", Ci.nsIFile);
Services.io.getProtocolHandler("resource").QueryInterface(Ci.nsIResProtocolHandler)
  .setSubstitution("of-a-test", Services.io.newFileURI(folder));
const { readAutoDiscoverXML } = ChromeUtils.importESModule("resource://of-a-test/reader.sys.mjs");
const config = readAutoDiscoverXML(JXON.build(new DOMParser().parseFromString(arguments[0], "text/xml")), "");
const facts = s => [s.type, s.hostname, s.port, s.socketType, s.auth, s.username];
const found = [config.incoming, ...config.incomingAlternatives, config.outgoing, ...config.outgoingAlternatives];
return JSON.stringify(found.map(facts));
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thunderbird]:
    profile = tmp_path_factory.mktemp("profile")
    with thunderbird(profile) as session:
        source = session.execute(SOURCE) + "\nexport { readAutoDiscoverXML };\n"
        (profile / "reader.sys.mjs").write_text(source, "utf-8")
        yield session


@pytest.mark.parametrize(("security", "socket_type"), [(TLS, ON_TLS), (STARTTLS, ON_STARTTLS)])
def test_every_server_arrives_with_its_encryption(program: Thunderbird, security: Security, socket_type: int) -> None:
    username = '<b> & "x" 张伟 😀 100%'
    ours = [server(protocol, security, username=username) for protocol in (IMAP, POP3, SMTP)]
    body = outlook_autodiscover.render(account(*ours[:2], outgoing=(ours[2],))).files[0].body
    found = [Server(*facts) for facts in json.loads(program.execute(READ, body.decode()))]
    assert found == [
        Server(each.protocol, each.host, each.port, socket_type, PASSWORD, username)
        for each in (server.endpoint for server in ours)
    ]


def test_without_ssl_it_would_use_no_encryption(program: Thunderbird) -> None:
    """Why SSL is on beside Encryption, against widespread advice."""
    body = outlook_autodiscover.render(account(server(IMAP, STARTTLS))).files[0].body.decode()
    widespread = body.replace("<SSL>on</SSL>", "<SSL>off</SSL>")
    incoming, _outgoing = (Server(*facts) for facts in json.loads(program.execute(READ, widespread)))
    assert incoming == Server("imap", "imap.example.com", 143, 0, PASSWORD, str(ADDRESS))
