"""``mailsetup export``, through the command line: what goes where, what is refused, and what is said about it."""

from __future__ import annotations

import os
import plistlib
import re
import stat
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import mailsetup
from lab import Lab
from lab.fakes import SilentUDP
from mailsetup.exporters import EXPORTERS, load
from names import NameServer
from product import Finished, run

QQ = "user@qq.com"


def export(*arguments: str) -> Finished:
    return run("export", *arguments, "--offline")


def assert_usage_error(finished: Finished) -> None:
    assert (finished.code, finished.stdout) == (2, "")
    assert re.fullmatch(r"mailsetup: error: [^\n]+\n", finished.stderr)


@pytest.mark.parametrize("name", [name for name in EXPORTERS if not load(name).SEVERAL_FILES])
def test_standard_output_file_and_folder_get_the_bytes_that_the_library_makes(name: str, tmp_path: Path) -> None:
    (file,) = mailsetup.export(QQ, name, offline=True).files
    to_stdout = export(QQ, "--to", name)
    to_file = export(QQ, "--to", name, "-o", str(tmp_path / "chosen"))
    to_folder = export(QQ, "--to", name, "-o", str(tmp_path))
    assert [finished.code for finished in (to_stdout, to_file, to_folder)] == [0, 0, 0]
    assert to_stdout.body == file.body == (tmp_path / "chosen").read_bytes() == (tmp_path / file.name).read_bytes()
    assert to_file.stdout == to_folder.stdout == ""
    assert f"wrote {tmp_path / 'chosen'}" in to_file.stderr
    assert f"wrote {tmp_path / file.name}" in to_folder.stderr
    assert len(list(tmp_path.iterdir())) == 2


def test_the_formats_are_what_they_are_called() -> None:
    config = ET.fromstring(export(QQ, "--to", "thunderbird").body)
    assert config.findtext(".//hostname") == "imap.qq.com"
    profile = plistlib.loads(export(QQ, "--to", "apple").body)
    assert profile["PayloadContent"][0]["EmailAccountDescription"]
    prf = export(QQ, "--to", "outlook").body
    assert b"\r\n" in prf
    assert b"imap.qq.com" in prf
    assert export(QQ, "--to", "steps").stdout.startswith("#")


def test_the_same_export_twice_is_the_same() -> None:
    for name in EXPORTERS:
        if not load(name).SEVERAL_FILES:
            assert export(QQ, "--to", name).body == export(QQ, "--to", name).body


@pytest.mark.parametrize("target", ["file", "folder"])
def test_an_existing_file_is_replaced_only_with_force(target: str, tmp_path: Path) -> None:
    (file,) = mailsetup.export(QQ, "thunderbird", offline=True).files
    existing = tmp_path / file.name
    existing.write_bytes(b"precious")
    place = str(existing if target == "file" else tmp_path)
    assert_usage_error(export(QQ, "--to", "thunderbird", "-o", place))
    assert existing.read_bytes() == b"precious"
    assert export(QQ, "--to", "thunderbird", "-o", place, "--force").code == 0
    assert existing.read_bytes() == file.body


def test_the_name_of_a_file_stays_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for address in (
        '"../../../etc/passwd"@qq.com',
        '"a\\\\b:c*?"@qq.com',
        "..@qq.com",
        "-rf@qq.com",
        "con@qq.com",
        "CON.x@qq.com",
    ):
        for name in EXPORTERS:
            finished = export(address, "--to", name, "-o", str(folder), "--force")
            assert finished.code in {0, 1, 2}
    made = [path.relative_to(tmp_path).parts for path in tmp_path.rglob("*") if path.is_file()]
    assert made
    for parts in made:
        assert parts[0] == "folder"
        assert len(parts) == 2
        # Windows forbids these, and a leading dash would be an option to the next program.
        assert re.fullmatch(r"[^-<>:\"/\\|?*\x00-\x1f][^<>:\"/\\|?*\x00-\x1f]*[^ .]", parts[1]), parts[1]
        assert parts[1].partition(".")[0].upper() not in {"CON", "NUL", "AUX", "PRN"}, parts[1]


