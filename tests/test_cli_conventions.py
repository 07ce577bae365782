"""What holds for every command: help, language, colour, terminals, pipes and signals."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from clock import Stopwatch
from lab.fakes import SilentServer
from mailsetup.cli import mailsetup as root
from product import run

REPOSITORY = Path(__file__).parent.parent
posix = pytest.mark.skipif(os.name != "posix", reason="needs the terminals and signals of POSIX")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command and group below ``group``, itself included."""
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


COMMANDS = list(commands(root))


def test_the_commands_of_the_contract_are_there() -> None:
    expected = {
        ("lookup",),
        ("probe",),
        ("export",),
        ("explain",),
        ("providers", "list"),
        ("providers", "show"),
        ("providers", "check"),
    }
    assert expected <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_a_help_page_in_both_languages(path: tuple[str, ...]) -> None:
    pages = [run(*path, option) for option in ("-h", "--help")]
    assert [page.code for page in pages] == [0, 0]
    assert pages[0] == pages[1]
    assert "Usage: mailsetup" in pages[0].stdout
    assert pages[0].stderr == ""
    for arguments in (
        (*path, "--help", "--lang", "zh"),
        (*path, "--lang", "zh", "--help"),
        ("--lang", "zh", *path, "-h"),
    ):
        page = run(*arguments)
        assert (page.code, page.stderr) == (0, "")
        assert "用法" in page.stdout or "查询" in page.stdout or re.search(r"[\u4e00-\u9fff]", page.stdout)


def test_the_version_is_told() -> None:
    finished = run("--version")
    assert finished.code == 0
    assert re.fullmatch(r"mailsetup \d+\.\d+\.\d+\S*\n", finished.stdout)


def test_no_command_at_all_shows_the_help_and_is_wrong_usage() -> None:
    finished = run()
    assert (finished.code, finished.stdout) == (2, "")
    assert "Usage: mailsetup" in finished.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["lookup"],
        ["lookup", "--frobnicate", "qq.com"],
        ["lookup", "qq.com", "--offline", "--online"],
        ["lookup", "qq.com", "--protocol", "exchange"],
        ["lookup", "qq.com", "--timeout", "0"],
        ["lookup", "qq.com", "--timeout", "soon"],
        ["lookup", "qq.com", "--timeout", "nan"],
        ["lookup", "qq.com", "--jobs", "0"],
        ["lookup", "qq.com", "--lang", "fr"],
        ["lookup", "unknown.test", "--nameserver", "dns.example"],
        ["lookup", "unknown.test", "--ispdb", "ispdb.example"],
        ["lookup", "unknown.test", "--ispdb", "http://ispdb.example/"],
        ["lookup", "unknown.test", "--ispdb", "https://fred:secret@ispdb.example/"],
        ["lookup", "unknown.test", "--ispdb", "https://ispdb.example/?d="],
        ["lookup", "unknown.test", "--nameserver", "127.0.0.1:9", "--ca-file", "absent.pem"],
        ["probe"],
        ["probe", "qq.com", "--password", "secret"],
        ["export", "--to"],
        ["providers", "frobnicate"],
        ["providers", "show"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str]) -> None:
    finished = run(*arguments)
    assert (finished.code, finished.stdout) == (2, "")
    assert re.fullmatch(r"mailsetup: error: [^\n]+\n", finished.stderr)


CHINESE = "没有内容"  # of "user@ 的 @ 后面没有内容"


