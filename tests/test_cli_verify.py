"""``mailsetup providers verify``, through the command line, against real mail servers and against faulty ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from clock import Stopwatch
from lab import Lab
from lab.fakes import SilentServer
from names import NameServer
from product import Finished, run
from test_cli_conventions import heed_interrupts, run_in_terminal

REPOSITORY = Path(__file__).parent.parent
posix = pytest.mark.skipif(os.name != "posix", reason="needs the terminals and signals of POSIX")
MAIL, SUBMISSION = "mail.example.test", "smtp.example.test"


def entry(provider_id: str, **servers: str) -> str:
    """A provider of ``providers.yaml`` with these servers by protocol."""
    lines = [f"  {protocol}: [{written}]" for protocol, written in servers.items()]
    return "\n".join(
        [
            f"- id: {provider_id}",
            f"  name: {provider_id}",
            f"  domains: [{provider_id}.test]",
            "  server_domains: [example.test]",
            "  authentication: [password]",
            *lines,
            "  sources:",
            f"    - {{kind: quoted, at: somewhere, facts: [{', '.join(servers)}], checked: 2026-01-02}}",
            "",
        ]
    )


def works(provider_id: str) -> str:
    return entry(
        provider_id, imap=f"{MAIL}:993 tls, {MAIL}:143 starttls", pop3=f"{MAIL}:995 tls", smtp=f"{SUBMISSION}:465 tls"
    )


def broken(provider_id: str, host: str) -> str:
    return entry(provider_id, imap=f"{host}.example.test:993 tls")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Where the providers of a test are written."""
    return tmp_path / "providers.yaml"


def verify(lab: Lab, source: Path, entries: Iterable[str], *arguments: str) -> Finished:
    """Verify a database of ``entries`` in the laboratory."""
    source.write_text("".join(entries), "utf-8")
    return run("providers", "verify", "--providers", str(source), *lab.network_options, *arguments)


