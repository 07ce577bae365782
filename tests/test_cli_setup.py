"""``mailsetup setup`` as a person meets it: in a terminal, against real servers, in both languages."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents import UPDATE, read, replace
from lab import Lab
from mailsetup import i18n, profiles
from mailsetup.exporters import EXPORTERS
from mailsetup.text import cells
from product import run
from terminal import CTRL_C, CTRL_D, Ended, posix, session

pytestmark = posix

FRED = "fred@example.test"
WRONG = "Wrong-Canary"
LANGUAGES = pytest.mark.parametrize("language", i18n.LANGUAGES)
# What is typed in a whole conversation that needs no network: preparations, protocol, program, file.
OFFLINE = ("setup", "--offline", "li@qq.com")
OFFLINE_ANSWERS = ("", "1", "apple", "")
DOCUMENTS = {"en": "docs/setup.md", "zh": "docs/setup.zh-CN.md"}


def play(
    *arguments: str, answers: tuple[str | bytes, ...], folder: Path, language: str = "en", columns: int = 80
) -> Ended:
    """Run to the end with one answer to each question."""
    with session(*arguments, folder=folder, language=language, columns=columns) as running:
        for answer in answers:
            running.answer(answer)
        return running.end()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the program runs; what it writes there is all that it leaves."""
    place = tmp_path / "here"
    place.mkdir()
    yield place
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def masked(transcript: str) -> str:
    """``transcript`` without what differs from run to run: milliseconds, days of a certificate, and so line breaks."""
    return "".join(re.sub(r"\d+(?=\s+(?:ms|more\s+days|毫秒|天))", "…", transcript).split())


@LANGUAGES
def test_the_conversation_in_the_documents_is_one_that_took_place(lab: Lab, language: str, folder: Path) -> None:
    password = lab.accounts[FRED]
    with session("setup", *lab.network_options, folder=folder, language=language) as running:
        for answer in (FRED, "1", WRONG, password):
            running.answer(answer)
        running.wait_for_question()
        (number,) = re.findall(r"(\d+)\. .*Apple", running.shown)
        running.answer(number)
        running.answer("")
        ended = running.end()
    assert (ended.code, ended.echo) == (0, True)
    assert password not in ended.shown
    assert WRONG not in ended.shown
    (written,) = folder.iterdir()
    assert b"com.apple.mail.managed" in written.read_bytes()
    assert password.encode() not in written.read_bytes()
    document = read(DOCUMENTS[language])
    (block,) = document.blocks("text")
    printed = "$ mailsetup setup\n" + ended.shown
    if UPDATE and masked(printed) != masked(block.body):
        replace(document, block.body, printed)
    else:
        assert masked(block.body) == masked(printed)


@LANGUAGES
@pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("step", range(len(OFFLINE_ANSWERS)))
def test_it_can_be_interrupted_at_every_question(step: int, key: str, language: str, folder: Path) -> None:
    with session(*OFFLINE, folder=folder, language=language) as running:
        for answer in OFFLINE_ANSWERS[:step]:
            running.answer(answer)
        question = running.wait_for_question()
        running.type(key)
        ended = running.end()
    assert (ended.code, ended.echo) == (130, True)
    assert "Traceback" not in ended.shown
    lines = ended.shown.splitlines()
    assert lines[-1] in ("mailsetup: interrupted", "mailsetup: 已中断")
    assert lines[-2].removesuffix("^C").rstrip() == question.rstrip()
    assert list(folder.iterdir()) == []


@LANGUAGES
@pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=["Ctrl-C", "Ctrl-D"])
def test_it_can_be_interrupted_at_the_password_and_the_terminal_shows_again_what_is_typed(
    lab: Lab, key: str, language: str, folder: Path
) -> None:
    with session("setup", FRED, *lab.network_options, folder=folder, language=language) as running:
        running.answer("1")
        running.wait_for_question()
        running.type(key)
        ended = running.end()
    assert (ended.code, ended.echo) == (130, True)
    assert "Traceback" not in ended.shown


def test_it_can_be_interrupted_while_the_network_is_asked(lab: Lab, folder: Path) -> None:
    with session("setup", "fred@slow.test", *lab.network_options, folder=folder) as running:
        running.wait_for("slow.test …")
        running.type(CTRL_C)
        ended = running.end()
    assert (ended.code, ended.echo) == (130, True)
    assert ended.shown.endswith("mailsetup: interrupted\n")


