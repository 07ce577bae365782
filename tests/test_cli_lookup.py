"""``mailsetup lookup``, through the command line, against real name and web servers and without any network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clock import Stopwatch
from lab import Lab
from lab.fakes import SilentUDP
from mailsetup import __version__, api, i18n
from mailsetup.text import cells
from names import Hijacker, NameServer
from product import Finished, run
from terminal import posix, session

REPOSITORY = Path(__file__).parent.parent
IMAP = ("imap", "mail.example.test", 993, "tls")
IMAP_STARTTLS = ("imap", "mail.example.test", 143, "starttls")
POP3 = ("pop3", "mail.example.test", 995, "tls")
SMTP = ("smtp", "smtp.example.test", 465, "tls")
SMTP_STARTTLS = ("smtp", "smtp.example.test", 587, "starttls")
EVERYTHING = [IMAP, IMAP_STARTTLS, POP3, SMTP, SMTP_STARTTLS]


def look_up(lab: Lab, *arguments: str) -> Finished:
    """``mailsetup lookup --json`` in the laboratory."""
    return run("lookup", *arguments, "--json", *lab.network_options)


def endpoints(record: Any) -> list[tuple[str, str, int, str]]:
    """The recommended settings, best first."""
    return [(e["protocol"], e["host"], e["port"], e["security"]) for e in record["incoming"] + record["outgoing"]]


def codes(record: Any) -> set[str]:
    """The codes of the warnings."""
    return {warning["code"] for warning in record["warnings"]}


def source(record: Any, name: str) -> Any:
    """The line of the ledger for the one locator of a source."""
    (line,) = [line for line in record["sources"] if line["source"] == name]
    return line


@pytest.mark.parametrize(
    ("domain", "expected", "warnings"),
    [
        ("example.test", EVERYTHING, set()),
        ("srvonly.test", [IMAP, IMAP_STARTTLS, SMTP, SMTP_STARTTLS], {"untrusted", "cross-domain", "not-offered"}),
        ("autoconf.test", EVERYTHING, set()),
        ("wellknown.test", [IMAP, SMTP], set()),
        ("listed.test", [IMAP, POP3, SMTP], set()),
        ("redirect.test", [IMAP, SMTP], set()),
        ("foreign.test", [IMAP, SMTP], set()),
        ("crossdomain.test", [IMAP, SMTP], {"untrusted", "cross-domain"}),
        ("conflict.test", [("imap", "imap.guess.test", 993, "tls"), SMTP], {"conflict"}),
        ("例子.test", [IMAP, SMTP], {"untrusted", "cross-domain"}),
        ("pacc.test", [IMAP, POP3, SMTP], set()),
        ("mailconf.test", [IMAP, SMTP], {"untrusted", "cross-domain"}),
        ("outlook.test", [IMAP, SMTP_STARTTLS], set()),
        ("outlooksrv.test", [IMAP, SMTP_STARTTLS], {"untrusted", "cross-domain"}),
        ("customer.test", [IMAP, SMTP_STARTTLS], {"untrusted", "cross-domain"}),
        ("mxlisted.test", [IMAP, POP3, SMTP], {"untrusted"}),
        ("services.test", [IMAP, SMTP], {"untrusted", "cross-domain"}),
    ],
)
def test_what_a_domain_publishes_is_found(
    lab: Lab, domain: str, expected: list[tuple[str, str, int, str]], warnings: set[str]
) -> None:
    finished = look_up(lab, domain, "--no-verify")
    assert (finished.code, finished.stderr) == (0, "")
    assert finished.record["status"] == "found"
    assert endpoints(finished.record) == expected
    assert codes(finished.record) == warnings


def test_of_many_servers_the_first_are_recommended_by_priority_then_weight(lab: Lab) -> None:
    record = look_up(lab, "manysrv.test", "--no-verify").record
    imap = [(e["host"], e["port"]) for e in record["incoming"]]
    assert imap[:3] == [("imap.guess.test", 993), ("mail.example.test", 993), ("silent.example.test", 993)]
    assert len(imap) < 10  # of 63


@pytest.mark.parametrize(
    ("domain", "code", "status", "failed", "warnings"),
    [
        ("empty.test", 1, "nothing", {}, set()),
        ("unknown.test", 1, "nothing", {}, {"no-such-domain"}),
        ("nullmx.test", 1, "nothing", {}, {"null-mx"}),
        ("plainonly.test", 1, "nothing", {}, {"plaintext"}),
        ("html.test", 1, "nothing", {}, set()),
        ("wildcard.test", 1, "nothing", {}, {"wildcard-dns"}),
        ("httponly.test", 1, "nothing", {}, set()),
        ("misguess.test", 1, "nothing", {}, set()),
        ("declined.test", 1, "nothing", {}, {"not-offered"}),
        ("stranger.test", 1, "nothing", {}, set()),
        ("badpacc.test", 3, "failed", {"pacc": "pacc.digest_mismatch"}, set()),
        ("badxml.test", 3, "failed", {"autoconfig": "xml.syntax"}, set()),
        ("dtd.test", 3, "failed", {"autoconfig": "xml.dtd"}, set()),
        ("huge.test", 3, "failed", {"autoconfig": "http.too_large"}, set()),
        ("downgrade.test", 3, "failed", {"autoconfig": "http.downgrade"}, set()),
        ("circle.test", 3, "failed", {"autoconfig": "http.redirect_loop"}, set()),
        ("err500.test", 3, "failed", {"autoconfig": "http.status"}, set()),
        ("wrongcert.test", 3, "failed", {"autoconfig": "http.certificate"}, set()),
        (
            "servfail.test",
            3,
            "failed",
            dict.fromkeys(
                ("autoconfig", "well-known", "pacc", "autodiscover", "mx", "srv", "dns", "mailconf"),
                "dns.servfail",
            ),
            set(),
        ),
    ],
)
def test_nothing_and_could_not_ask_are_told_apart(
    lab: Lab, domain: str, code: int, status: str, failed: dict[str, str], warnings: set[str]
) -> None:
    finished = look_up(lab, f"fred@{domain}")
    record = finished.record
    assert (finished.code, record["status"], endpoints(record)) == (code, status, [])
    assert {line["source"]: line["code"] for line in record["sources"] if line["status"] == "failed"} == failed
    assert codes(record) == warnings


def test_the_ledger_of_an_error_page_gives_its_status(lab: Lab) -> None:
    assert "500" in source(look_up(lab, "err500.test").record, "autoconfig")["detail"]


def test_a_hosted_domain_is_recognised_by_its_mail_exchangers(lab: Lab) -> None:
    record = look_up(lab, "boss@hosted.test", "--no-verify").record
    assert record["provider"]["id"] == "exmail"
    assert endpoints(record)[0] == ("imap", "imap.exmail.qq.com", 993, "tls")
    assert source(record, "mx")["detail"] == "mxbiz1.qq.com -> exmail"
    assert {"untrusted", "service-must-be-enabled"} <= codes(record)
    assert record["incoming"][0]["trusted"] is False


def test_servers_under_names_that_one_would_guess_are_found_by_trying_them(lab: Lab) -> None:
    record = look_up(lab, "fred@guess.test").record
    assert endpoints(record) == [
        ("imap", "imap.guess.test", 993, "tls"),
        ("pop3", "pop.guess.test", 995, "tls"),
        ("smtp", "smtp.guess.test", 465, "tls"),
    ]
    assert codes(record) == {"guessed"}
    for server in record["incoming"] + record["outgoing"]:
        assert (server["trusted"], server["verified"], server["confidence"]) == (False, True, "low")
    assert record["live"] == []  # each was tried once
    unverified = look_up(lab, "fred@guess.test", "--no-verify").record
    assert (unverified["status"], source(unverified, "guess")["detail"]) == ("nothing", "--no-verify")


def test_a_guessed_name_with_a_certificate_of_another_is_nothing(lab: Lab) -> None:
    watch = Stopwatch()
    record = look_up(lab, "misguess.test").record
    assert watch.is_within(3, slack_s=2)  # neither silence nor lost packets keep it waiting until the deadline
    guesses = [line for line in record["sources"] if line["source"] == "guess"]
    assert {line["status"] for line in guesses} == {"nothing"}
    assert guesses[0]["code"] == "tls.cert.hostname"


def test_a_protocol_that_is_declared_to_be_missing_is_not_guessed(lab: Lab) -> None:
    line = source(look_up(lab, "declined.test").record, "guess")
    assert (line["status"], line["detail"]) == ("skipped", "nothing to guess")


def test_behind_a_filter_other_records_tell_who_keeps_the_mail(lab: Lab) -> None:
    record = look_up(lab, "boss@filtered.test", "--no-verify").record
    assert (record["provider"]["id"], record["incoming"][0]["confidence"]) == ("exmail", "low")
    assert {"mx-is-filter", "untrusted"} <= codes(record)
    record = look_up(lab, "boss@aliased.test", "--no-verify").record
    assert record["provider"]["id"] == "hostinger"
    assert record["incoming"][0]["confidence"] in ("low", "medium")
    (line,) = [line for line in record["sources"] if line["source"] == "dns" and line["status"] == "found"]
    assert line["detail"] == "autodiscover.mail.hostinger.com -> hostinger"


def test_the_operator_of_the_mx_is_asked_only_below_public_suffixes_and_only_about_the_domain(lab: Lab) -> None:
    with lab.web_requests() as asked:
        record = look_up(lab, "fred@victim.co.uk").record
    assert [line["locator"] for line in record["sources"] if line["source"].startswith("mx-")] == [
        "https://autoconfig.thunderbird.net/v1.1/mail.co.uk",
        "https://autoconfig.mail.co.uk/mail/config-v1.1.xml",
        "https://mail.co.uk/.well-known/autoconfig/mail/config-v1.1.xml",
    ]
    assert not any(url.startswith(("GET https://autoconfig.co.uk", "POST https://autodiscover.co.uk")) for url in asked)
    assert not any(url.endswith("/v1.1/co.uk") for url in asked)
    record = look_up(lab, "stranger.test").record
    refused = [line for line in record["sources"] if line["code"] == "discover.domain_mismatch"]
    assert [line["source"] for line in refused] == ["mx-autoconfig"]


def test_services_beside_mail_are_listed(lab: Lab) -> None:
    assert look_up(lab, "services.test", "--no-verify").record["services"] == [
        {"service": "jmap", "host": "jmap.example.test", "port": 443, "source": "srv"},
        {"service": "caldav", "host": "dav.example.test", "port": 443, "source": "srv"},
        {"service": "managesieve", "host": "mail.example.test", "port": 4190, "source": "srv"},
    ]
    stdout = run("lookup", "services.test", "--no-verify", *lab.network_options).stdout
    assert "CalDAV: dav.example.test:443 (source: srv)" in stdout.splitlines()


@pytest.mark.parametrize("host", ["portal.web.test", "closed.example.test"])
def test_a_network_that_answers_in_place_of_every_server_is_recognised(lab: Lab, host: str) -> None:
    with Hijacker(lab.address(host)) as hijacker:
        options = ["--nameserver", hijacker.option, "--ca-file", str(lab.ca_file), "--allow-private"]
        finished = run("lookup", "fred@example.test", "--json", *options)
        probed = run("probe", "fred@example.test", "--json", *options)
    assert (finished.code, finished.record["status"]) == (3, "failed")
    assert codes(finished.record) == {"captive-portal"}
    assert endpoints(finished.record) == []
    assert (probed.code, probed.record["status"]) == (3, "failed")
    assert (probed.record["results"], probed.record["cause"]["code"]) == ([], "cause.captive_portal")


def test_the_shape_of_a_record_is_the_contract(lab: Lab) -> None:
    record = look_up(lab, "Fred@Example.Test").record
    assert list(record) == [
        *("schema", "query", "address", "domain", "status", "provider", "incoming", "outgoing", "services"),
        *("sources", "live", "warnings", "elapsed_ms"),
    ]
    assert (record["schema"], record["query"], record["domain"]) == (1, "Fred@Example.Test", "example.test")
    assert record["address"] == "Fred@example.test"
    assert record["provider"] is None
    best = record["incoming"][0]
    assert set(best) == {
        *("protocol", "host", "port", "security", "username", "username_form", "authentication"),
        *("confidence", "trusted", "verified", "evidence"),
    }
    assert best["username"] == "Fred@example.test"
    assert best["username_form"] == "address"
    assert best["authentication"] == ["password"]
    assert (best["confidence"], best["trusted"], best["verified"]) == ("high", True, True)
    assert {e["source"] for e in best["evidence"]} == {"autoconfig", "srv"}
    assert all(set(e) == {"source", "locator", "trusted", "detail", "provider"} for e in best["evidence"])
    keys = {"source", "locator", "status", "role", "disagrees", "code", "detail", "elapsed_ms"}
    assert all(set(line) == keys for line in record["sources"])
    assert {line["source"] for line in record["sources"]} >= {
        "providers",
        "autoconfig",
        "well-known",
        "ispdb",
        "srv",
        "mx",
    }


def test_an_internationalised_domain_is_shown_in_both_forms(lab: Lab) -> None:
    typed, punycode = look_up(lab, "li@例子.test").record, look_up(lab, "li@xn--fsqu00a.test").record
    for record in (typed, punycode):
        assert (record["domain"], record["domain_unicode"]) == ("xn--fsqu00a.test", "例子.test")
        assert record["incoming"][0]["username"] == "li@xn--fsqu00a.test"
    assert typed["query"] == "li@例子.test"


def test_the_chain_of_a_redirect_is_shown(lab: Lab) -> None:
    line = source(look_up(lab, "redirect.test", "--no-verify").record, "autoconfig")
    expected = "https://autoconfig.redirect.test/mail/config-v1.1.xml -> https://config.hosting.test/redirect.xml"
    assert line["detail"] == expected


def test_a_file_of_another_domain_counts_from_the_owner_and_the_ledger_says_so(lab: Lab) -> None:
    record = look_up(lab, "foreign.test", "--no-verify").record
    assert source(record, "autoconfig")["code"] == "discover.domain_mismatch"
    assert record["status"] == "found"


def test_plaintext_is_shown_only_when_everything_is(lab: Lab) -> None:
    record = look_up(lab, "plainonly.test", "--all").record
    assert record["status"] == "nothing"
    assert {e["security"] for e in record["incoming"] + record["outgoing"]} == {"plain"}
    assert "plaintext" in codes(record)


def test_all_candidates_are_shown_on_request(lab: Lab) -> None:
    few, many = (endpoints(look_up(lab, "conflict.test", "--no-verify", *more).record) for more in ([], ["--all"]))
    assert IMAP in many
    assert IMAP not in few


def test_one_protocol_may_be_asked_for(lab: Lab) -> None:
    assert endpoints(look_up(lab, "example.test", "--protocol", "pop3").record) == [POP3]
    both = look_up(lab, "example.test", "--protocol", "imap", "--protocol", "smtp").record
    assert {e[0] for e in endpoints(both)} == {"imap", "smtp"}


def test_verification_connects_and_no_verify_does_not(lab: Lab) -> None:
    assert {e["verified"] for e in look_up(lab, "wellknown.test").record["incoming"]} == {True}
    assert {e["verified"] for e in look_up(lab, "wellknown.test", "--no-verify").record["incoming"]} == {None}


def test_explain_shows_every_source_with_its_answer(lab: Lab) -> None:
    finished = run("lookup", "listed.test", "--explain", *lab.network_options)
    assert re.fullmatch(
        rf"mailsetup {__version__}, \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC, \d+ ms", finished.stdout.splitlines()[-1]
    )
    assert finished.code == 0
    for words in (
        *("providers ", "autoconfig ", "well-known ", "mx ", "_imaps._tcp.listed.test", "_submission._tcp.listed.test"),
        "https://autoconfig.thunderbird.net/v1.1/listed.test",
    ):
        assert words in finished.stdout
    assert "https://autoconfig" not in run("lookup", "listed.test", *lab.network_options).stdout


def test_explain_says_why_each_answer_won_or_lost(lab: Lab) -> None:
    lines = run("lookup", "conflict.test", "--explain", "--no-verify", *lab.network_options).stdout.splitlines()
    ledger = [line.split(maxsplit=3) for line in lines[lines.index("") :]]
    assert [row[3].partition("  ")[0] for row in ledger if row[:2] == ["autoconfig", "found"]] == ["recommended"]
    assert [row[3].partition("  ")[0] for row in ledger if row[:2] == ["srv", "found"]] == ["disagrees with autoconfig"]
    assert any(row[3].startswith("not found (404)") for row in ledger if row[:2] == ["ispdb", "nothing"])


def test_json_says_what_became_of_the_settings_of_each_source(lab: Lab) -> None:
    def roles(*arguments: str) -> set[tuple[str, str]]:
        record = look_up(lab, *arguments, "--no-verify", "--explain").record
        assert all((line["role"] is None) == (line["status"] != "found") for line in record["sources"])
        return {(line["source"], line["role"]) for line in record["sources"] if line["role"]}

    assert roles("conflict.test") == {("autoconfig", "won"), ("srv", "outranked")}
    assert roles("srvonly.test") == {("srv", "won")}
    assert roles("plainonly.test") == {("autoconfig", "plaintext")}
    assert roles("srvonly.test", "--protocol", "smtp") == {("srv", "won"), ("srv", "not-asked-for")}
    assert roles("example.test") == {("autoconfig", "won"), ("srv", "confirmed"), ("srv", "outranked")}


def test_a_private_address_is_refused_unless_it_is_allowed(lab: Lab) -> None:
    options = [option for option in lab.network_options if option != "--allow-private"]
    record = run("lookup", "autoconf.test", "--json", *options).record
    assert record["status"] == "failed"
    assert source(record, "autoconfig")["code"] == "http.private_address"


def test_the_public_database_is_asked_where_the_user_wants(lab: Lab) -> None:
    with lab.web_requests() as asked:
        assert look_up(lab, "listed.test", "--no-ispdb").code == 1
    assert not any("listed.test" in url and "/v1.1/" in url for url in asked)
    with lab.web_requests() as asked:
        assert look_up(lab, "listed.test", "--ispdb", "https://ispdb.test/v1.1").code == 0
    assert "GET https://ispdb.test/v1.1/listed.test" in asked
    assert not any("thunderbird" in url for url in asked)


def test_the_local_part_leaves_this_machine_only_on_request(lab: Lab) -> None:
    # The well-known file does not exist, and for that a server is asked with an address.
    with lab.web_requests() as asked:
        look_up(lab, "very-secret@example.test")
    assert asked
    assert not any("very-secret" in url for url in asked)
    strangers = re.findall(r"emailaddress=(\w+)@example\.test", " ".join(asked))
    assert len(strangers) == len(set(strangers)) == 2
    with lab.web_requests() as asked:
        look_up(lab, "very-secret@example.test", "--send-address")
    told = [url for url in asked if "very-secret" in url]
    assert told
    assert all(url.startswith(("GET https://autoconfig.example.test/", "GET https://example.test/")) for url in told)


def test_plain_http_is_asked_only_on_request_and_never_trusted(lab: Lab) -> None:
    with lab.web_requests() as asked:
        look_up(lab, "httponly.test")
    assert not any(url.startswith("GET http://autoconfig") for url in asked)
    record = look_up(lab, "fred@httponly.test", "--allow-http").record
    assert record["status"] == "found"
    assert record["incoming"][0]["trusted"] is False
    assert "untrusted" in codes(record)


def test_online_asks_the_network_about_a_known_domain_too(lab: Lab) -> None:
    record = look_up(lab, "user@qq.com", "--online", "--no-verify").record
    statuses = {line["source"]: line["status"] for line in record["sources"]}
    assert statuses["providers"] == "found"
    assert statuses["mx"] == "nothing"
    assert endpoints(record)[0] == ("imap", "imap.qq.com", 993, "tls")


def test_200_targets_are_answered_in_their_order(lab: Lab) -> None:
    domains = [
        "qq.com",
        "unknown.test",
        "wellknown.test",
        "empty.test",
        "a@b@c",
        "163.com",
        "plainonly.test",
        "gmail.com",
    ]
    lines = [domains[n % len(domains)] for n in range(200)]
    watch = Stopwatch()
    finished = run(
        "lookup", "-", "--json", "--no-verify", "--jobs", "32", *lab.network_options, stdin="\n".join(lines).encode()
    )
    assert [record["query"] for record in finished.records] == lines
    assert finished.code == 2
    assert watch.is_within(10, slack_s=20)


def test_each_record_is_written_as_soon_as_it_is_ready(lab: Lab) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mailsetup", "lookup", "-", "--json", "--timeout", "3", *lab.network_options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(b"qq.com\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["query"] == "qq.com"  # standard input is still open
        process.stdin.write(b"slow.test\n163.com\n")
        process.stdin.close()
        assert [json.loads(line)["query"] for line in process.stdout] == ["slow.test", "163.com"]


# Without a laboratory.


def test_a_known_domain_is_answered_at_once_and_without_a_question() -> None:
    with NameServer({}) as server:
        finished = run("lookup", "user@qq.com", "--json", "--nameserver", server.option)
        assert server.questions == []
    record = finished.record
    assert (finished.code, record["provider"]["id"]) == (0, "qq")
    assert endpoints(record)[0] == ("imap", "imap.qq.com", 993, "tls")
    assert record["incoming"][0]["username"] == "user@qq.com"
    assert record["incoming"][0]["authentication"] == ["auth-code"]
    assert {"auth-code", "service-must-be-enabled"} <= codes(record)
    assert {note["code"] for note in record["provider"]["notes"]} >= {"auth-code", "service-must-be-enabled"}


def test_a_query_that_is_a_domain_has_no_address_and_no_user_names() -> None:
    record = run("lookup", "qq.com", "--offline", "--json").record
    assert record["address"] is None
    assert {e["username"] for e in record["incoming"] + record["outgoing"]} == {None}


# Runs a command line and prints every event by which a program could reach the network.
_WATCHED = """
import sys
events = []
sys.addaudithook(lambda event, arguments: event.startswith("socket.") and events.append(event))
from mailsetup.__main__ import main
code = main(sys.argv[1:])
print(*events, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["user@qq.com"], 0), (["--offline", "x.test", "user@163.com", "-"], 1), (["--offline", "user@unknown.test"], 1)],
)
def test_no_socket_is_made_offline_nor_for_a_known_domain(arguments: list[str], code: int) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", _WATCHED, "lookup", *arguments],
        input=b"gmail.com\n",
        capture_output=True,
        cwd=REPOSITORY,
        check=False,
    )
    # An event loop wakes itself through a pair of connected sockets (socket.socketpair), which reach nobody.
    pair = {b"socket.__new__"} | ({b"socket.bind", b"socket.connect"} if sys.platform == "win32" else set())
    harmless = pair if len(arguments) > 2 else set()
    assert set(finished.stderr.split()) <= harmless
    assert finished.returncode == code


