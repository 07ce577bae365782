"""The real program reads our file: its own parser, and the user names it would log in with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from accounts import ADDRESS, account, provider, server
from marionette import NEEDED, ScriptError, Thunderbird, thunderbird
from thunderbird_accounts import ENCRYPTED_PASSWORD, OAUTH2, ON_STARTTLS, ON_TLS, PASSWORD, WITHOUT_LOGIN

from mailsetup import clientconfig
from mailsetup.errors import ExportError
from mailsetup.exporters import thunderbird as exporter
from mailsetup.model import AccountServer, Authentication, Protocol, Security

PROVIDER = provider()._replace(name="Example Mail & <Co>")
pytestmark = NEEDED

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS

# What the program does with a file in its folder "isp", down to the login names.
READ = """
const load = name => ChromeUtils.importESModule(`resource:///modules/${name}.sys.mjs`);
const { readFromXML } = load("accountcreation/readFromXML");
const { AccountConfig } = load("accountcreation/AccountConfig");
const { JXON } = load("JXON");
const [text, address] = arguments;
const config = readFromXML(JXON.build(new DOMParser().parseFromString(text, "text/xml")), "disk");
AccountConfig.replaceVariables(config, "Any Name", address);
const days = server => server.type == "pop3" ? server.daysToLeaveMessagesOnServer : null;
const facts = server =>
  [server.type, server.hostname, server.port, server.socketType, server.auth, server.username, days(server)];
const incoming = [config.incoming, ...config.incomingAlternatives];
const outgoing = [config.outgoing, ...config.outgoingAlternatives];
return JSON.stringify({
  name: config.displayName,
  domains: config.domains,
  servers: [...incoming, ...outgoing].map(facts),
});
"""


class ReadServer(NamedTuple):
    """A server as the program understood it."""

    type: str
    host: str
    port: int
    socket_type: int
    method: int
    username: str | None
    days_on_server: int | None


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thunderbird]:
    with thunderbird(tmp_path_factory.mktemp("profile")) as session:
        yield session


def understand(program: Thunderbird, body: bytes) -> list[ReadServer]:
    config = json.loads(program.execute(READ, body.decode(), str(ADDRESS)))
    assert config["name"] == PROVIDER.name
    assert config["domains"] == ["example.com"]
    return [ReadServer(*facts) for facts in config["servers"]]


def export(program: Thunderbird, *incoming: AccountServer, outgoing: AccountServer | None = None) -> list[ReadServer]:
    source = account(*incoming, outgoing=(outgoing,) if outgoing else None, provider=PROVIDER)
    return understand(program, exporter.render(source).files[0].body)


@pytest.mark.proves("thunderbird", "parsed")
@pytest.mark.parametrize(("security", "socket_type"), [(TLS, ON_TLS), (STARTTLS, ON_STARTTLS)])
def test_every_protocol_arrives_with_its_encryption(program: Thunderbird, security: Security, socket_type: int) -> None:
    ours = [server(protocol, security) for protocol in (IMAP, POP3, SMTP)]
    imap, pop3, smtp = export(program, ours[0], ours[1], outgoing=ours[2])
    username = str(ADDRESS)
    ports = [server.endpoint.port for server in ours]
    assert imap == ("imap", "imap.example.com", ports[0], socket_type, PASSWORD, username, None)
    assert pop3 == ("pop3", "pop.example.com", ports[1], socket_type, PASSWORD, username, 3650)
    assert smtp == ("smtp", "smtp.example.com", ports[2], socket_type, PASSWORD, username, None)


@pytest.mark.proves("thunderbird", "characters")
@pytest.mark.parametrize(
    ("username", "form"),
    [
        ("zhang.wei", "local-part"),
        ("example.com\\zhang.wei", "%EMAILDOMAIN%\\%EMAILLOCALPART%"),
        ("10086", "address"),
        ('<b> & "x" 张伟 😀 100%', "address"),
    ],
)
def test_user_names_arrive_as_they_are_meant(program: Thunderbird, username: str, form: str) -> None:
    read = export(program, server(IMAP, username=username, username_form=form))
    assert [found.username for found in read] == [username, str(ADDRESS)]


@pytest.mark.parametrize("username", ["007", "0x1f", "1e5", "12345678901234567890", "TRUE", "x%REALNAME%"])
def test_the_user_names_we_refuse_would_be_changed(program: Thunderbird, username: str) -> None:
    with pytest.raises(ExportError):
        exporter.render(account(server(IMAP, username=username)))
    servers = [server(IMAP, username=username), server(SMTP)]
    body = clientconfig.render("example.com", PROVIDER.name, PROVIDER.name, ["example.com"], servers)
    assert understand(program, body)[0].username != username


@pytest.mark.parametrize("domain", exporter.OAUTH2_HOSTS)
@pytest.mark.parametrize("protocol", [IMAP, POP3])
def test_oauth2_is_used_at_every_host_we_believe_in(program: Thunderbird, domain: str, protocol: Protocol) -> None:
    host = domain if domain.count(".") > 1 else f"mail.{domain}"
    assert export(program, server(protocol, TLS, Authentication.OAUTH2, host=host))[0].method == OAUTH2


def test_oauth2_at_any_other_host_gives_way_to_the_password(program: Thunderbird) -> None:
    both = (Authentication.APP_PASSWORD, Authentication.OAUTH2)
    assert export(program, server(IMAP, TLS, *both))[0].method == PASSWORD
    assert export(program, server(IMAP, TLS, *both, host="imap.gmail.com"))[0].method == OAUTH2


@pytest.mark.parametrize(
    ("method", "number"),
    [(Authentication.NONE, WITHOUT_LOGIN), (Authentication.ENCRYPTED_PASSWORD, ENCRYPTED_PASSWORD)],
)
def test_other_logins_arrive(program: Thunderbird, method: Authentication, number: int) -> None:
    assert export(program, outgoing=server(SMTP, TLS, method))[1].method == number


def test_oauth2_alone_at_an_unknown_host_makes_a_file_it_refuses(program: Thunderbird) -> None:
    servers = [server(IMAP, TLS, Authentication.OAUTH2), server(SMTP)]
    body = clientconfig.render("example.com", "E", "E", ["example.com"], servers)
    with pytest.raises(ScriptError, match="OAuth2"):
        understand(program, body)