def verdicts(records: Sequence[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    return [(record["provider"], record["verdict"], record["code"]) for record in records]


# What is said


def test_servers_that_work_are_told_with_the_record_of_a_probe(lab: Lab, source: Path) -> None:
    finished = verify(lab, source, [works("one")], "--json")
    assert finished.code == 0
    assert [record["id"] for record in finished.records] == [
        f"imap {MAIL}:993 tls",
        f"pop3 {MAIL}:995 tls",
        f"smtp {SUBMISSION}:465 tls",
    ]
    probe = run("probe", f"imaps://{MAIL}", "--json", *lab.network_options).record["results"][0]
    assert set(probe) < set(finished.records[0])
    for record in finished.records:
        assert (record["provider"], record["verdict"], record["outcome"]) == ("one", "works", "ok")
        assert record["tls"]["version"] == "TLSv1.3"
    assert finished.stderr == "3 work, 0 fail, 0 skipped, 0 could not be asked\n"


def test_every_fault_has_its_code_in_the_order_of_the_database(lab: Lab, source: Path) -> None:
    faults = {
        "silent": "tls.timeout",
        "blackhole": "tcp.timeout",
        "closed": "tcp.refused",
        "expired": "tls.cert.expired",
        "wrongname": "tls.cert.hostname",
        "nothere": "dns.nxdomain",
    }
    entries = [*(broken(f"a-{host}", host) for host in faults), works("good")]
    finished = verify(lab, source, entries, "--json", "--timeout", "1.5")
    assert finished.code == 4
    assert verdicts(finished.records) == [
        *((f"a-{host}", "fails", faults[host]) for host in sorted(faults)),
        *[("good", "works", None)] * 3,
    ]


def test_a_server_that_several_providers_use_is_asked_once(lab: Lab, source: Path) -> None:
    records = verify(lab, source, [works("one"), works("two")], "--json").records
    assert [record["providers"] for record in records] == [["one", "two"]] * 3


@pytest.mark.parametrize("keys", [["two"], ["TWO"], ["two.test"], ["two", "two.test"]], ids=" ".join)
def test_only_the_named_providers_are_verified(keys: list[str], lab: Lab, source: Path) -> None:
    finished = verify(lab, source, [broken("one", "closed"), works("two")], *keys, "--json")
    assert (finished.code, [record["providers"] for record in finished.records]) == (0, [["two"]] * 3)


def test_all_servers_are_asked_on_request(lab: Lab, source: Path) -> None:
    records = verify(lab, source, [works("one")], "--json", "--all").records
    assert [(record["protocol"], record["port"]) for record in records] == [
        ("imap", 993),
        ("imap", 143),
        ("pop3", 995),
        ("smtp", 465),
    ]


def test_an_unencrypted_port_is_skipped_and_never_contacted(source: Path) -> None:
    with SilentServer() as server, NameServer({(MAIL, "A"): ["127.0.0.1"]}) as names:
        source.write_text(entry("one", imap=f"{MAIL}:{server.port} plain"), "utf-8")
        options = ["--nameserver", names.option, "--allow-private", "--json"]
        finished = run("providers", "verify", "--all", "--providers", str(source), *options)
        assert not server.was_called()
        assert names.questions == []
    assert finished.code == 0
    assert (finished.record["verdict"], finished.record["code"]) == ("skipped", "skipped.plaintext")


def test_a_pipe_gets_a_line_for_each_endpoint(lab: Lab, source: Path) -> None:
    finished = verify(lab, source, [broken("one", "closed"), works("two")])
    fields = [line.split("\t") for line in finished.stdout.splitlines()]
    assert [field[:4] for field in fields] == [
        ["fails", "one", "imap closed.example.test:993 tls", "tcp.refused"],
        ["works", "two", f"imap {MAIL}:993 tls", "-"],
        ["works", "two", f"pop3 {MAIL}:995 tls", "-"],
        ["works", "two", f"smtp {SUBMISSION}:465 tls", "-"],
    ]
    assert all(len(field) == 5 and field[4] for field in fields)


@posix
def test_a_terminal_gets_a_bar_and_the_lines(lab: Lab, source: Path) -> None:
    source.write_text(works("one"), "utf-8")
    code, shown = run_in_terminal(["providers", "verify", "--providers", str(source), *lab.network_options])
    assert code == 0
    assert "━" in shown
    assert f"imap {MAIL}:993 tls" in shown


# Our own network


def test_without_a_resolver_no_provider_is_blamed(source: Path, tmp_path: Path) -> None:
    source.write_text(works("one"), "utf-8")
    report = tmp_path / "report"
    watch = Stopwatch()
    finished = run(
        *("providers", "verify", "--providers", str(source), "--nameserver", "127.0.0.1:9", "--json"),
        *("-o", str(report), "--timeout", "1"),
    )
    assert watch.is_within(4)
    assert (finished.code, finished.stdout) == (3, "")
    assert finished.stderr.startswith("mailsetup: error: nobody can be reached")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["providers.yaml"]


def test_where_nobody_was_reached_the_network_is_doubted(lab: Lab, source: Path) -> None:
    finished = verify(lab, source, [broken("one", "closed")])
    assert finished.code == 4
    assert "check the network" in finished.stderr
    assert "check the network" not in verify(lab, source, [broken("one", "expired")]).stderr


def test_what_could_not_be_asked_is_no_fault_but_not_good_either(lab: Lab, source: Path) -> None:
    entries = [works("one"), entry("two", imap="servfail.test:993 tls").replace("[example.test]", "[servfail.test]")]
    finished = verify(lab, source, entries, "--json")
    assert (finished.code, finished.records[-1]["verdict"]) == (3, "not-asked")


# Reports


def test_a_report_is_written_in_both_forms(lab: Lab, source: Path, tmp_path: Path) -> None:
    finished = verify(lab, source, [broken("one", "closed"), works("two")], "--json", "-o", str(tmp_path / "report"))
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert report["results"] == finished.records
    assert (report["summary"]["works"], report["failures"]) == (3, {"tcp.refused": 1})
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "| one | `imap closed.example.test:993 tls` | `tcp.refused` |" in text
    assert f"| two | `imap {MAIL}:993 tls` | TLSv1.3 |" in text
    assert {path.name for path in tmp_path.iterdir()} == {"providers.yaml", "report.json", "report.md"}


@pytest.mark.parametrize("name", ["report.json", "report.md"])
def test_the_suffix_chooses_the_form(name: str, lab: Lab, source: Path, tmp_path: Path) -> None:
    assert verify(lab, source, [works("one")], "-o", str(tmp_path / name)).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"providers.yaml", name}


def test_reports_of_the_same_servers_have_the_same_order(lab: Lab, source: Path, tmp_path: Path) -> None:
    entries = [broken("a", "silent"), works("b"), broken("c", "closed"), broken("d", "expired")]
    orders = []
    for name in ("first", "second"):
        verify(lab, source, entries, "-o", str(tmp_path / name), "--timeout", "1")
        report = json.loads((tmp_path / f"{name}.json").read_bytes())
        orders.append([(record["id"], record["code"]) for record in report["results"]])
    assert orders[0] == orders[1]


def test_an_existing_report_is_replaced_only_on_request(lab: Lab, source: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("mine")
    refused = verify(lab, source, [works("one")], "-o", str(tmp_path / "report"))
    assert (refused.code, refused.stdout, report.read_text()) == (2, "", "mine")
    assert verify(lab, source, [works("one")], "-o", str(tmp_path / "report"), "--force").code == 0
    assert json.loads(report.read_bytes())["summary"]["works"] == 3


# Going on after an interrupt


def interrupted(lab: Lab, source: Path, report: Path) -> subprocess.CompletedProcess[bytes]:
    """A run that was interrupted once two servers had been asked, while the third kept silent."""
    source.write_text(entry("one", imap=f"{MAIL}:993 tls", smtp=f"{SUBMISSION}:465 tls") + broken("two", "silent"))
    arguments = ["providers", "verify", "--providers", str(source), "-o", str(report), "--json", *lab.network_options]
    process = subprocess.Popen(
        [sys.executable, "-m", "mailsetup", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        preexec_fn=heed_interrupts,
    )
    journal = report.with_name(report.name + ".journal")
    deadline = time.monotonic() + 20
    while not (journal.exists() and journal.read_bytes().count(b"\n") == 3):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=10)
    return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)


@posix
def test_an_interrupted_run_keeps_what_it_has_and_goes_on(lab: Lab, source: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    ended = interrupted(lab, source, report)
    assert ended.returncode == 130
    assert ended.stderr.decode().split("\n") == [
        "2 results are kept; --resume goes on.",
        "",
        "mailsetup: interrupted",
        "",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"providers.yaml", "report.journal"}
    first = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [record["provider"] for record in first] == ["one", "one"]

    again = run(*ended.args)
    assert (again.code, again.stdout) == (2, "")
    assert "--resume" in again.stderr

    resumed = run(*ended.args, "--resume", "--timeout", "1")
    assert resumed.code == 4
    assert resumed.records[:2] == first  # to the millisecond: nobody was asked again
    assert verdicts(resumed.records)[2:] == [("two", "fails", "tls.timeout")]
    assert json.loads((tmp_path / "report.json").read_bytes())["results"] == resumed.records
    assert not (tmp_path / "report.journal").exists()


@posix
def test_a_run_goes_on_with_a_new_edition_that_has_the_same_servers(lab: Lab, source: Path, tmp_path: Path) -> None:
    ended = interrupted(lab, source, tmp_path / "report")
    edited = source.read_text("utf-8").replace("name: one", "name: One")
    source.write_text(edited.replace(f"{SUBMISSION}:465 tls", f"{SUBMISSION}:587 starttls"), "utf-8")
    refused = run(*ended.args, "--resume", "--timeout", "1")
    assert (refused.code, refused.stdout) == (2, "")
    assert f"smtp {SUBMISSION}:465 tls" in refused.stderr

    source.write_text(edited, "utf-8")
    assert len(run(*ended.args, "--resume", "--timeout", "1").records) == 3


def test_what_could_not_be_asked_is_asked_again(lab: Lab, source: Path, tmp_path: Path) -> None:
    source.write_text(works("one"), "utf-8")
    journal = tmp_path / "report.journal"
    lines = [
        {"journal": "mailsetup providers verify", "version": 1, "database": "?"},
        {"id": f"imap {MAIL}:993 tls", "verdict": "not-asked"},
    ]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    finished = verify(lab, source, [works("one")], "-o", str(tmp_path / "report"), "--resume", "--json")
    assert [record["verdict"] for record in finished.records] == ["works"] * 3


# The patch


def test_the_patch_records_what_worked_and_the_result_has_no_faults(lab: Lab, source: Path, tmp_path: Path) -> None:
    good, half = works("good"), entry("half", imap=f"{MAIL}:993 tls", smtp="closed.example.test:465 tls")
    patch = tmp_path / "verified.patch"
    finished = verify(lab, source, [good, half, broken("bad", "expired")], "--patch", str(patch))
    assert finished.code == 4
    command = ["git", "apply", "--whitespace=error", patch.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert run("providers", "check", str(source)).code == 0
    rows = [line for line in source.read_text("utf-8").splitlines() if "live-checked" in line]
    assert [row.partition(", checked: ")[0] for row in rows] == [
        '    - {kind: live-checked, at: "mailsetup providers verify", facts: [imap, smtp]',
        '    - {kind: live-checked, at: "mailsetup providers verify", facts: [imap]',
    ]
    again = run(
        *("providers", "verify", "--providers", str(source), *lab.network_options, "--patch", str(patch), "--force")
    )
    assert "no patch was written" in again.stderr


def test_a_patch_is_about_the_named_providers_only(lab: Lab, source: Path, tmp_path: Path) -> None:
    patch = tmp_path / "verified.patch"
    verify(lab, source, [works("one"), works("two")], "two", "--patch", str(patch))
    assert patch.read_text("utf-8").count("\n+") == 2  # the name of the file, and one line


def test_a_patch_names_the_file_as_git_does(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "data").mkdir()
    patch = tmp_path / "verified.patch"
    verify(lab, tmp_path / "data" / "providers.yaml", [works("one")], "--patch", str(patch))
    assert patch.read_text("utf-8").splitlines()[:2] == ["--- a/data/providers.yaml", "+++ b/data/providers.yaml"]


# Bad input


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-provider"], "no-such-provider"),
        (["--resume"], "-o"),
        (["-o", "report.txt"], ".json or .md"),
        (["-o", "absent/report.json"], "absent"),
        (["--jobs", "0"], "--jobs"),
        (["--patch", "providers.yaml"], "exists already"),
    ],
    ids=str,
)
def test_bad_input_is_one_line_before_anything_is_asked(
    arguments: list[str], words: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source.write_text(works("one"), "utf-8")
    with NameServer({}) as names:
        finished = run("providers", "verify", "--providers", "providers.yaml", "--nameserver", names.option, *arguments)
        assert names.questions == []
    assert (finished.code, finished.stdout) == (2, "")
    assert finished.stderr.startswith("mailsetup: error: ") and finished.stderr.count("\n") == 1
    assert words in finished.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["providers.yaml"]


@pytest.mark.parametrize("content", [None, "- id: one", "\x00"])
def test_a_database_with_faults_is_not_verified(content: str | None, source: Path) -> None:
    if content is not None:
        source.write_text(content, "utf-8")
    finished = run("providers", "verify", "--providers", str(source))
    assert finished.code == 2
    assert str(source) in finished.stderr and finished.stderr.count("\n") == 1
