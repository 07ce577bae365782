"""``mailsetup providers``, through the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailsetup.text import cells
from product import run
from terminal import posix, session

DATABASE = Path(__file__).parent.parent / "data" / "providers.yaml"
GOOD = """\
- id: example
  name: Example Mail
  name_zh: 示例邮箱
  domains: [example.test]
  authentication: [password]
  imap: [imap.example.test:993 tls]
  smtp: [smtp.example.test:465 tls]
  sources:
    - {kind: quoted, at: "https://example.test/help", facts: [imap, smtp], checked: 2026-11-21}
"""


def test_all_providers_are_listed_and_a_search_narrows_the_list() -> None:
    everything = run("providers", "list")
    lines = everything.stdout.splitlines()
    assert everything.code == 0
    assert len(lines) == len(run("providers", "list", "--json").records) > 50
    assert any(line.startswith("qq\tQQ Mail\tactive\tqq.com") for line in lines)
    for search in ("QQ邮箱", "foxmail.COM", "qq"):
        assert "qq" in [record["id"] for record in run("providers", "list", search, "--json").records]
    nothing = run("providers", "list", "no-such-provider")
    assert (nothing.code, nothing.stdout, nothing.stderr) == (1, "", "No provider has no-such-provider in it.\n")


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["user@qq.com"], "qq"),
        (["imap.163.com"], "163"),
        (["pop3.163.com"], "163"),  # one of the wrong names that are copied around
        (["mxbiz1.qq.com"], "exmail"),
        (["contoso-com.mail.protection.outlook.com"], "microsoft365"),
        (["contoso.onmicrosoft.com"], "microsoft365"),
        (["腾讯", "企业"], "exmail"),
        (["ENTERPRISE", "263"], "263"),
    ],
)
def test_a_provider_is_listed_for_whatever_a_help_desk_is_told(words: list[str], first: str) -> None:
    assert run("providers", "list", *words, "--json").records[0]["id"] == first


def test_what_was_searched_for_cannot_act_on_a_terminal() -> None:
    nothing = run("providers", "list", "\x1b[31mno\nsuch")
    assert nothing.code == 1
    assert nothing.stderr.count("\n") == 1
    assert "\x1b" not in nothing.stderr


def test_who_is_called_so_comes_before_who_has_such_servers() -> None:
    ids = [record["id"] for record in run("providers", "list", "qq.com", "--json").records]
    assert ids[0] == "qq"
    assert "exmail" in ids


def test_every_word_of_a_search_counts() -> None:
    ids = {record["id"] for record in run("providers", "list", "zoho", "china", "--json").records}
    assert ids == {"zoho-cn"}


def test_a_terminal_shows_a_table_that_says_which_services_are_closed() -> None:
    shown = run("providers", "list", "yahoo", env={"FORCE_COLOR": "1", "COLUMNS": "200"}).stdout
    assert "Mail domains, or else MX records" in shown
    assert re.search(r"yahoo-cn +Yahoo China +yahoo.cn yahoo.com.cn – This mail service has been closed.", shown)


def test_a_listing_speaks_the_users_language() -> None:
    assert "QQ邮箱" in run("providers", "list", "qq", "--lang", "zh").stdout


@pytest.mark.parametrize("key", ["qq", "foxmail.com", "QQ.com", "user@qq.com", "qq邮箱", "QQ mail", "smtp.qq.com"])
def test_a_provider_is_shown_by_id_name_domain_address_or_server(key: str) -> None:
    record = run("providers", "show", key, "--json").record
    assert record["id"] == "qq"
    assert set(record) >= {
        *("id", "name", "name_zh", "status", "domains", "mx", "endpoints", "notes", "webmail", "help"),
        *("sources", "evidence", "checked"),
    }
    assert set(record["endpoints"][0]) >= {"protocol", "host", "port", "security", "username_form", "authentication"}
    assert {"username", "evidence"}.isdisjoint(record["endpoints"][0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["checked"])


def test_a_provider_is_shown_in_words() -> None:
    stdout = run("providers", "show", "qq").stdout
    assert stdout.startswith("qq: QQ Mail / QQ邮箱\n")
    assert "imap.qq.com:993" in stdout
    assert "https://service.mail.qq.com/" in stdout


def test_a_provider_is_shown_by_the_host_in_an_mx_record() -> None:
    assert run("providers", "show", "mxbiz2.qq.com", "--json").record["id"] == "exmail"


def test_a_server_of_several_providers_is_a_choice() -> None:
    finished = run("providers", "show", "imap.gmail.com")
    assert (finished.code, finished.stdout) == (2, "")
    assert "gmail, google-workspace" in finished.stderr


def test_a_provider_is_shown_with_its_pages_and_in_the_words_of_the_language() -> None:
    english, chinese = run("providers", "show", "qq").stdout, run("providers", "show", "qq", "--lang", "zh").stdout
    for shown in (english, chinese):
        assert "https://mail.qq.com/\n" in shown
        assert "https://service.mail.qq.com/detail/128/339\n" in shown
    assert "  full address  authorization code (授权码)  sure" in english
    assert "address" not in chinese
    assert "auth-code" not in re.sub(r"\[[a-z0-9-]+\]|（[^）]*）|\([^)]*\)", "", chinese)


def test_an_unknown_provider_is_a_usage_error() -> None:
    finished = run("providers", "show", "no-such-provider")
    assert (finished.code, finished.stdout) == (2, "")
    assert re.fullmatch(r"mailsetup: error: [^\n]+\n", finished.stderr)


def test_the_database_has_no_faults() -> None:
    finished = run("providers", "check", str(DATABASE))
    assert (finished.code, finished.stderr) == (0, "")


def test_a_good_file_has_no_faults(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, "utf-8")
    finished = run("providers", "check", str(path))
    assert finished.code == 0, finished.stdout
    assert "1" in finished.stdout


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        GOOD.replace(":993 tls", ":993 ssl").replace("smtp.example.test:465", "smtp.example.test:0"), "utf-8"
    )
    finished = run("providers", "check", str(path))
    assert finished.code == 2
    places = [re.fullmatch(re.escape(str(path)) + r":(\d+): .+", line) for line in finished.stdout.splitlines()]
    assert {6, 7} <= {int(place[1]) for place in places if place}
    assert all(places)


@pytest.mark.parametrize("content", ["a:\n  - b\n c", "- [", "just text", "\x00", "&a [*a]"])
def test_a_file_that_is_no_database_is_a_fault_not_a_crash(content: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content, "utf-8")
    finished = run("providers", "check", str(path))
    assert finished.code == 2
    assert finished.stdout.startswith(f"{path}:")


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path):
        finished = run("providers", "check", str(path))
        assert finished.code == 2
        assert re.fullmatch(r"mailsetup: error: [^\n]+\n", finished.stderr)


@posix
def test_the_notes_of_a_provider_fit_the_terminal(tmp_path: Path) -> None:
    with session("providers", "show", "qq", folder=tmp_path, language="zh", columns=60) as terminal:
        lines = terminal.end().shown.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("! [service-must-be-enabled]"))
    assert cells(lines[first]) <= 60
    assert lines[first + 1].startswith("  ") and cells(lines[first + 1]) <= 60
