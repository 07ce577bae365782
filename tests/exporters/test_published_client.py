"""The real Thunderbird finds, over https, what ``mailsetup publish`` wrote, and does what an audit says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from marionette import NEEDED, Thunderbird, thunderbird
from thunderbird_accounts import ON_STARTTLS, ON_TLS, PASSWORD, Server, trust

from domain_site import DOMAIN, Edit, serving
from lab import Authority, Lab
from product import run

pytestmark = NEEDED

# The program's own search for a domain's file. Every name leads to the given address, and nothing is remembered of an
# earlier search.
FIND = """
const [domain, address, ip, done] = arguments;
const load = name => ChromeUtils.importESModule(`resource:///modules/accountcreation/${name}.sys.mjs`);
const { FetchConfig } = load("FetchConfig");
const { AccountConfig } = load("AccountConfig");
Services.prefs.setStringPref("network.dns.forceResolve", ip);
Services.cache2.clear();
const facts = s => [s.type, s.hostname, s.port, s.socketType, s.auth, s.username];
FetchConfig.fromISP(domain, address, new AbortController().signal).then(
  config => {
    AccountConfig.replaceVariables(config, "Any Name", address);
    const all = [config.incoming, ...config.incomingAlternatives, config.outgoing, ...config.outgoingAlternatives];
    done(JSON.stringify([config.subSource, all.map(facts)]));
  },
  error => done(JSON.stringify(["", []])),
);
"""
ADDRESS = f"fred@{DOMAIN}"
TYPE = "        default_type text/xml;\n        charset utf-8;\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Thunderbird]:
    with thunderbird(tmp_path_factory.mktemp("profile")) as session:
        trust(session, authority.ca_file)
        yield session


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    servers = ["--imap", "mail.example.test", "--pop3", "mail.example.test:110", "--smtp", "smtp.example.test:587"]
    assert run("publish", DOMAIN, *servers, "-o", str(folder)).code == 0
    return folder


def find(program: Thunderbird, lab: Lab, authority: Authority, published: Path, web: Edit) -> tuple[str, list[Server]]:
    """Where the program found settings ("" if nowhere), and which; asserts that the audit says the same."""
    with serving(lab, authority, published, web=web) as site:
        where, servers = json.loads(program.wait_for(FIND, DOMAIN, ADDRESS, site.web_server))
        view = run("audit", DOMAIN, "--json", "--no-verify", *site.network_options).record["clients"]["thunderbird"]
    found = [Server(*facts) for facts in servers]
    if found:
        told = [(e["host"], e["port"]) for e in view["incoming"] + view["outgoing"]]
        assert [(server.host, server.port) for server in found] == told
    return where, found


def test_what_was_published_is_found(program: Thunderbird, lab: Lab, authority: Authority, published: Path) -> None:
    assert find(program, lab, authority, published, str) == (
        "xml-from-isp-https",
        [
            Server("imap", "mail.example.test", 993, ON_TLS, PASSWORD, ADDRESS),
            Server("pop3", "mail.example.test", 110, ON_STARTTLS, PASSWORD, ADDRESS),
            Server("smtp", "smtp.example.test", 587, ON_STARTTLS, PASSWORD, ADDRESS),
        ],
    )


def test_a_file_of_another_type_is_not_read(
    program: Thunderbird, lab: Lab, authority: Authority, published: Path
) -> None:
    def untyped(text: str) -> str:
        assert TYPE in text
        return text.replace(TYPE, "        default_type application/octet-stream;\n")

    assert find(program, lab, authority, published, untyped) == ("", [])


def test_a_file_for_those_who_send_an_address_is_found(
    program: Thunderbird, lab: Lab, authority: Authority, published: Path
) -> None:
    def choosy(text: str) -> str:
        assert TYPE in text
        return text.replace(TYPE, TYPE + '        if ($arg_emailaddress = "") { return 400; }\n')

    _where, found = find(program, lab, authority, published, choosy)
    assert len(found) == 3