def test_the_watch_for_sockets_sees_a_question() -> None:
    with SilentUDP() as silent:
        finished = subprocess.run(
            [
                *(sys.executable, "-c", _WATCHED, "lookup", "unknown.test", "--timeout", "0.5", "--nameserver"),
                f"{silent.host}:{silent.port}",
            ],
            capture_output=True,
            cwd=REPOSITORY,
            check=False,
        )
    assert b"socket.sendto" in finished.stderr or b"socket.connect" in finished.stderr
    assert finished.returncode == 3


def test_an_unknown_domain_offline_is_nothing_and_the_network_sources_are_skipped() -> None:
    finished = run("lookup", "x.test", "--offline", "--json")
    assert (finished.code, finished.record["status"]) == (1, "nothing")
    statuses = {line["source"]: line["status"] for line in finished.record["sources"]}
    assert statuses.pop("providers") == "nothing"
    assert set(statuses) >= {"autoconfig", "well-known", "ispdb", "srv", "mx"}
    assert set(statuses.values()) == {"skipped"}


@pytest.mark.parametrize(
    ("target", "code"), [("me@yahoo.com.cn", "discontinued"), ("me@proton.me", "no-client-access")]
)
def test_a_provider_without_client_access_is_nothing_and_says_why(target: str, code: str) -> None:
    finished = run("lookup", target, "--json")
    assert (finished.code, finished.record["status"], endpoints(finished.record)) == (1, "nothing", [])
    assert finished.record["provider"]["status"] == code
    assert code in codes(finished.record)


