"""``mailsetup audit``, through the command line, against the domains of the laboratory."""

from __future__ import annotations

import pytest

from documents import code, read
from lab import Lab
from lab.fakes import SilentUDP
from product import run

CLIENTS = ["thunderbird", "thunderbird-android", "outlook", "srv", "pacc"]


@pytest.mark.parametrize(
    ("domain", "code", "status"),
    [
        ("wellknown.test", 0, "found"),
        ("empty.test", 1, "nothing"),
        ("absent.test", 1, "nothing"),
        ("nullmx.test", 1, "nothing"),
        ("servfail.test", 3, "failed"),
        ("plainonly.test", 4, "found"),
        ("httponly.test", 4, "found"),
        ("badpacc.test", 4, "nothing"),
        ("wrongcert.test", 4, "found"),  # over http
        ("err500.test", 4, "nothing"),
    ],
)
def test_the_exit_code_tells_the_outcome(lab: Lab, domain: str, code: int, status: str) -> None:
    finished = run("audit", domain, "--json", *lab.network_options)
    assert (finished.code, finished.record["status"], finished.stderr) == (code, status, "")


def test_the_shape_of_a_record_is_the_contract(lab: Lab) -> None:
    record = run("audit", "plainonly.test", "--json", *lab.network_options).record
    assert list(record) == ["schema", "domain", "status", "findings", "clients", "elapsed_ms"]
    assert (record["schema"], record["domain"]) == (1, "plainonly.test")
    assert list(record["clients"]) == CLIENTS
    for finding in record["findings"]:
        assert list(finding) == ["severity", "code", "message", "remedy", "evidence"]
        assert finding["severity"] in ("error", "warning", "info")
        assert finding["code"].startswith("audit.")
        assert all(finding.values())
    view = record["clients"]["thunderbird"]
    assert list(view) == ["incoming", "outgoing"]
    (incoming,), (outgoing,) = view["incoming"], view["outgoing"]
    assert (incoming["protocol"], incoming["port"], incoming["security"]) == ("imap", 143, "plain")
    assert (outgoing["protocol"], outgoing["port"], outgoing["security"]) == ("smtp", 587, "plain")
    assert (incoming["username"], incoming["username_form"], incoming["verified"]) == (None, "address", None)
    assert record["clients"]["thunderbird-android"] is None


def test_an_internationalised_domain_is_named_in_both_forms(lab: Lab) -> None:
    record = run("audit", "例子.test", "--json", "--no-verify", *lab.network_options).record
    assert (record["domain"], record["domain_unicode"]) == ("xn--fsqu00a.test", "例子.test")
    assert [e["host"] for e in record["clients"]["srv"]["incoming"]] == ["mail.example.test"]


def test_the_servers_are_connected_to_unless_told_not_to(lab: Lab) -> None:
    proved, unproved = (
        run("audit", "example.test", "--json", *arguments, *lab.network_options).record["clients"]["srv"]["incoming"]
        for arguments in ((), ("--no-verify",))
    )
    assert {endpoint["verified"] for endpoint in proved} == {True}
    assert {endpoint["verified"] for endpoint in unproved} == {None}


def test_nobody_is_told_an_address_of_a_person(lab: Lab) -> None:
    with lab.web_requests() as asked:
        run("audit", "example.test", "--send-address", *lab.network_options)
    assert any("autoconfig.example.test" in request for request in asked)
    assert not [request for request in asked if "emailaddress=" in request and "emailaddress=u" not in request]


def test_a_public_database_is_nothing_that_the_domain_publishes(lab: Lab) -> None:
    with lab.web_requests() as asked:
        finished = run("audit", "listed.test", "--json", *lab.network_options)
    assert finished.record["status"] == "nothing"
    assert not [request for request in asked if "autoconfig.thunderbird.net" in request]


def test_a_pipe_gets_plain_lines(lab: Lab) -> None:
    finished = run("audit", "srvonly.test", *lab.network_options)
    lines = finished.stdout.splitlines()
    assert finished.code == 0
    assert lines[0].startswith("srvonly.test – errors: 0, warnings: ")
    assert any(line.split() == ["Thunderbird", "nothing"] for line in lines)
    assert any(line.endswith("IMAP mail.example.test:993 SSL/TLS") for line in lines)
    assert any(line.startswith("  Apple Mail ") and "profile to hand out" in line for line in lines)
    assert any(line.startswith("WARNING  srvonly.test publishes no configuration file") for line in lines)
    assert "  -> `mailsetup publish srvonly.test` writes the file, and says where it goes." in lines
    assert "\x1b" not in finished.stdout


def test_a_server_that_failed_is_marked_in_what_clients_get(lab: Lab) -> None:
    finished = run("audit", "stalled.test", "--timeout", "3", *lab.network_options)
    assert finished.code == 4
    assert "IMAP silent.example.test:993 SSL/TLS (connection failed)" in finished.stdout


def test_where_nothing_could_be_asked_nothing_is_said_about_clients(lab: Lab) -> None:
    assert "Thunderbird" in run("audit", "empty.test", *lab.network_options).stdout
    assert "Thunderbird" not in run("audit", "servfail.test", *lab.network_options).stdout


def test_silent_dns_ends_at_the_deadline(lab: Lab) -> None:
    with SilentUDP() as server:
        finished = run(
            "audit", "example.test", "--json", "--timeout", "1", "--nameserver", f"{server.host}:{server.port}"
        )
    assert (finished.code, finished.record["status"]) == (3, "failed")
    assert finished.record["elapsed_ms"] < 2500


def test_the_json_document_gives_every_key_in_order(lab: Lab) -> None:
    def keys(title: str) -> list[str]:
        (table,) = read("docs/json.md").section(title).tables
        return [code(row[0])[0] for row in table]

    record = run("audit", "例子.test", "--json", "--no-verify", *lab.network_options).record
    assert list(record) == keys("audit")
    assert list(record["findings"][0]) == keys("Finding")


@pytest.mark.parametrize("arguments", [(), ("fred@example.test",), ("example",), ("a.test", "b.test"), ("a b.test",)])
def test_what_is_no_single_domain_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    finished = run("audit", *arguments)
    assert (finished.code, finished.stdout, finished.stderr.count("\n")) == (2, "", 1)