@pytest.mark.parametrize(
    ("address", "answers", "code", "words"),
    [
        ("fred@unknown.test", ("",), 1, "does not exist"),
        ("fred@empty.test", (), 1, "nothing found"),
        ("fred@err500.test", (), 3, "could not find out"),
    ],
)
def test_the_end_of_a_conversation_without_settings_is_told_by_the_exit_code(
    lab: Lab, address: str, answers: tuple[str, ...], code: int, words: str, folder: Path
) -> None:
    ended = play("setup", address, *lab.network_options, answers=answers, folder=folder)
    assert ended.code == code
    assert words in " ".join(ended.shown.split())


def test_three_refusals_are_the_last_and_a_fault(lab: Lab, folder: Path) -> None:
    arguments = ("setup", FRED, *lab.network_options)
    ended = play(*arguments, answers=("1", WRONG, WRONG, WRONG, "n"), folder=folder)
    assert ended.code == 4
    assert "providers lock the account" in " ".join(ended.shown.split())
    assert WRONG not in ended.shown


def test_servers_that_do_not_work_are_a_fault_and_cost_no_password(lab: Lab, folder: Path) -> None:
    arguments = ("setup", "fred@hosted.test", "--no-ispdb", *lab.network_options)
    ended = play(*arguments, answers=("", "1", ""), folder=folder)
    assert ended.code == 4
    assert "There is no host called imap.exmail.qq.com" in " ".join(ended.shown.split())
    assert "all the same" in ended.shown


def test_without_a_login_no_password_is_asked_for(lab: Lab, folder: Path) -> None:
    ended = play("setup", FRED, "--no-login", *lab.network_options, answers=("2", ""), folder=folder)
    assert ended.code == 0
    assert "the login was not tried" in ended.shown
    assert "POP3" in ended.shown and "mail.example.test" in ended.shown


def test_another_user_name_may_be_given(lab: Lab, folder: Path) -> None:
    arguments = ("setup", "nobody@example.test", "--user", FRED, *lab.network_options)
    ended = play(*arguments, answers=("1", lab.accounts[FRED], "n"), folder=folder)
    assert "IMAP mail.example.test:993 SSL/TLS: works, login included" in " ".join(ended.shown.split())
    assert ended.code == 4  # but it may not send as somebody else


def test_bytes_that_are_no_text_are_no_password(lab: Lab, folder: Path) -> None:
    arguments = ("setup", FRED, *lab.network_options)
    ended = play(*arguments, answers=("1", b"\xffabc", lab.accounts[FRED], ""), folder=folder)
    assert ended.code == 0
    assert "Please type it again." in " ".join(ended.shown.split())
    assert "tries left" not in ended.shown


def test_the_trace_of_a_login_does_not_hold_the_password(lab: Lab, folder: Path) -> None:
    password = lab.accounts[FRED]
    arguments = ("setup", FRED, "--debug", *lab.network_options)
    ended = play(*arguments, answers=("1", password, ""), folder=folder)
    assert ended.code == 0
    assert "AUTHENTICATE PLAIN" in ended.shown
    assert password not in ended.shown


@LANGUAGES
def test_it_needs_no_more_than_a_terminal_that_prints_lines(language: str, folder: Path) -> None:
    for columns in (80, 44):
        ended = play(*OFFLINE, answers=("", "2", "msmtp", "-"), folder=folder, language=language, columns=columns)
        assert ended.code == 0
        assert "\x1b" not in ended.shown
        conversation = ended.shown.partition(" msmtp\n")[0]
        wide = [line for line in conversation.splitlines() if cells(line.rstrip()) > columns]
        assert [line for line in wide if "https://" not in line] == []  # an address of a page is never broken
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("answer", ["", "n"])
def test_an_existing_file_stays_unless_the_user_says_otherwise(answer: str, folder: Path) -> None:
    existing = folder / "qq.com.mobileconfig"
    existing.write_text("mine")
    ended = play(*OFFLINE, answers=(*OFFLINE_ANSWERS, answer, "other"), folder=folder)
    assert ended.code == 0
    assert existing.read_text() == "mine"
    assert (folder / "other").stat().st_size > 1000


def test_an_existing_file_is_replaced_on_request(folder: Path) -> None:
    existing = folder / "qq.com.mobileconfig"
    existing.write_text("mine")
    assert play(*OFFLINE, answers=(*OFFLINE_ANSWERS, "y"), folder=folder).code == 0
    assert "PayloadContent" in existing.read_text("utf-8")
    assert list(folder.iterdir()) == [existing]


