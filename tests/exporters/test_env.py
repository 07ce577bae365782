"""Environment variables: a shell, python-dotenv and the rules of ``docker --env-file`` read the same from the file."""

from __future__ import annotations

import shutil
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from accounts import ADDRESS, account, server, visible_text
from dotenv import dotenv_values
from hypothesis import example, given, settings

from mailsetup import address
from mailsetup.errors import ExportError
from mailsetup.exporters import env
from mailsetup.model import Account, Authentication, Notice, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
SHELLS = [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)]
PLAIN = """\
MAIL_FROM=zhang.wei@example.com
SMTP_HOST=smtp.example.com
SMTP_PORT=465
SMTP_SECURITY=tls
SMTP_USER=zhang.wei@example.com
IMAP_HOST=imap.example.com
IMAP_PORT=993
IMAP_SECURITY=tls
IMAP_USER=zhang.wei@example.com
"""


def body(source: Account) -> str:
    return env.render(source).files[0].body.decode()


def read_as_docker(text: str) -> dict[str, str]:
    """Lines that begin with # are comments; what follows the first = of another line is the value, quotes and all."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def read_as_shell(text: str, shell: str, folder: Path) -> dict[str, str]:
    """What a program gets that is started after the file was sourced."""
    (folder / "x.env").write_text(text, "utf-8")
    command = [shell, "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*command, "-c", "set -a; . ./x.env; exec /usr/bin/env -0"],
        capture_output=True,
        check=True,
        cwd=folder,
        env={"LC_ALL": "C.UTF-8"},
    )
    assert done.stderr == b""
    assert [path.name for path in folder.iterdir()] == ["x.env"]  # nothing was run that left a trace
    variables = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)
    return {name: value for name, value in variables.items() if name.startswith(("MAIL_", "SMTP_", "IMAP_", "POP3_"))}


def test_a_plain_account() -> None:
    assert body(account()) == PLAIN


def test_every_protocol_has_its_preferred_server() -> None:
    source = account(
        server(POP3), server(IMAP, Security.STARTTLS), server(IMAP), outgoing=(server(SMTP, Security.STARTTLS),)
    )
    variables = read_as_docker(body(source))
    securities = {name: value for name, value in variables.items() if name.endswith(("_SECURITY", "_PORT"))}
    assert securities == {
        "SMTP_PORT": "587",
        "SMTP_SECURITY": "starttls",
        "POP3_PORT": "995",
        "POP3_SECURITY": "tls",
        "IMAP_PORT": "143",
        "IMAP_SECURITY": "starttls",
    }


def test_what_is_added_to_the_variables_of_a_program_are_all_the_lines() -> None:
    addition = env.render(account()).addition
    assert addition is not None
    assert addition.body.decode() == PLAIN
    assert addition.variables == tuple(read_as_docker(PLAIN))


def test_different_user_names_for_receiving_and_sending_are_kept() -> None:
    variables = read_as_docker(body(account(server(IMAP, username="zhang.wei"))))
    assert (variables["IMAP_USER"], variables["SMTP_USER"]) == ("zhang.wei", str(ADDRESS))


def test_an_internationalised_domain_is_written_as_a_labels() -> None:
    source = account()._replace(address=address.parse("li@例子.中国"))
    assert read_as_docker(body(source))["MAIL_FROM"] == "li@xn--fsqu00a.xn--fiqs8s"


def test_sending_without_login_has_no_user() -> None:
    assert "SMTP_USER" not in body(account(outgoing=(server(SMTP, Security.TLS, Authentication.NONE),)))


def test_oauth2_alone_is_refused() -> None:
    with pytest.raises(ExportError, match=r"export\.oauth2"):
        body(account(server(IMAP, Security.TLS, Authentication.OAUTH2)))


def test_the_display_name_is_left_to_the_program() -> None:
    assert env.render(account()).notices == (Notice("export.no_display_name", {"name": "Zhang Wei"}),)


@pytest.mark.parametrize("field", ["address", "username"])
@pytest.mark.parametrize(
    "name", ["o'neil", "a#b", "$HOME", "a`id`", "domain\\fred", "~root", "a;b", "a&b", "{a,b}", "*"]
)
def test_what_the_readers_disagree_about_is_refused_by_name(field: str, name: str) -> None:
    source = account(server(IMAP, username=name))
    if field == "address":
        source = account()._replace(address=ADDRESS._replace(local_part=name))
    with pytest.raises(ExportError) as refusal:
        body(source)
    assert (refusal.value.code, refusal.value.facts["field"]) == ("export.unsafe_value", field)


@pytest.mark.proves("env", "parsed")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_what_docker_reads(shell: str, tmp_path: Path) -> None:
    assert read_as_shell(PLAIN, shell, tmp_path) == read_as_docker(PLAIN)


@pytest.mark.proves("env", "parsed")
def test_python_dotenv_reads_what_docker_reads() -> None:
    assert dotenv_values(stream=StringIO(PLAIN)) == read_as_docker(PLAIN)


@pytest.mark.proves("env", "characters")
@settings(deadline=None, max_examples=60)
@given(username=visible_text, local_part=visible_text)
@example(username="=a,b:c%d+e-f/g@h_i.j", local_part="用户")
@example(username="$(touch x)", local_part="a")
@example(username="-n", local_part="--")
def test_any_names_are_read_alike_or_refused(
    tmp_path_factory: pytest.TempPathFactory, username: str, local_part: str
) -> None:
    source = account(server(IMAP, username=username))._replace(address=ADDRESS._replace(local_part=local_part))
    try:
        text = body(source)
    except ExportError as refusal:
        assert refusal.facts["field"] in ("address", "username")
        return
    expected = {**read_as_docker(PLAIN), "IMAP_USER": username, "MAIL_FROM": f"{local_part}@example.com"}
    assert read_as_docker(text) == expected
    assert dotenv_values(stream=StringIO(text)) == expected
    for shell in SHELLS:
        assert read_as_shell(text, shell, tmp_path_factory.mktemp("shell")) == expected
