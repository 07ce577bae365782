from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest
from accounts import ADDRESS, account, server, visible_text
from clients import INJECTIONS, User, need, user
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lab import Authority
from mailsetup.exporters import label, offlineimap
from mailsetup.model import Account, Protocol

IMAP = Protocol.IMAP

# What the program makes of each of so many files, with its own parser and its own evaluation of expressions. Debian
# keeps it out of the way of other programs.
READ = """
import json, os, sys, warnings
warnings.simplefilter("ignore")  # of Debian's package, which is older than its Python
sys.path.insert(0, "/usr/share/offlineimap3")
from offlineimap.CustomConfig import CustomConfigParser
from offlineimap.localeval import LocalEval
def read(path):
    config = CustomConfigParser()
    config.read(path)
    (name,) = config.getlist("general", "accounts", ",")
    remote = "Repository " + config.get("Account " + name, "remoterepository")
    local = "Repository " + config.get("Account " + name, "localrepository")
    found = {key: config.get(remote, key) for key in config.options(remote)}
    found["localfolders"] = config.get(local, "localfolders")
    if "remotepasseval" in found:
        found["password"] = LocalEval().eval(found["remotepasseval"])
    return found
print(json.dumps([read(os.path.expanduser(f"~/{number}.rc")) for number in range(int(sys.argv[1]))]))
"""


def rendered(source: Account) -> str:
    return offlineimap.render(source).files[0].body.decode()


def test_the_file_for_a_plain_account_ends_with_the_password_command() -> None:
    text = rendered(account()._replace(password_command="date +%s"))
    assert text.endswith(
        "[Repository zhang.wei@example.com-remote]\n"
        "type = IMAP\n"
        "remotehost = imap.example.com\n"
        "remoteport = 993\n"
        "ssl = yes\n"
        "starttls = no\n"
        "sslcacertfile = OS-DEFAULT\n"
        "remoteuser = zhang.wei@example.com\n"
        'remotepasseval = __import__("subprocess").check_output(\'date +%%s\', shell=True, encoding="utf-8")'
        '.partition("\\n")[0]\n'
    )


def test_percent_signs_are_doubled() -> None:
    assert "remoteuser = a%%b\n" in rendered(account(server(IMAP, username="a%b")))


@pytest.fixture(scope="module")
def somebody(authority: Authority) -> Iterator[User]:
    with user({}, authority.ca_file) as somebody:
        yield somebody


def read_back(somebody: User, *sources: Account) -> list[dict[str, str]]:
    for number, source in enumerate(sources):
        somebody.put(f"{number}.rc", offlineimap.render(source).files[0].body)
    done = somebody.run("/usr/bin/python3", "-c", READ, str(len(sources)))
    assert done.returncode == 0, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


@need("offlineimap")
@pytest.mark.servers
@pytest.mark.proves("offlineimap", "characters")
# Each example starts the program, so a failing one is shown as it was found.
@settings(deadline=None, max_examples=4, phases=(Phase.reuse, Phase.generate))
@given(values=st.lists(st.tuples(visible_text, visible_text, visible_text), min_size=5, max_size=20))
def test_any_text_is_read_back(somebody: User, values: list[tuple[str, str, str]]) -> None:
    sources = [
        account(server(IMAP, username=username))._replace(
            address=ADDRESS._replace(local_part=local_part),
            password_command=f"printf '%s\\n' {shlex.quote(secret)} more",
        )
        for username, local_part, secret in values
    ]
    found = read_back(somebody, *sources)
    assert [(read["remoteuser"], read["password"], read["localfolders"]) for read in found] == [
        (username, secret, f"~/Mail/{label(source.address)}")
        for source, (username, _local_part, secret) in zip(sources, values, strict=True)
    ]


@need("offlineimap")
@pytest.mark.servers
@pytest.mark.proves("offlineimap", "characters")
@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_is_run_but_the_password_command(somebody: User, text: str) -> None:
    source = account(server(IMAP, username=text))._replace(
        address=ADDRESS._replace(local_part=text), password_command="echo secret"
    )
    (found,) = read_back(somebody, source)
    assert (found["remoteuser"], found["password"]) == (text, "secret")
    assert not (somebody.home / "ran").exists()