BAD_TARGETS = {
    "user@": "input.no_domain",
    "a@b@c": "input.several_at_signs",
    "@qq.com": "input.no_local_part",
    "qq": "input.bare_word",
    "a b@qq.com": "input.spaces",
    "user@qq .com": "input.spaces",
    "user@qq.com\n": "input.control_character",
    "user\x07@qq.com": "input.control_character",
    f"user@{'x' * 64}.com": "input.label_too_long",
    "user@-qq.com": "input.bad_domain",
    "user@[1.2.3.4]": "input.ip_address",
    "": "input.empty",
}


@pytest.mark.parametrize("target", BAD_TARGETS)
def test_a_bad_target_ends_with_one_line_and_exit_code_2(target: str) -> None:
    finished = run("lookup", target)
    assert (finished.code, finished.stdout) == (2, "")
    assert re.fullmatch(r"mailsetup: error: [^\n]+\n", finished.stderr)
    assert finished.stderr[:-1].isprintable()


def test_bad_lines_become_records_in_their_places() -> None:
    lines = ["# a comment", "", "qq.com", "a@b@c", "  163.com  ", "x" * 70 + ".com", "nobody.test"]
    finished = run("lookup", "-", "--offline", "--json", stdin=("\ufeff" + "\r\n".join(lines)).encode())
    assert finished.code == 2
    assert [record["query"] for record in finished.records] == ["qq.com", "a@b@c", "163.com", lines[5], "nobody.test"]
    assert [record["status"] for record in finished.records] == ["found", "error", "found", "error", "nothing"]
    assert finished.records[1] == {
        "schema": 1,
        "query": "a@b@c",
        "status": "error",
        "code": "input.several_at_signs",
        "message": "a@b@c contains more than one @",
    }