@pytest.mark.skipif(os.name != "posix", reason="the modes of POSIX")
def test_a_file_without_secrets_may_be_read_by_others(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        export(QQ, "--to", "thunderbird", "-o", str(tmp_path / "x.xml"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.xml").stat().st_mode) == 0o644


@pytest.mark.skipif(os.name != "posix", reason="the modes of POSIX")
@pytest.mark.parametrize("command", ["pass show mail", ""])
def test_a_file_that_is_added_to_is_closed_to_others_if_it_gets_a_password_command(
    command: str, tmp_path: Path
) -> None:
    file = tmp_path / "msmtprc"
    file.write_bytes(b"# mine\n")
    file.chmod(0o644)
    assert export(QQ, "--to", "msmtp", "-o", str(file), "--append", "--password-command", command).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == (0o600 if command else 0o644)


@pytest.mark.parametrize(
    "arguments",
    [
        [QQ],
        ["--to", "thunderbird"],
        [QQ, "--to", "netscape"],
        [QQ, "--to", "thunderbird", "--password-command", "pass show mail"],
        [QQ, "--to", "thunderbird", "--password", "secret"],
        [QQ, "--to", "thunderbird", "--protocol", "smtp"],
        [QQ, "--to", "thunderbird", "-o", "absent/folder/file.xml"],
        ["user@", "--to", "thunderbird"],
        ["a@b@c", "--to", "thunderbird"],
        [QQ, "--to", "thunderbird", "--json"],
        [QQ, "a@163.com", "--to", "thunderbird"],
        ["--list", QQ],
        ["--list", "--to", "thunderbird"],
        ["--list", "-o", "formats.txt"],
        ["--list", "--bundle", "folder"],
        [QQ, "--to", "thunderbird", "--client-version", "128"],
        [QQ, "--to", "thunderbird", "--append", "-o", "x.xml"],
        ["--bundle", "folder"],
        ["user@", "--bundle", "folder"],
        [QQ, "--to", "thunderbird", "--bundle", "folder"],
        [QQ, "--bundle", "folder", "-o", "x.xml"],
        [QQ, "--bundle", "folder", "--client-version", "1"],
        [QQ, "--bundle", "folder", "--append"],
        [QQ, "--bundle", "absent/folder"],
        [QQ, "--bundle", ""],
        [QQ, "--to", "thunderbird", "-o", ""],
        [QQ, "--to", "thunderbird-profile", "--profile", ""],
    ],
)
def test_wrong_usage_ends_with_one_line(arguments: list[str]) -> None:
    assert_usage_error(export(*arguments))


@pytest.mark.parametrize(
    ("target", "format_name"),
    [
        ("qq.com", "outlook"),  # a domain is nobody's account
        ("qq.com", "apple"),
        ("qq.com", "steps"),
        ("nobody.test", "thunderbird"),
        ("me@outlook.com", "outlook"),  # OAuth2 only
        ("me@outlook.com", "apple"),
        ("me@nobody.test", "thunderbird"),  # nothing known offline
        ("me@proton.me", "thunderbird"),  # no client access
        ("me@yahoo.com.cn", "steps"),  # closed
    ],
)
def test_what_cannot_be_exported_is_exit_code_1_and_writes_nothing(
    target: str, format_name: str, tmp_path: Path
) -> None:
    finished = export(target, "--to", format_name, "-o", str(tmp_path / "out"))
    assert (finished.code, finished.stdout) == (1, "")
    assert finished.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_domain_gets_the_file_that_its_administrator_can_publish(tmp_path: Path) -> None:
    finished = export("QQ.com", "--to", "thunderbird", "-o", str(tmp_path))
    assert (finished.code, finished.stdout) == (0, "")
    body = (tmp_path / "qq.com.xml").read_bytes()
    assert body == export(QQ, "--to", "thunderbird").body
    assert {e.text for e in ET.fromstring(body).iter("username")} == {"%EMAILADDRESS%"}
    assert "https://autoconfig.qq.com/mail/config-v1.1.xml" in finished.stderr


def test_the_parts_of_an_address_stay_placeholders_for_a_domain() -> None:
    config = ET.fromstring(export("icloud.com", "--to", "thunderbird").body)
    assert [e.text for e in config.iter("username")] == ["%EMAILLOCALPART%", "%EMAILADDRESS%"]


def test_a_format_about_one_person_refuses_a_domain_before_it_asks_the_network() -> None:
    with NameServer({}) as server:
        finished = run("export", "nobody.test", "--to", "apple", "--nameserver", server.option)
        assert server.questions == []
    assert (finished.code, finished.stdout) == (1, "")
    assert "one person" in finished.stderr


def test_a_list_of_addresses_is_refused_as_such() -> None:
    finished = run("export", "-", "--to", "thunderbird", stdin=b"user@qq.com\nuser@163.com\n")
    assert_usage_error(finished)
    assert "one address at a time" in finished.stderr


def test_a_dash_as_output_is_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    finished = export(QQ, "--to", "thunderbird", "-o", "-")
    assert (finished.code, finished.body) == (0, export(QQ, "--to", "thunderbird").body)
    assert list(tmp_path.iterdir()) == []


def test_the_place_for_the_file_is_told_with_its_name() -> None:
    stderr = export("me@163.com", "--to", "thunderbird").stderr
    assert "163.com.xml" in stderr
    assert "DOMAIN" not in stderr


def test_a_refusal_of_oauth2_says_what_works_instead() -> None:
    assert "--to steps" in export("me@outlook.com", "--to", "apple").stderr
    assert export("me@outlook.com", "--to", "steps").code == 0


def test_a_provider_with_oauth2_only_works_where_the_client_can_do_it() -> None:
    finished = export("me@outlook.com", "--to", "thunderbird")
    assert finished.code == 0
    assert b"<authentication>OAuth2</authentication>" in finished.body


def test_what_the_user_must_know_is_said_on_standard_error() -> None:
    finished = export("me@163.com", "--to", "outlook")
    assert finished.code == 0
    warnings = [line for line in finished.stderr.splitlines() if line.startswith("! ")]
    assert any("授权码" in line for line in warnings)
    assert any("--protocol pop3" in line for line in warnings)  # its IMAP demands ID, which Outlook may not send
    pop3 = export("me@163.com", "--to", "outlook", "--protocol", "pop3")
    assert b"pop.163.com" in pop3.body
    assert b"imap.163.com" not in pop3.body
    assert "--protocol pop3" not in pop3.stderr


def test_what_is_said_about_servers_that_demand_id_is_about_the_program() -> None:
    def about_id(name: str) -> int:
        stderr = export("me@163.com", "--to", name).stderr
        assert "wrong" not in stderr  # hosts that are copied around
        return len(re.findall(r"^! .*\bID command", stderr, re.MULTILINE))

    assert {name: about_id(name) for name in ("thunderbird", "k9", "offlineimap", "msmtp", "django")} == dict.fromkeys(
        ("thunderbird", "k9", "offlineimap", "msmtp", "django"), 0
    )
    assert {name: about_id(name) for name in ("mutt", "apple", "env")} == dict.fromkeys(("mutt", "apple", "env"), 1)


@pytest.mark.parametrize("name", ["张三", "张三 😀", "👩‍💻", 'O\'Neil "Zhang" & <Co>', "می‌خواهم"])
def test_the_display_name_is_written_or_it_is_said_where_to_type_it(name: str) -> None:
    profile = plistlib.loads(export(QQ, "--to", "apple", "--name", name).body)
    assert profile["PayloadContent"][0]["EmailAccountName"] == name
    steps = export(QQ, "--to", "steps", "--name", name).stdout
    assert name in re.sub(r"\\(.)", r"\1", steps)
    assert f"“{name}”" in export(QQ, "--to", "thunderbird", "--name", name).stderr


def test_a_name_that_outlook_cannot_hold_is_replaced_and_both_are_told() -> None:
    finished = export(QQ, "--to", "outlook", "--name", "张三 😀")
    assert f"\r\nDisplayName={QQ}\r\n".encode() in finished.body
    assert f"“张三 😀” was written as “{QQ}”" in finished.stderr


def test_the_formats_are_listed_for_people_and_for_programs() -> None:
    lines = run("export", "--list").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == list(EXPORTERS)
    records = run("export", "--list", "--json").records
    assert [record["format"] for record in records] == list(EXPORTERS)
    for record in records:
        assert set(record) == {
            *("format", "title", "files", "media_type", "protocols", "several_files", "needs_address", "judged_by"),
            *("password_command", "versions", "append"),
        }
        assert record["judged_by"] in {"client", "rules"}
        assert set(record["protocols"]) <= {"imap", "pop3", "smtp"}
        assert isinstance(record["several_files"], bool)
    assert "thunderbird" in [record["format"] for record in records if not record["needs_address"]]


def test_a_terminal_shows_the_formats_as_a_table() -> None:
    environment = {"FORCE_COLOR": "1", "COLUMNS": "80", "TERM": "dumb"}
    heading, *lines = run("export", "--list", env=environment).stdout.splitlines()
    assert re.findall(r"\w+", re.sub(r"\x1b\[[0-9;]*m", "", heading)) == ["Format", "Program", "Versions"]
    assert not any("\t" in line or len(line) > 80 for line in lines)
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(EXPORTERS)
    (himalaya,) = [line.split() for line in lines if line.startswith("himalaya ")]
    assert himalaya == ["himalaya", "himalaya", "2", "1"]


@pytest.mark.parametrize("name", [name for name in EXPORTERS if load(name).APPEND and name != "env"])
def test_accounts_are_added_to_a_file_one_after_the_other(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    add = ("--to", name, "-o", str(file), "--append")
    assert export(QQ, *add).code == 0
    first = file.read_bytes()
    assert export("li@126.com", *add).code == 0
    assert file.read_bytes().startswith(first + b"\n")
    assert (tmp_path / "file.bak1").read_bytes() == first
    assert_usage_error(export(QQ, *add))
    assert_usage_error(export("li@126.com", *add))


def test_variables_are_added_to_those_that_a_program_has_but_never_set_twice(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"DATABASE_URL=postgres://localhost/\n# SMTP_HOST=localhost\n")
    add = ("--to", "env", "-o", str(file), "--append")
    assert export(QQ, *add).code == 0
    added = file.read_bytes()
    assert added == (tmp_path / ".env.bak1").read_bytes() + b"\n" + export(QQ, "--to", "env").body
    for address in (QQ, "li@126.com"):
        again = export(address, *add)
        assert_usage_error(again)
        assert "sets MAIL_FROM already" in again.stderr
    assert file.read_bytes() == added


@pytest.mark.parametrize("name", [name for name in EXPORTERS if load(name).APPEND])
def test_what_to_add_to_an_existing_file_is_printed_and_the_file_left_alone(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"# mine\n")
    finished = export(QQ, "--to", name, "-o", str(file))
    assert finished.code == 2
    assert file.read_bytes() == b"# mine\n"
    addition = mailsetup.export(QQ, name, offline=True).addition
    assert addition is not None
    assert finished.body == addition.body
    assert "--append" in finished.stderr


@pytest.mark.parametrize("name", [name for name in EXPORTERS if load(name).VERSIONS])
def test_the_versions_to_choose_from_are_listed_and_taken(name: str) -> None:
    versions = load(name).VERSIONS
    (line,) = [line for line in run("export", "--list").stdout.splitlines() if line.startswith(f"{name}\t")]
    assert line.split("\t")[3].split() == list(versions)
    if not load(name).SEVERAL_FILES:
        assert len({export(QQ, "--to", name, "--client-version", version).body for version in versions}) > 1
    wrong = export(QQ, "--to", name, "--client-version", "0")
    assert_usage_error(wrong)
    assert ", ".join(versions) in wrong.stderr


def test_a_bundle_has_a_folder_for_each_format_and_a_list_of_them(tmp_path: Path) -> None:
    finished = export(QQ, "--bundle", str(tmp_path / "all"))
    assert (finished.code, finished.stdout) == (0, "")
    assert "授权码" in finished.stderr
    folders = {path.name for path in (tmp_path / "all").iterdir() if path.is_dir()}
    readme = (tmp_path / "all" / "README.md").read_text("utf-8")
    assert {"thunderbird", "outlook", "apple", "steps"} <= folders
    assert set(re.findall(r"^## (.+)$", readme, re.MULTILINE)) - {"Not possible"} == folders
    for name in folders:
        made = mailsetup.export(QQ, name, offline=True)
        for file in (*made.files, *made.forms):
            assert (tmp_path / "all" / name / file.name).read_bytes() == file.body
            assert f"]({name}/{file.name})" in readme
    refused = re.findall(r"\*\*(.+?)\*\*", readme.partition("## Not possible")[2])
    assert {name for name in EXPORTERS if name not in folders} == set(refused)


def test_a_bundle_says_which_formats_cannot_express_the_account_and_why(tmp_path: Path) -> None:
    assert export("me@outlook.com", "--bundle", str(tmp_path)).code == 0
    readme = (tmp_path / "README.md").read_text("utf-8")
    reasons = re.findall(r"^- \*\*(.+)\*\*: (.*)$", readme, re.MULTILINE)
    (reason,) = [reason for names, reason in reasons if "apple" in names.split("**, **")]
    assert "OAuth2" in reason
    assert len({reason for _names, reason in reasons}) == len(reasons)  # each is said once
    assert not (tmp_path / "apple").exists()
    assert (tmp_path / "thunderbird" / "outlook.com.xml").exists()


def test_a_bundle_replaces_nothing_and_writes_nothing_where_one_of_its_files_exists(tmp_path: Path) -> None:
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "qq.com.md").write_bytes(b"precious")
    assert_usage_error(export(QQ, "--bundle", str(tmp_path)))
    assert [path.name for path in tmp_path.rglob("*")] == ["steps", "qq.com.md"]
    assert export(QQ, "--bundle", str(tmp_path), "--force").code == 0
    assert (tmp_path / "steps" / "qq.com.md").read_bytes() != b"precious"


def test_a_bundle_for_an_account_without_usable_servers_is_refused_whole(tmp_path: Path) -> None:
    assert export("me@proton.me", "--bundle", str(tmp_path / "all")).code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_for_a_domain_has_the_formats_that_are_about_nobody(tmp_path: Path) -> None:
    assert export("qq.com", "--bundle", str(tmp_path)).code == 0
    assert (tmp_path / "thunderbird" / "qq.com.xml").exists()
    assert not (tmp_path / "outlook").exists()


def test_no_network_is_no_export() -> None:
    with SilentUDP() as silent:
        finished = run(
            *("export", "me@nobody.test", "--to", "steps", "--timeout", "0.5"),
            *("--nameserver", f"{silent.host}:{silent.port}"),
        )
    assert (finished.code, finished.stdout) == (3, "")


def test_a_discovered_domain_is_exported_too(lab: Lab) -> None:
    bare = run("export", "example.test", "--to", "thunderbird", *lab.network_options)
    finished = run("export", "fred@example.test", "--to", "thunderbird", *lab.network_options)
    assert finished.code == 0
    config = ET.fromstring(finished.body)
    assert {e.text for e in config.iter("hostname")} == {"mail.example.test", "smtp.example.test"}
    assert bare.body == finished.body
    untrusted = run("export", "fred@srvonly.test", "--to", "thunderbird", *lab.network_options)
    assert untrusted.code == 0
    assert "mail.example.test" in untrusted.stderr  # the warning names the hosts that nothing vouches for


def test_plaintext_settings_are_not_exported(lab: Lab) -> None:
    finished = run("export", "fred@plainonly.test", "--to", "steps", *lab.network_options)
    assert (finished.code, finished.stdout) == (1, "")
