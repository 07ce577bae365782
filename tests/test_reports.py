"""Reports: the numbers, what to change, and text of servers that stays text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mailsetup import diagnosis, reports

DIGEST = "0123456789abcdef" * 4


def record(name: str, verdict: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    tls = {"version": "TLSv1.3", "days_left": 60} if verdict == "works" else None
    known = {"id": name, "providers": ["one"], "verdict": verdict, "code": code, "checked": "2026-11-22"}
    stage = {"works": "capability", "skipped": None}.get(verdict, "connect")
    return {**known, "stage": stage, "message": f"about {name}", "tls": tls, "warnings": [], **more}


RECORDS = [
    record("imap a.test:993 tls", "works", checked="2026-11-20"),
    record("imap b.test:993 tls", "fails", "dns.nxdomain", providers=["two", "three"]),
    record("smtp b.test:465 tls", "fails", "tcp.timeout"),
    record("smtp c.test:465 tls", "fails", "dns.nxdomain"),
    record("smtp d.test:25 plain", "skipped", "skipped.plaintext"),
    record("imap e.test:993 tls", "not-asked", "dns.servfail"),
]


def markdown(records: list[dict[str, Any]]) -> str:
    return b"".join(reports.as_markdown(lambda: records, DIGEST)).decode()


def rows(text: str, title: str) -> list[list[str]]:
    """The rows of the table below a heading, without its head."""
    section = text.partition(f"## {title}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def test_the_summary_counts_and_ranks() -> None:
    summary = reports.Summary(RECORDS)
    assert summary.sentence() == "1 work, 3 fail, 1 skipped, 1 could not be asked"
    assert summary.ranked_codes() == [("dns.nxdomain", 2), ("tcp.timeout", 1)]
    assert (summary.first_checked, summary.last_checked) == ("2026-11-20", "2026-11-22")


def test_the_summary_knows_whether_any_server_was_reached() -> None:
    assert reports.Summary(RECORDS).anyone_reached
    assert not reports.Summary(RECORDS[1:]).anyone_reached
    assert reports.Summary([record("imap a.test:993 tls", "fails", "tls.eof", stage="tls")]).anyone_reached


def test_a_line_for_a_pipe_has_five_fields() -> None:
    assert reports.line(RECORDS[0]) == "works\tone\timap a.test:993 tls\t-\tabout imap a.test:993 tls"
    assert reports.line(RECORDS[1]).split("\t")[:4] == ["fails", "two,three", "imap b.test:993 tls", "dns.nxdomain"]


@pytest.mark.parametrize("count", range(len(RECORDS) + 1))
def test_a_json_report_is_one_object_with_a_record_per_line(count: int) -> None:
    body = b"".join(reports.as_json(lambda: RECORDS[:count], DIGEST))
    report = json.loads(body)
    assert report["results"] == RECORDS[:count]
    assert sum(report["summary"].values()) == count
    assert len(body.splitlines()) == count + 2
    assert report["database"] == DIGEST


def test_a_json_report_has_the_numbers() -> None:
    report = json.loads(b"".join(reports.as_json(lambda: RECORDS, DIGEST)))
    assert report["schema"] == 1
    assert report["summary"] == {"works": 1, "fails": 3, "skipped": 1, "not-asked": 1}
    assert report["failures"] == {"dns.nxdomain": 2, "tcp.timeout": 1}


def test_a_markdown_report_tells_each_failure_and_what_to_change() -> None:
    failures = rows(markdown(RECORDS), "Failures")
    assert [row[:3] for row in failures] == [
        ["two, three", "`imap b.test:993 tls`", "`dns.nxdomain`"],
        ["one", "`smtp b.test:465 tls`", "`tcp.timeout`"],
        ["one", "`smtp c.test:465 tls`", "`dns.nxdomain`"],
    ]
    assert failures[0][3:] == ["about imap b.test:993 tls", "The host is gone: replace or remove it."]


def test_a_markdown_report_tells_tls_version_and_days_of_what_works() -> None:
    soon = record("imap f.test:993 tls", "works", warnings=[{"code": "x", "message": "ends soon"}])
    soon["tls"]["days_left"] = 3
    assert [row[1:] for row in rows(markdown([*RECORDS, soon]), "Works")] == [
        ["`imap a.test:993 tls`", "TLSv1.3", "60", ""],
        ["`imap f.test:993 tls`", "TLSv1.3", "3", "ends soon"],
    ]


def test_what_was_not_judged_has_its_own_tables() -> None:
    text = markdown(RECORDS)
    assert [row[1] for row in rows(text, "Could not be asked")] == ["`imap e.test:993 tls`"]
    assert [row[1] for row in rows(text, "Skipped")] == ["`smtp d.test:25 plain`"]
    assert "## " not in markdown([])


def test_what_a_server_says_cannot_shape_the_report() -> None:
    evil = "<script>x</script> | new cell | **bold** [link](https://evil.test) `code` \\"
    text = markdown([record("imap a.test:993 tls", "fails", "greeting.rejected", message=evil)])
    ((_provider, _endpoint, _code, message, _change),) = rows(text, "Failures")
    assert re.sub(r"\\(.)", r"\1", message) == evil
    assert re.findall(r"(?<!\\)[<>*\[\]|`]", message) == []


@pytest.mark.parametrize("code", sorted(diagnosis.CODES))
def test_every_failure_has_a_change(code: str) -> None:
    change = rows(markdown([record("imap a.test:993 tls", "fails", code)]), "Failures")[0][4]
    assert change.endswith(".")


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("tls.cert.hostname", "names other hosts"),
        ("tls.cert.expired", "No client accepts this certificate"),
        ("greeting.wrong_protocol", "wrong: correct it"),
        ("greeting.temporary", "Verify again later"),
        ("tls.version_too_old", "weak-tls"),
    ],
)
def test_different_failures_ask_for_different_changes(code: str, change: str) -> None:
    assert change in rows(markdown([record("imap a.test:993 tls", "fails", code)]), "Failures")[0][4]