@pytest.mark.parametrize("stdin", [b"a@b@c\nqq.com\n\xff\xfe\n", "用户@例子\n".encode("gbk")])
def test_standard_input_may_hold_anything(stdin: bytes) -> None:
    finished = run("lookup", "-", "--offline", "--json", stdin=stdin)
    assert finished.code == 2
    assert all(record["status"] in {"error", "found"} for record in finished.records)


def test_the_highest_exit_code_of_several_targets_counts() -> None:
    assert run("lookup", "qq.com", "163.com", "--offline").code == 0
    assert run("lookup", "qq.com", "x.test", "--offline").code == 1
    with SilentUDP() as silent:
        nameserver = ["--nameserver", f"{silent.host}:{silent.port}", "--timeout", "0.5"]
        assert run("lookup", "me@yahoo.com.cn", "x.test", "qq.com", *nameserver).code == 3
        mixed = run("lookup", "x.test", "bad@", "qq.com", *nameserver)
    assert mixed.code == 3  # as high as it gets: 2 for the bad one, 3 for the one that could not be asked


def test_a_pipe_gets_plain_text() -> None:
    stdout = run("lookup", "user@qq.com", "--offline").stdout
    assert "\x1b" not in stdout
    assert re.search(r"^IMAP +imap\.qq\.com +993 +SSL/TLS +user@qq\.com", stdout, re.MULTILINE)


@posix
@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize("columns", [44, 60, 80, 100, 200])
@pytest.mark.parametrize(
    ("address", "names"),
    [("a.long.name@163.com", {"a.long.name@163.com"}), ("user@icloud.com", {"user", "user@icloud.com"})],
)
def test_settings_fit_a_terminal_of_any_width_and_can_be_copied_whole(
    address: str, names: set[str], columns: int, language: str, tmp_path: Path
) -> None:
    with session("lookup", "--offline", address, folder=tmp_path, language=language, columns=columns) as terminal:
        shown = terminal.end().shown
    _headline, _empty, *lines = shown.splitlines()
    settings = lines[: lines.index("")]
    assert max(map(cells, map(str.rstrip, settings))) <= columns
    words = [word for line in settings for word in re.split(r"[ ：]+", line)]
    for known in api.lookup(address, offline=True).incoming + api.lookup(address, offline=True).outgoing:
        assert {known.endpoint.host, f"{known.endpoint.host}:{known.endpoint.port}"} & set(words)
    assert names <= set(words)
    assert {"SSL/TLS", "STARTTLS"} & set(words)