def test_an_account_is_added_to_a_file_for_many(folder: Path) -> None:
    existing = folder / "msmtprc"
    existing.write_text("account mine\nhost smtp.example.com\n")
    existing.chmod(0o600)
    assert play(*OFFLINE, answers=("", "1", "msmtp", "", ""), folder=folder).code == 0
    text = existing.read_text("utf-8")
    assert text.startswith("account mine\n") and "smtp.qq.com" in text
    assert {path.name for path in folder.iterdir()} == {"msmtprc", "msmtprc.bak1"}
    assert stat.S_IMODE(existing.stat().st_mode) == 0o600


def test_several_files_go_to_a_folder_and_none_of_them_is_replaced_unasked(folder: Path) -> None:
    answers = ("", "1", "outlook-registry", "")
    assert play(*OFFLINE, answers=answers, folder=folder).code == 0
    (place,) = folder.iterdir()
    before = {path.name: path.stat().st_mtime_ns for path in place.iterdir()}
    assert len(before) > 1
    ended = play(*OFFLINE, answers=(*answers, "n", "elsewhere"), folder=folder)
    assert ended.code == 0
    assert {path.name: path.stat().st_mtime_ns for path in place.iterdir()} == before
    assert {path.name for path in (folder / "elsewhere").iterdir()} == set(before)


@pytest.mark.parametrize("path", ["no/such/file", "x" * 300, "/dev/null/file"])
def test_a_place_that_cannot_be_written_to_is_told_and_the_question_asked_again(path: str, folder: Path) -> None:
    ended = play(*OFFLINE, answers=(*OFFLINE_ANSWERS[:-1], path, "file"), folder=folder)
    assert ended.code == 0
    assert "cannot be written" in " ".join(ended.shown.split())
    assert [path.name for path in folder.iterdir()] == ["file"]


@pytest.mark.parametrize("name", EXPORTERS)
def test_every_format_can_be_shown_or_written(name: str, folder: Path) -> None:
    answers = ("", "1", "") if name == "steps" else ("", "1", name, "")
    ended = play(*OFFLINE, answers=answers, folder=folder, columns=120)
    assert ended.code == 0, ended.shown
    assert "Traceback" not in ended.shown


def test_thunderbird_on_this_computer_gets_the_account(folder: Path) -> None:
    root = profiles.roots(sys.platform, {}, folder)[0]
    profile = root / "mine"
    profile.mkdir(parents=True)
    (root / "profiles.ini").write_text("[Profile0]\nName=mine\nIsRelative=1\nPath=mine\nDefault=1\n")
    (profile / "prefs.js").write_text('user_pref("mail.accountmanager.accounts", "");\n')
    ended = play(*OFFLINE, answers=("", "1", "1", ""), folder=folder)
    assert ended.code == 0
    assert "Thunderbird has the account" in " ".join(ended.shown.split())
    assert '"imap.qq.com"' in (profile / "prefs.js").read_text("utf-8")


def test_without_thunderbird_on_this_computer_it_is_said_and_the_steps_are_left(folder: Path) -> None:
    ended = play(*OFFLINE, answers=("", "1", "1", "", "n"), folder=folder)
    assert ended.code == 0
    assert "no profile of Thunderbird was found" in " ".join(ended.shown.split())
    assert "# Set up li@qq.com in a mail program" in ended.shown


@pytest.mark.parametrize("typed", [b"\xff", b"\x1b[D"])
def test_what_is_no_text_is_asked_for_again(typed: str | bytes, folder: Path) -> None:
    ended = play("setup", "--offline", answers=(typed, "li@nowhere.example"), folder=folder)
    assert ended.code == 1
    assert "Please type it again." in " ".join(ended.shown.split())
    assert "li@nowhere.example: nothing found" in ended.shown


@LANGUAGES
@pytest.mark.parametrize("arguments", [(), ("li@qq.com",), ("--offline",)], ids=str)
def test_without_a_terminal_it_is_one_line_that_names_the_other_commands(
    arguments: tuple[str, ...], language: str
) -> None:
    try:
        finished = run("setup", *arguments, env={"MAILSETUP_LANG": language})
    finally:
        i18n.use("en")
    assert (finished.code, finished.stdout) == (2, "")
    (line,) = finished.stderr.splitlines()
    assert line.startswith("mailsetup: error: ")
    assert all(word in line for word in ("lookup", "probe", "export"))
