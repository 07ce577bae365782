"""What another program publishes is found: automx2, a server of autoconfig and Autodiscover files.

It is not of our making, refuses whoever gives no address (status 400), and puts login names into its Autodiscover.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Authority, Lab
from lab.daemons import Service, running
from product import run
from relay import Relay

if importlib.util.find_spec("automx2") is None:
    pytest.skip("automx2 is not installed", allow_module_level=True)

DOMAIN = "automx.test"
AUTOCONFIG, AUTODISCOVER = f"autoconfig.{DOMAIN}", f"autodiscover.{DOMAIN}"
_HOST_NUMBER = 93  # last byte of an address that no server of the laboratory has
_SEED = {
    "version": 2,
    "provider": "Example Provider",
    "domains": [{"name": DOMAIN}],
    "servers": [
        {"name": "mail.example.test", "type": "imap", "port": 993},
        {"name": "mail.example.test", "type": "pop", "port": 995},
        {"name": "smtp.example.test", "type": "smtp", "port": 587},
    ],
}
EXPECTED = [
    ("imap", "mail.example.test", 993, "tls"),
    ("pop3", "mail.example.test", 995, "tls"),
    ("smtp", "smtp.example.test", 587, "starttls"),
]


@pytest.fixture(scope="module")
def address(lab: Lab, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address on which automx2 serves the domain over https."""
    folder = tmp_path_factory.mktemp("automx2")
    pair = authority.issue(AUTOCONFIG, AUTODISCOVER)
    (folder / "site.pem").write_bytes(pair.certificates)
    (folder / "site.key").write_bytes(pair.private_key)
    (folder / "automx2.conf").write_text(f"[automx2]\ndb_uri = sqlite:///{folder}/settings.db\n")
    address = f"{lab.network}.{_HOST_NUMBER}"
    with running([_service(folder, address)]):
        _seed(address, authority)
        yield address


def _service(folder: Path, address: str) -> Service:
    flask = (sys.executable, "-m", "flask", "--app", "automx2.server:app", "run", "--no-reload")
    place = ("--host", address, "--port", "443", "--cert", str(folder / "site.pem"), "--key", str(folder / "site.key"))
    configured = ("env", f"AUTOMX2_CONF={folder / 'automx2.conf'}")
    return Service((*configured, *flask, *place), folder / "log", ((address, 443),))


def _seed(address: str, authority: Authority) -> None:
    context = authority.client_context()
    context.check_hostname = False  # it is asked by its address
    connection = http.client.HTTPSConnection(address, context=context, timeout=10)
    connection.request("POST", "/initdb/", json.dumps(_SEED), {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    connection.close()


@pytest.mark.parametrize(("host", "source"), [(AUTOCONFIG, "autoconfig"), (AUTODISCOVER, "autodiscover")])
def test_settings_of_an_independent_server_are_found_with_their_form_of_login(
    lab: Lab, address: str, host: str, source: str
) -> None:
    with Relay(lab.nameserver, {(host, "A"): [address]}) as names:
        options = ["--nameserver", names.option, "--ca-file", str(lab.ca_file), "--allow-private"]
        finished = run("lookup", f"fred@{DOMAIN}", "--json", *options)
    assert (finished.code, finished.stderr) == (0, "")
    servers = finished.record["incoming"] + finished.record["outgoing"]
    assert [(s["protocol"], s["host"], s["port"], s["security"]) for s in servers] == EXPECTED
    assert {(s["username_form"], s["username"]) for s in servers} == {("address", f"fred@{DOMAIN}")}
    assert {(s["trusted"], s["verified"]) for s in servers} == {(True, True)}
    assert {e["source"] for s in servers for e in s["evidence"]} == {source}
