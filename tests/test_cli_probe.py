"""``mailsetup probe``, through the command line, against real mail servers and against small ones that misbehave."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from lab import FLAWED, Lab
from lab.fakes import SilentUDP
from names import NameServer
from product import Finished, run

FRED, WILMA, LI = "fred@example.test", "wilma@example.test", "li@xn--fsqu00a.test"


def probe(lab: Lab, *arguments: str, stdin: str = "") -> Finished:
    """``mailsetup probe --json`` in the laboratory."""
    return run("probe", *arguments, "--json", *lab.network_options, stdin=stdin.encode())


def log_in(lab: Lab, target: str, address: str, *arguments: str, password: str | None = None) -> Finished:
    """The same with a login."""
    password = lab.accounts[address] if password is None else password
    return probe(lab, target, "--user", address, "--password-stdin", *arguments, stdin=password + "\n")


def result(finished: Finished) -> Any:
    """The only verdict."""
    (verdict,) = finished.record["results"]
    return verdict


@pytest.mark.parametrize(
    ("target", "most_round_trips"),
    [
        ("imaps://mail.example.test", 5),
        ("pop3s://mail.example.test", 5),
        ("smtps://smtp.example.test", 5),
        ("imap://mail.example.test", 7),
        ("pop3://mail.example.test", 7),
        ("smtp://smtp.example.test", 7),
    ],
)
def test_a_server_that_works_is_proved_in_few_round_trips(lab: Lab, target: str, most_round_trips: int) -> None:
    finished = probe(lab, target)
    verdict = result(finished)
    assert (finished.code, verdict["outcome"], verdict["code"], verdict["stage"]) == (0, "ok", None, "capability")
    assert verdict["round_trips"] <= most_round_trips  # DNS, TCP, TLS, greeting, and what STARTTLS adds
    assert verdict["tls"]["version"] == "TLSv1.3"
    assert verdict["tls"]["verified"] is True
    assert verdict["host"] in verdict["tls"]["names"]
    assert verdict["tls"]["days_left"] > 0
    assert "PLAIN" in verdict["mechanisms"]
    assert verdict["remedy"] == verdict["warnings"] == []
    assert {"dns", "connect", "tls", "greeting", "capability", "total"} <= set(verdict["timing_ms"])
    steps = [value for name, value in verdict["timing_ms"].items() if name != "total"]
    assert sum(steps) <= verdict["timing_ms"]["total"] + 1


def test_the_shape_of_a_record_is_the_contract(lab: Lab) -> None:
    record = probe(lab, "imaps://mail.example.test").record
    assert list(record) == ["schema", "query", "status", "results", "recommended", "cause", "warnings", "elapsed_ms"]
    assert (record["schema"], record["query"]) == (1, "imaps://mail.example.test")
    (verdict,) = record["results"]
    assert set(verdict) == {
        *("protocol", "host", "port", "security", "username", "username_form", "authentication"),
        *("confidence", "trusted", "verified", "evidence"),
        *("outcome", "code", "stage", "message", "remedy", "retryable", "warnings", "addresses", "tls", "greeting"),
        *("capabilities", "capabilities_before_tls", "mechanisms", "mechanism", "delivery", "round_trips", "timing_ms"),
    }
    assert set(verdict["tls"]) >= {
        *("version", "cipher", "verified", "subject", "issuer", "names", "not_before", "not_after", "days_left"),
    }
    assert verdict["addresses"] == [{"ip": lab.address("mail.example.test"), "outcome": "ok", "code": None}]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*", verdict["tls"]["not_after"])


def test_capabilities_are_asked_again_after_tls(lab: Lab) -> None:
    verdict = result(probe(lab, "imap://mail.example.test"))
    assert {"LOGINDISABLED", "STARTTLS"} <= set(verdict["capabilities_before_tls"])
    assert not {"LOGINDISABLED", "STARTTLS"} & set(verdict["capabilities"])
    assert "AUTH=PLAIN" in verdict["capabilities"]
    verdict = result(probe(lab, "smtp://smtp.example.test"))
    assert "STARTTLS" in verdict["capabilities_before_tls"]
    assert "AUTH PLAIN LOGIN" in verdict["capabilities"]


def test_an_address_is_probed_where_lookup_points(lab: Lab) -> None:
    finished = probe(lab, FRED)
    assert finished.code == 0
    assert [(r["protocol"], r["port"], r["outcome"]) for r in finished.record["results"]] == [
        ("imap", 993, "ok"),
        ("pop3", 995, "ok"),
        ("smtp", 465, "ok"),
    ]
    assert {r["username"] for r in finished.record["results"]} == {FRED}
    only = probe(lab, FRED, "--protocol", "smtp").record["results"]
    assert [(r["protocol"], r["port"]) for r in only] == [("smtp", 465)]


def test_every_candidate_is_probed_on_request_but_the_recommended_ones_decide(lab: Lab) -> None:
    finished = probe(lab, FRED, "--all")
    assert {r["port"] for r in finished.record["results"]} >= {143, 993, 995, 465, 587}
    assert finished.code == 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_terminal_shows_a_table_of_verdicts_and_what_to_use(lab: Lab, language: str) -> None:
    environment = {"FORCE_COLOR": "1", "COLUMNS": "140", "MAILSETUP_LANG": language}
    done = run("probe", FRED, *lab.network_options, env=environment)
    assert done.code == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).splitlines()
    assert lines[0] == FRED
    rows = [line.split() for line in lines if re.match(r"(IMAP|POP3|SMTP) ", line)]
    assert [row[:2] for row in rows] == [
        ["IMAP", "mail.example.test:993"],
        ["POP3", "mail.example.test:995"],
        ["SMTP", "smtp.example.test:465"],
    ]
    for row in rows:
        assert row[4] == "1.3"
        assert row[5].isdigit() and row[6].isdigit()
        assert "PLAIN" in row[7:]
    # Lines are broken at the edge, in Chinese anywhere.
    assert "IMAP" in lines[-1] and "SMTP" in lines[-1] and FRED in lines[-1]
    assert "Use" in lines[-1] or language == "zh"


def test_a_narrow_terminal_leaves_out_columns_but_never_the_result(lab: Lab) -> None:
    def shown(columns: int) -> list[str]:
        environment = {"FORCE_COLOR": "1", "COLUMNS": str(columns)}
        done = run("probe", FRED, "--protocol", "imap", "--protocol", "smtp", *lab.network_options, env=environment)
        assert done.code == 0
        lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).splitlines()
        return [line.rstrip() for line in lines]

    assert "IMAP mail.example.test:993 SSL/TLS  OK" in shown(45)
    assert [line for line in shown(38) if line.startswith("OK ")] == [
        "OK IMAP mail.example.test:993 SSL/TLS",
        "OK SMTP smtp.example.test:465 SSL/TLS",
    ]
    assert max(map(len, shown(60))) <= 60


FLAWS = {
    "expired": "tls.cert.expired",
    "selfsigned": "tls.cert.self_signed",
    "wrongname": "tls.cert.hostname",
    "notyetvalid": "tls.cert.not_yet_valid",
    "untrusted": "tls.cert.untrusted_issuer",
    "purpose": "tls.cert.purpose",
}


@pytest.mark.produces
@pytest.mark.parametrize(("fault", "code"), sorted(FLAWS.items()))
@pytest.mark.parametrize("scheme", ["imaps", "pop3s", "imap"])
def test_a_certificate_is_refused_for_its_own_fault_and_described(lab: Lab, fault: str, code: str, scheme: str) -> None:
    finished = probe(lab, f"{scheme}://{fault}.example.test")
    verdict = result(finished)
    assert (finished.code, verdict["code"], verdict["stage"]) == (4, code, "tls")
    assert verdict["tls"]["verified"] is False
    assert verdict["tls"]["names"]
    assert verdict["tls"]["not_after"]
    assert verdict["remedy"]


def test_a_certificate_without_its_issuer_is_refused(lab: Lab) -> None:
    assert set(FLAWED) == {*FLAWS, "incomplete"}
    verdict = result(probe(lab, "imaps://incomplete.example.test"))
    # All that is seen is one certificate of an unknown issuer; whether that one could be trusted is a guess.
    assert verdict["code"] in {"tls.cert.incomplete_chain", "tls.cert.untrusted_issuer"}


def test_a_wrong_name_in_a_certificate_is_told_with_the_right_ones(lab: Lab) -> None:
    verdict = result(probe(lab, "imaps://wrongname.example.test"))
    assert verdict["tls"]["names"] == ["another.example.test"]
    assert "another.example.test" in verdict["message"]


@pytest.mark.produces
@pytest.mark.parametrize(
    ("target", "code", "stage", "exit_code"),
    [
        ("imaps://mail.example.test:143", "tls.plaintext_on_tls_port", "tls", 4),
        ("smtps://smtp.example.test:587", "tls.plaintext_on_tls_port", "tls", 4),
        ("imap://mail.example.test:993", "greeting.tls_on_plaintext_port", "greeting", 4),
        ("smtp://mail.example.test:143", "greeting.wrong_protocol", "greeting", 4),
        ("pop3s://mail.example.test:993", "greeting.wrong_protocol", "greeting", 4),
        ("imaps://web.test:443", "greeting.timeout", "greeting", 4),
        ("imaps://web.test:80", "tls.http_on_tls_port", "tls", 4),
        ("imaps://closed.example.test", "tcp.refused", "connect", 4),
        ("imaps://nothere.example.test", "dns.nxdomain", "dns", 4),
        ("imaps://noaddress.example.test", "dns.no_address", "dns", 4),
        ("imaps://circular.test", "dns.cname_loop", "dns", 4),
        ("imaps://servfail.test", "dns.servfail", "dns", 3),
    ],
)
def test_what_is_wrong_with_an_endpoint_has_its_code(
    lab: Lab, target: str, code: str, stage: str, exit_code: int
) -> None:
    finished = probe(lab, target, "--timeout", "4")
    verdict = result(finished)
    assert (finished.code, verdict["outcome"], verdict["code"], verdict["stage"]) == (exit_code, "failed", code, stage)
    assert verdict["message"]


@pytest.mark.parametrize("host", ["firstdead.example.test", "ipv6dead.example.test"])
def test_every_address_of_a_host_is_told(lab: Lab, host: str) -> None:
    addresses = result(probe(lab, f"imaps://{host}"))["addresses"]
    working = [a["ip"] for a in addresses if a["outcome"] == "ok"]
    assert working == [lab.address("mail.example.test")]
    # DNS servers take turns with the order, so the dead one may not have been tried at all.
    assert sorted(a["outcome"] in {"failed", "skipped"} for a in addresses) == [False, True]


@pytest.mark.produces("dns.private_address")
def test_a_private_address_is_refused_unless_it_is_allowed(lab: Lab) -> None:
    options = [option for option in lab.network_options if option != "--allow-private"]
    verdict = result(run("probe", "imaps://mail.example.test", "--json", *options))
    assert (verdict["code"], verdict["stage"]) == ("dns.private_address", "dns")
    assert "resolves to 127." in verdict["message"]
    typed = result(run("probe", "imaps://127.0.0.1", "--json"))
    assert typed["message"] == "127.0.0.1 is an address of a private network."
    assert typed["remedy"] == ["If this is a server of your own network, add --allow-private."]


@pytest.mark.parametrize(("domain", "code"), [("empty.test", 1), ("unknown.test", 1), ("err500.test", 3)])
def test_a_domain_without_settings_is_answered_as_lookup_does(lab: Lab, domain: str, code: int) -> None:
    finished = probe(lab, domain)
    assert (finished.code, finished.record["results"]) == (code, [])
    shown = run("probe", domain, *lab.network_options)
    assert shown.code == code
    assert shown.stdout.startswith(domain)


# Logins


@pytest.mark.parametrize("address", [FRED, WILMA, LI])
@pytest.mark.parametrize(
    ("target", "stage"),
    [
        ("imaps://mail.example.test", "mailbox"),
        ("imap://mail.example.test", "mailbox"),
        ("pop3s://mail.example.test", "mailbox"),
        ("pop3://mail.example.test", "mailbox"),
        ("smtps://smtp.example.test", "send"),
        ("smtp://smtp.example.test", "send"),
    ],
)
def test_a_login_works_with_every_kind_of_password(lab: Lab, target: str, stage: str, address: str) -> None:
    finished = log_in(lab, target, address)
    verdict = result(finished)
    assert (finished.code, verdict["outcome"], verdict["stage"]) == (0, "ok", stage), verdict["message"]
    assert {"login"} <= set(verdict["timing_ms"])


@pytest.mark.produces("auth.bad_credentials")
@pytest.mark.parametrize(
    "target", ["imaps://mail.example.test", "pop3://mail.example.test", "smtp://smtp.example.test"]
)
def test_a_wrong_password_is_a_fault_that_no_retry_mends(lab: Lab, target: str) -> None:
    finished = log_in(lab, target, FRED, password="wrong")
    verdict = result(finished)
    assert (finished.code, verdict["code"], verdict["stage"]) == (4, "auth.bad_credentials", "login")
    assert verdict["retryable"] is False


def test_a_refused_password_is_not_tried_anywhere_else(lab: Lab) -> None:
    finished = probe(lab, FRED, "--password-stdin", stdin="wrong\n")
    first, *others = finished.record["results"]
    assert (finished.code, first["code"]) == (4, "auth.bad_credentials")
    assert [r["stage"] for r in others] == ["capability", "capability"]  # reached, but not logged in to
    assert all({"login-skipped"} == {w["code"] for w in r["warnings"]} for r in others)
    assert finished.record["recommended"] == []  # a server that was not asked is no better than the one that refused
    assert not any("full mail address" in remedy for remedy in first["remedy"])  # it was one
    by_name = probe(lab, "imaps://mail.example.test", "--user", "fred", "--password-stdin", stdin="wrong\n")
    assert any("full mail address" in remedy for remedy in result(by_name)["remedy"])


def test_one_login_is_made_per_protocol(lab: Lab) -> None:
    results = probe(lab, FRED, "--all", "--password-stdin", stdin=lab.accounts[FRED] + "\n").record["results"]
    logged_in = [r["protocol"] for r in results if "login" in r["timing_ms"]]
    assert sorted(logged_in) == ["imap", "pop3", "smtp"]


def test_a_password_command_is_run_and_its_first_line_counts(lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "password.py"
    script.write_text(f"print({lab.accounts[FRED]!r})\nprint('url: https://example.test')\n")
    command = shlex.join([sys.executable, str(script)])
    assert probe(lab, FRED, "--protocol", "imap", "--password-command", command).code == 0


def test_several_targets_give_json_lines_in_order(lab: Lab) -> None:
    targets = ["imaps://mail.example.test", "closed.example.test:993", "a@b@c", "smtp.example.test:465"]
    finished = probe(lab, "-", stdin="\n".join(targets))
    assert [record["query"] for record in finished.records] == targets
    assert [record.get("status") for record in finished.records] == [None, None, "error", None]
    assert finished.code == 4


def test_a_trace_shows_both_sides(lab: Lab) -> None:
    finished = run("probe", "smtp://smtp.example.test", "--debug", *lab.network_options)
    assert "smtp.example.test:587 S: 220 smtp.example.test ESMTP Postfix" in finished.stderr
    assert "smtp.example.test:587 C: STARTTLS" in finished.stderr
    assert "TLSv1.3 established" in finished.stderr


# Without a laboratory.


@pytest.mark.parametrize(
    "target",
    [
        *(
            "imaps://",
            "imaps://host.test:0",
            "imaps://host.test:65536",
            "imaps://host.test:x",
            "imaps://host.test:９９３",
        ),
        *("ftp://host.test", "http://host.test", "host.test:1234", "host.test:", "imaps://host.test/folder"),
        *("imaps://user@host.test", "imaps://bare", "imaps://[::1", "imaps://[::1]993", "imaps://a b.test"),
        *("imaps://-x.test", "a@b@c", "imaps://host.test\n", "://host.test", "imaps://h\x1b[31m.test"),
    ],
)
def test_a_target_that_names_no_endpoint_is_a_usage_error(target: str) -> None:
    finished = run("probe", target, "--nameserver", "127.0.0.1:9")
    assert (finished.code, finished.stdout) == (2, "")
    assert re.fullmatch(r"mailsetup: error: [^\n]+\n", finished.stderr)
    assert finished.stderr[:-1].isprintable()


@pytest.mark.parametrize(
    ("target", "endpoint"),
    [
        ("imaps://mail.test", ("imap", "mail.test", 993, "tls")),
        ("pop3s://mail.test", ("pop3", "mail.test", 995, "tls")),
        ("smtps://mail.test", ("smtp", "mail.test", 465, "tls")),
        ("imap://mail.test", ("imap", "mail.test", 143, "starttls")),
        ("pop3://mail.test", ("pop3", "mail.test", 110, "starttls")),
        ("smtp://mail.test", ("smtp", "mail.test", 587, "starttls")),
        ("IMAPS://Mail.Test/", ("imap", "mail.test", 993, "tls")),
        ("smtp://mail.test:25", ("smtp", "mail.test", 25, "starttls")),
        ("mail.test:465", ("smtp", "mail.test", 465, "tls")),
        ("mail.test:994", ("smtp", "mail.test", 994, "tls")),
        ("mail.test:110", ("pop3", "mail.test", 110, "starttls")),
        ("imaps://例子.test", ("imap", "xn--fsqu00a.test", 993, "tls")),
        ("imaps://[::1]:1993", ("imap", "::1", 1993, "tls")),
        ("imaps://127.0.0.1", ("imap", "127.0.0.1", 993, "tls")),
    ],
)
def test_an_endpoint_is_written_as_url_or_as_host_and_port(target: str, endpoint: tuple[str, str, int, str]) -> None:
    with NameServer({}) as server:
        verdict = result(run("probe", target, "--json", "--nameserver", server.option))
    assert (verdict["protocol"], verdict["host"], verdict["port"], verdict["security"]) == endpoint


@pytest.mark.produces("dns.timeout")
def test_a_resolver_that_does_not_answer_is_nobody_elses_fault() -> None:
    with SilentUDP() as silent:
        finished = run(
            *(
                "probe",
                "imaps://mail.test",
                "--json",
                "--timeout",
                "0.5",
                "--nameserver",
                f"{silent.host}:{silent.port}",
            )
        )
    assert (finished.code, result(finished)["code"], result(finished)["retryable"]) == (3, "dns.timeout", True)


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["--login"], b""),
        (["--password-stdin"], b""),
        (["--password-stdin"], b"\n"),
        (["--password-command", f'"{sys.executable}" -c "raise SystemExit(3)"'], b""),
        (["--password-command", f'"{sys.executable}" -c ""'], b""),
        (["--password", "secret"], b""),
    ],
    ids=["no terminal", "no input", "empty line", "failing command", "silent command", "as an argument"],
)
def test_a_password_that_cannot_be_had_is_a_usage_error_before_anything_is_asked(
    arguments: list[str], stdin: bytes
) -> None:
    with NameServer({}) as server:
        finished = run(
            "probe", "imaps://mail.test", "--user", "me", *arguments, "--nameserver", server.option, stdin=stdin
        )
        assert server.questions == []
    assert (finished.code, finished.stdout) == (2, "")
    assert re.fullmatch(r"mailsetup: error: [^\n]+\n", finished.stderr)


def test_a_login_needs_a_user_name_and_a_single_target() -> None:
    with NameServer({}) as server:
        options = ["--password-stdin", "--nameserver", server.option]
        nameless = run("probe", "imaps://mail.test", *options, stdin=b"secret\n")
        several = run("probe", "imaps://mail.test", "imaps://mail2.test", *options, stdin=b"secret\n")
        assert server.questions == []
    assert (nameless.code, several.code) == (2, 2)
    assert "--user" in nameless.stderr


def test_the_user_name_is_the_sender_where_only_the_domain_was_given(lab: Lab) -> None:
    finished = probe(lab, "example.test", "--user", FRED, "--password-stdin", stdin=lab.accounts[FRED] + "\n")
    assert [(r["code"], r["stage"]) for r in finished.record["results"]] == [
        *((None, "mailbox"), (None, "mailbox"), (None, "send"))
    ]
    assert finished.code == 0


@pytest.mark.parametrize("protocols", [["smtp"], ["imap"], ["imap", "pop3"]])
def test_a_message_is_sent_only_if_it_can_be_sent_and_seen_to_arrive(protocols: list[str]) -> None:
    wanted = [word for protocol in protocols for word in ("--protocol", protocol)]
    with NameServer({}) as server:
        options = ["--send-test", "--yes", "--password-stdin", "--nameserver", server.option]
        finished = run("probe", FRED, *options, *wanted, stdin=b"secret\n")
        assert server.questions == []
    assert finished.code == 2
    assert "servers for sending and receiving" in finished.stderr


@pytest.mark.parametrize(("user", "password"), [("me\nthem", "secret"), ("me", "a\0b")])
def test_a_login_that_would_break_a_command_line_is_a_usage_error(lab: Lab, user: str, password: str) -> None:
    finished = run(
        *("probe", "imaps://mail.example.test", "--user", user, "--password-stdin", *lab.network_options),
        stdin=password.encode() + b"\n",
    )
    assert (finished.code, finished.stdout) == (2, "")
    assert re.fullmatch(r"mailsetup: error: [^\n]+\n", finished.stderr)