@pytest.mark.parametrize(
    ("arguments", "env", "chinese"),
    [
        ([], {}, False),
        ([], {"LANG": "zh_CN.UTF-8"}, True),
        ([], {"LANG": "zh_TW.UTF-8"}, True),
        ([], {"LANG": "fr_FR.UTF-8"}, False),
        ([], {"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, False),
        ([], {"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, True),
        ([], {"MAILSETUP_LANG": "zh", "LC_ALL": "en_US.UTF-8"}, True),
        ([], {"MAILSETUP_LANG": "en", "LC_ALL": "zh_CN.UTF-8"}, False),
        (["--lang", "zh"], {"LC_ALL": "en_US.UTF-8"}, True),
        (["--lang=zh"], {}, True),
        (["--lang", "en"], {"LANG": "zh_CN.UTF-8", "MAILSETUP_LANG": "zh"}, False),
    ],
)
def test_the_language_is_chosen_by_option_then_environment(
    arguments: list[str], env: dict[str, str], chinese: bool
) -> None:
    before, after = run(*arguments, "lookup", "user@", env=env), run("lookup", "user@", *arguments, env=env)
    assert (CHINESE in before.stderr) == (CHINESE in after.stderr) == chinese
    assert before.code == after.code == 2


def test_records_are_the_same_in_every_language_but_for_their_texts() -> None:
    english, chinese = (
        run("lookup", "user@qq.com", "--offline", "--json", "--lang", language).record for language in ("en", "zh")
    )
    assert english["warnings"] != chinese["warnings"]
    assert [w["code"] for w in english["warnings"]] == [w["code"] for w in chinese["warnings"]]
    assert english["incoming"] == chinese["incoming"]
    assert english["outgoing"] == chinese["outgoing"]


def test_colour_is_used_where_it_is_forced_and_never_in_json() -> None:
    arguments = ["lookup", "user@qq.com", "--offline"]
    assert "\x1b[" not in run(*arguments).stdout
    assert "\x1b[" in run(*arguments, env={"FORCE_COLOR": "1"}).stdout
    colourless = run(*arguments, env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", colourless)
    assert "\x1b" not in run(*arguments, "--json", env={"FORCE_COLOR": "1"}).stdout


def test_an_output_that_is_not_unicode_gets_escapes_and_no_crash() -> None:
    for encoding in ("ascii", "gbk", "latin-1"):
        for arguments in (["lookup", "user@qq.com", "--offline", "--json"], ["providers", "list", "--lang", "zh"]):
            finished = subprocess.run(
                [sys.executable, "-m", "mailsetup", *arguments],
                env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
                capture_output=True,
                cwd=REPOSITORY,
                check=False,
            )
            assert (finished.returncode, finished.stderr) == (0, b"")
            assert finished.stdout.decode(encoding)


@posix
def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f'"{sys.executable}" -m mailsetup providers list --json | head -1; exit "${{PIPESTATUS[0]}}"'
    finished = subprocess.run(["bash", "-c", command], capture_output=True, cwd=REPOSITORY, check=False)
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert finished.stdout.count(b"\n") == 1


@posix
@pytest.mark.parametrize("arguments", ["lookup user@qq.com --json", "export user@qq.com --to steps", "providers list"])
def test_an_output_that_cannot_be_written_is_one_line(arguments: str) -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("needs a full device")
    command = f'"{sys.executable}" -m mailsetup {arguments} > /dev/full'
    finished = subprocess.run(["bash", "-c", command], capture_output=True, cwd=REPOSITORY, check=False)
    assert finished.returncode == 2
    assert finished.stderr.startswith(b"mailsetup: error: <stdout> cannot be written: ")
    assert finished.stderr.count(b"\n") == 1


@posix
@pytest.mark.parametrize(
    ("arguments", "code"),
    [("lookup user@qq.com >&-", 0), ("lookup --offline - <&-", 0), ("lookup a@b@c 2>&-", 2)],
)
def test_a_stream_that_is_closed_is_an_empty_one(arguments: str, code: int) -> None:
    command = f'"{sys.executable}" -m mailsetup {arguments}'
    finished = subprocess.run(["bash", "-c", command], capture_output=True, cwd=REPOSITORY, check=False)
    assert (finished.returncode, finished.stdout, finished.stderr) == (code, b"", b"")


def heed_interrupts() -> None:
    """Undo what a shell does to programs in the background, such as the one that runs these tests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@posix
def test_an_interrupt_ends_with_130_and_without_a_traceback() -> None:
    with SilentServer() as server:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mailsetup", "probe", f"imaps://{server.host}:{server.port}"),
                *("--allow-private", "--nameserver", "127.0.0.1:9", "--debug"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
            preexec_fn=heed_interrupts,
        )
        with server.accept():  # the probe is at work
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stdout) == (130, b"")
    assert stderr.split() == [b"mailsetup:", b"interrupted"]


@posix
def test_an_interrupt_ends_several_targets_too() -> None:
    with SilentServer() as server:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mailsetup", "probe", "-", "--allow-private"),
                *("--nameserver", "127.0.0.1:9"),
            ],
            stdin=subprocess.PIPE,  # and it stays open: reading it must not hold the end up
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
            preexec_fn=heed_interrupts,
        )
        assert process.stdin is not None
        process.stdin.write(f"imaps://{server.host}:{server.port}\n".encode())
        process.stdin.flush()
        with server.accept():
            watch = Stopwatch()
            process.send_signal(signal.SIGINT)
            process.wait(10)
        assert watch.is_within(2, slack_s=3)
        _stdout, stderr = process.communicate()
    assert (process.returncode, stderr.split()) == (130, [b"mailsetup:", b"interrupted"])


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """The two ends of a pseudo-terminal: ours and the program's."""
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def run_in_terminal(
    arguments: Sequence[str], *, prompt: bytes = b"", typed: bytes = b"", env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """The exit code of a command in a terminal, and everything it showed there; ``typed`` answers its ``prompt``."""
    with terminal() as (ours, theirs):
        process = subprocess.Popen(
            [sys.executable, "-m", "mailsetup", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=REPOSITORY,
            env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", **(env or {})},
            start_new_session=True,
        )
        os.close(theirs)
        shown = b""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.2)[0]:
                continue
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # how Linux tells that the other end is closed
                break
            if not chunk:
                break
            shown += chunk
            if prompt and prompt in shown:
                os.write(ours, typed)
                prompt = b""
        return process.wait(10), shown.decode()


@posix
def test_a_terminal_gets_a_table_in_colour() -> None:
    code, shown = run_in_terminal(["lookup", "user@qq.com", "--offline"])
    assert code == 0
    assert "\x1b[1m" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert re.search(r"IMAP +imap\.qq\.com +993 +SSL/TLS +user@qq\.com", plain)


@posix
def test_a_terminal_without_colour_gets_a_table_without_colour() -> None:
    _code, shown = run_in_terminal(["lookup", "user@qq.com", "--offline"], env={"NO_COLOR": "1"})
    assert "imap.qq.com" in shown
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", shown)


@posix
def test_json_in_a_terminal_is_still_json() -> None:
    code, shown = run_in_terminal(["lookup", "user@qq.com", "--offline", "--json"])
    assert code == 0
    assert "\x1b" not in shown


@posix
def test_a_password_typed_in_a_terminal_is_not_shown() -> None:
    arguments = [
        *("probe", "imaps://127.0.0.1:9", "--login", "--user", "me", "--allow-private", "--timeout", "2"),
        *("--nameserver", "127.0.0.1:9"),
    ]
    code, shown = run_in_terminal(arguments, prompt=b"Password", typed=b"Canary-7f3e\n")
    assert code == 4
    assert "Canary-7f3e" not in shown


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        (("--lang", "en"), "mailsetup"),
        (("nonsense",), "mailsetup"),
        (("lookup",), "mailsetup lookup"),
        (("lookup", "--jobs", "many", "qq.com"), "mailsetup lookup"),
        (("providers", "show", "qq", "163"), "mailsetup providers show"),
    ],
    ids=str,
)
def test_a_wrong_command_line_names_the_help_page_that_says_what_is_right(
    arguments: tuple[str, ...], page: str
) -> None:
    finished = run(*arguments)
    assert (finished.code, finished.stderr.count("\n")) == (2, 1)
    assert finished.stderr.endswith(f"; see `{page} --help`\n")


@pytest.mark.parametrize("arguments", [("lookup", "--onlin", "qq.com"), ("export", "user@qq.com")], ids=str)
def test_what_says_already_what_is_right_names_no_help_page(arguments: tuple[str, ...]) -> None:
    assert "--help" not in run(*arguments).stderr


def test_who_types_only_an_address_is_told_which_commands_take_one() -> None:
    finished = run("li@qq.com")
    assert (finished.code, finished.stdout) == (2, "")
    assert finished.stderr == (
        "mailsetup: error: a command comes first: `mailsetup lookup li@qq.com`, or `mailsetup setup li@qq.com`\n"
    )
    assert "\x1b" not in run("a@\x1b[2J").stderr
