"""``mailsetup publish``, through the command line; what it writes is served by real servers and found by a lookup."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from pathlib import Path
from xml.etree import ElementTree as ET

import dns.resolver
import pytest

from domain_site import DOMAIN, Site, serving
from lab import Authority, Lab
from mailsetup import publishing, webserver
from product import run

SERVERS = (
    *("--imap", "mail.example.test", "--imap", "mail.example.test:143", "--pop3", "mail.example.test"),
    *("--smtp", "smtp.example.test", "--smtp", "smtp.example.test:587"),
)
EVERYTHING = [
    ("imap", "mail.example.test", 993, "tls"),
    ("imap", "mail.example.test", 143, "starttls"),
    ("pop3", "mail.example.test", 995, "tls"),
    ("smtp", "smtp.example.test", 465, "tls"),
    ("smtp", "smtp.example.test", 587, "starttls"),
]
RESPONSE = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"


def publish(folder: Path, *arguments: str, domain: str = DOMAIN) -> Path:
    """Run the command for ``domain`` and return the folder; it must succeed without data on standard output."""
    finished = run("publish", domain, *arguments, "-o", str(folder))
    assert (finished.code, finished.stdout) == (0, "")
    return folder


def endpoints_in(folder: Path) -> list[str]:
    """What the configuration file offers: "imap mail.example.test:993 SSL"."""
    provider = ET.parse(folder / webserver.AUTOCONFIG).find("emailProvider")
    assert provider is not None
    return [
        f"{server.get('type')} {server.findtext('hostname')}:{server.findtext('port')} {server.findtext('socketType')}"
        for server in provider
        if server.tag.endswith("Server")
    ]


@pytest.mark.parametrize(
    ("option", "server", "written"),
    [
        ("--imap", "mail.example.test", "imap mail.example.test:993 SSL"),
        ("--imap", "mail.example.test:993", "imap mail.example.test:993 SSL"),
        ("--imap", "mail.example.test:143", "imap mail.example.test:143 STARTTLS"),
        ("--imap", "imaps://mail.example.test:10993", "imap mail.example.test:10993 SSL"),
        ("--imap", "imap://mail.example.test:10143", "imap mail.example.test:10143 STARTTLS"),
        ("--imap", "MAIL.Example.Test", "imap mail.example.test:993 SSL"),
        ("--imap", "mail.例子.test", "imap mail.xn--fsqu00a.test:993 SSL"),
        ("--pop3", "mail.example.test", "pop3 mail.example.test:995 SSL"),
        ("--pop3", "mail.example.test:110", "pop3 mail.example.test:110 STARTTLS"),
        ("--smtp", "smtp.example.test", "smtp smtp.example.test:465 SSL"),
        ("--smtp", "smtp.example.test:587", "smtp smtp.example.test:587 STARTTLS"),
        ("--smtp", "smtp://smtp.example.test:2525", "smtp smtp.example.test:2525 STARTTLS"),
    ],
)
def test_the_port_or_the_scheme_decides_about_encryption(
    tmp_path: Path, option: str, server: str, written: str
) -> None:
    other = ("--imap", "other.example.test") if option == "--smtp" else ("--smtp", "other.example.test")
    assert written in endpoints_in(publish(tmp_path, option, server, *other))


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--discovered", *SERVERS),
        ("--imap", "mail.example.test"),
        ("--smtp", "smtp.example.test"),
        ("--imap", "mail.example.test:1993", "--smtp", "smtp.example.test"),
        ("--imap", "mail.example.test:994", "--smtp", "smtp.example.test"),
        ("--imap", "mail.example.test:465", "--smtp", "smtp.example.test"),
        ("--imap", "mail.example.test:", "--smtp", "smtp.example.test"),
        ("--imap", "pop3s://mail.example.test", "--smtp", "smtp.example.test"),
        ("--imap", "https://mail.example.test", "--smtp", "smtp.example.test"),
        ("--imap", "imaps://mail.example.test:0", "--smtp", "smtp.example.test"),
        ("--imap", "127.0.0.1", "--smtp", "smtp.example.test"),
        ("--imap", "imaps://[::1]:993", "--smtp", "smtp.example.test"),
        ("--imap", "localhost", "--smtp", "smtp.example.test"),
        ("--imap", "mail_1.example.test", "--smtp", "smtp.example.test"),
        ("--imap", "mail.example.test", "--smtp", "smtp.example.test:25"),
        ("--imap", "mail.example.test", "--smtp", "smtp://smtp.example.test:25"),
        (*SERVERS, "--web", "192.0.2.1"),
        (*SERVERS, "--name", "two\nlines"),
        (*SERVERS, "--username-form", "email"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_published_is_wrong_usage_and_writes_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    finished = run("publish", DOMAIN, *arguments, "-o", str(tmp_path))
    assert (finished.code, finished.stdout) == (2, "")
    assert re.fullmatch(r"mailsetup: error: [^\n]+\n", finished.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "domain", ["fred@example.test", "example", "a b.test", "127.0.0.1", "a." + "b." * 117 + "test"]
)
def test_what_is_no_domain_is_wrong_usage(tmp_path: Path, domain: str) -> None:
    finished = run("publish", domain, *SERVERS, "-o", str(tmp_path))
    assert finished.code == 2
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_written() -> None:
    assert run("publish", DOMAIN, *SERVERS).code == 2


def test_a_file_that_is_there_is_never_overwritten_unless_told_to(tmp_path: Path) -> None:
    existing = tmp_path / webserver.AUTODISCOVER
    existing.parent.mkdir()
    existing.write_text("mine")
    finished = run("publish", DOMAIN, *SERVERS, "-o", str(tmp_path))
    assert finished.code == 2
    assert str(existing) in finished.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [existing]
    assert existing.read_text() == "mine"
    publish(tmp_path, *SERVERS, "--force")
    assert "<Autodiscover" in existing.read_text()
    assert (tmp_path / publishing.README).exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finished = run("publish", DOMAIN, *SERVERS, "-o", str(tmp_path / "file"))
    assert (finished.code, finished.stderr.count("\n")) == (2, 1)


def test_every_file_that_is_written_is_named(tmp_path: Path) -> None:
    finished = run("publish", DOMAIN, *SERVERS, "-o", str(tmp_path))
    written = {str(path) for path in tmp_path.rglob("*") if path.is_file()}
    assert {line.removeprefix("wrote ") for line in finished.stderr.splitlines()} == written


def test_the_domain_is_the_name_where_none_is_given(tmp_path: Path) -> None:
    assert "<displayName>例子.test</displayName>" in (
        publish(tmp_path, *SERVERS, domain="例子.test") / webserver.AUTOCONFIG
    ).read_text("utf-8")


def test_a_server_that_is_named_twice_is_published_once(tmp_path: Path) -> None:
    folder = publish(tmp_path, *SERVERS, "--imap", "imaps://mail.example.test")
    assert endpoints_in(folder) == endpoints_in(publish(tmp_path, *SERVERS, "--force"))


# With real servers


def test_a_real_name_server_finds_no_fault_in_the_zone(lab: Lab, authority: Authority, tmp_path: Path) -> None:
    with serving(lab, authority, publish(tmp_path, *SERVERS)) as site:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [site.name_server]
        (digest,) = resolver.resolve("_ua-auto-config.example.test.", "TXT")
        (denied,) = resolver.resolve("_pop3._tcp.example.test.", "SRV")
        log = site.name_server_log.read_text()
    assert b"".join(digest.strings).decode() == publishing.digest((tmp_path / webserver.PACC).read_bytes())
    assert denied.to_text() == "0 0 0 ."
    assert f"[{DOMAIN}.] loaded, " in log
    # It checks a zone while it loads it.
    assert not re.search(rf" (warning|error): \[{re.escape(DOMAIN)}", log)


@pytest.mark.parametrize("domain", [DOMAIN, "例子.test"])
def test_a_lookup_finds_what_is_published_in_all_its_places(
    lab: Lab, authority: Authority, tmp_path: Path, domain: str
) -> None:
    ascii_domain = domain.encode("idna").decode()
    folder = publish(tmp_path, *SERVERS, domain=domain)
    with serving(lab, authority, folder, domain=ascii_domain) as site:
        finished = run("lookup", domain, "--json", "--explain", *site.network_options)
    record = finished.record
    assert finished.code == 0
    found = [(e["protocol"], e["host"], e["port"], e["security"]) for e in record["incoming"] + record["outgoing"]]
    assert found == EVERYTHING
    assert all(endpoint["verified"] for endpoint in record["incoming"][:1] + record["outgoing"][:1])
    assert {endpoint["username_form"] for endpoint in record["incoming"] + record["outgoing"]} == {"address"}
    # The one service that is not offered is denied under one name only, which is no reason to warn.
    assert record["warnings"] == []
    assert {evidence["source"] for evidence in record["incoming"][0]["evidence"]} >= {"autoconfig", "srv"}


class _At(http.client.HTTPSConnection):
    """A connection to one address, whatever the name resolves to elsewhere."""

    def __init__(self, site: Site, name: str) -> None:
        self._trust = ssl.create_default_context(cafile=site.ca_file)
        self._address = site.web_server
        super().__init__(name, context=self._trust, timeout=5)

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), 5)
        self.sock = self._trust.wrap_socket(plain, server_hostname=self.host)


def login_names(site: Site, about: str) -> set[str | None]:
    """The login names in the web server's answer to what Outlook asks about an address."""
    question = f"<Autodiscover><Request><EMailAddress>{about}</EMailAddress></Request></Autodiscover>".encode()
    connection = _At(site, f"autodiscover.{DOMAIN}")
    # In this spelling some versions of Outlook ask.
    connection.request("POST", "/Autodiscover/Autodiscover.xml", question, {"Content-Type": "text/xml; charset=utf-8"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/xml; charset=utf-8")
    return {element.text for element in ET.fromstring(body).iter(f"{RESPONSE}LoginName")}


@pytest.mark.parametrize(
    ("form", "placeholder", "login"),
    [("address", "%EMAILADDRESS%", "fred.o'neil@example.test"), ("local-part", "%EMAILLOCALPART%", "fred.o'neil")],
)
def test_the_example_for_nginx_puts_the_address_into_the_answer_for_outlook(
    lab: Lab, authority: Authority, tmp_path: Path, form: str, placeholder: str, login: str
) -> None:
    with serving(lab, authority, publish(tmp_path, *SERVERS, "--username-form", form)) as site:
        assert login_names(site, login.partition("@")[0] + "@example.test") == {login}
        assert login_names(site, " fred@EXAMPLE.test\n") == {"fred@EXAMPLE.test" if form == "address" else "fred"}
        # Neither strangers' domains nor what would be XML comes back.
        for about in ("fred@example.net", "fred@example.test.evil.net", "a&lt;b@example.test", ""):
            assert login_names(site, about) == {placeholder}


def test_the_example_for_nginx_serves_each_file_with_its_type(lab: Lab, authority: Authority, tmp_path: Path) -> None:
    folder = publish(tmp_path, *SERVERS)
    places = {
        f"autoconfig.{DOMAIN}/mail/config-v1.1.xml": (webserver.AUTOCONFIG, "text/xml; charset=utf-8"),
        f"autoconfig.{DOMAIN}/mail/config-v1.1.xml?emailaddress=fred%40{DOMAIN}": (
            webserver.AUTOCONFIG,
            "text/xml; charset=utf-8",
        ),
        f"autoconfig.{DOMAIN}/.well-known/autoconfig/mail/config-v1.1.xml": (
            webserver.AUTOCONFIG,
            "text/xml; charset=utf-8",
        ),
        f"ua-auto-config.{DOMAIN}/.well-known/user-agent-configuration.json": (webserver.PACC, "application/json"),
        f"autoconfig.{DOMAIN}/mail.mobileconfig": (publishing.PROFILE, "application/x-apple-aspen-config"),
    }
    with serving(lab, authority, folder) as site:
        for url, (path, media_type) in places.items():
            host, _, target = url.partition("/")
            connection = _At(site, host)
            connection.request("GET", f"/{target}")
            answer = connection.getresponse()
            assert (answer.read(), answer.getheader("Content-Type")) == ((folder / path).read_bytes(), media_type), url
            connection.close()


def test_what_a_lookup_finds_can_be_published(lab: Lab, tmp_path: Path) -> None:
    finished = run("publish", "srvonly.test", "--discovered", "-o", str(tmp_path), *lab.network_options)
    assert finished.code == 0
    assert endpoints_in(tmp_path) == [
        "imap mail.example.test:993 SSL",
        "imap mail.example.test:143 STARTTLS",
        "smtp smtp.example.test:465 SSL",
        "smtp smtp.example.test:587 STARTTLS",
    ]
    assert "%EMAILADDRESS%" in (tmp_path / webserver.AUTOCONFIG).read_text()


def test_the_login_can_be_corrected_when_publishing_what_was_found(lab: Lab, tmp_path: Path) -> None:
    arguments = ["--discovered", "--username-form", "local-part", "-o", str(tmp_path)]
    assert run("publish", "srvonly.test", *arguments, *lab.network_options).code == 0
    assert "%EMAILLOCALPART%" in (tmp_path / webserver.AUTOCONFIG).read_text()


@pytest.mark.parametrize(("domain", "code"), [("empty.test", 1), ("servfail.test", 3)])
def test_where_nothing_is_found_nothing_is_written(lab: Lab, tmp_path: Path, domain: str, code: int) -> None:
    finished = run("publish", domain, "--discovered", "-o", str(tmp_path), *lab.network_options)
    assert (finished.code, finished.stdout) == (code, "")
    assert domain in finished.stderr
    assert list(tmp_path.iterdir()) == []
