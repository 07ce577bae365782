"""What Windows, macOS and small systems do otherwise, simulated where the tests run.

Where it takes the program's own process, one is started with what that system lacks or does differently.
"""

from __future__ import annotations

import ast
import asyncio
import errno
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import dns.resolver
import pytest

from lab import Authority
from lab.fakes import SilentServer
from mailsetup import api, cli, piped, profiles
from mailsetup.deadline import Deadline
from mailsetup.errors import InputError
from mailsetup.model import AddressResult, NetworkOptions, Status
from mailsetup.net import Network, _connect_failed
from mailsetup.preferences import Preferences
from mailsetup.resolver import Resolver, system_nameservers

ROOT = Path(__file__).parent.parent
CODE_PAGES = ("cp936", "cp1252")  # of a Chinese and a Western Windows


def start(*words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run Python with ``words`` to its end, in English."""
    variables = {**os.environ, "MAILSETUP_LANG": "en", **(env or {})}
    for name in ("FORCE_COLOR", "PYTHONUTF8", "NO_COLOR"):
        variables.pop(name, None)
    return subprocess.run(
        [sys.executable, *words], input=stdin, capture_output=True, check=False, env=variables, cwd=ROOT, timeout=60
    )


def queries(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    return [json.loads(line)["query"] for line in done.stdout.splitlines()]


LIST = "user@qq.com\r\n用户@例子.test\r\n"


@pytest.mark.parametrize("written_in", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("code_page", CODE_PAGES)
@pytest.mark.parametrize("arguments", [["--json"], []], ids=["JSON", "text"])
def test_a_list_is_read_as_it_was_written_whatever_the_code_page(
    code_page: str, written_in: str, arguments: Sequence[str]
) -> None:
    arguments = ["-m", "mailsetup", "lookup", "-", "--offline", *arguments]
    done = start(*arguments, stdin=LIST.encode(written_in), env={"PYTHONIOENCODING": code_page})
    assert done.returncode == 1  # nothing is known about the second
    shown = done.stdout.decode(code_page)
    assert "user@qq.com" in shown
    assert "\ufeff" not in done.stdout.decode(code_page, "backslashreplace")
    assert done.stderr == b""
    if "--json" in arguments:
        assert queries(done) == ["user@qq.com", "用户@例子.test"]
    else:
        assert "用户@例子.test".encode(code_page, "backslashreplace") in done.stdout


def test_a_list_in_the_code_page_is_read_in_it() -> None:
    arguments = ["-m", "mailsetup", "lookup", "-", "--offline", "--json"]
    done = start(*arguments, stdin=LIST.encode("gbk"), env={"PYTHONIOENCODING": "gbk"})
    assert queries(done) == ["user@qq.com", "用户@例子.test"]


@pytest.mark.parametrize("written_in", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("code_page", CODE_PAGES)
def test_a_password_from_a_pipe_is_the_one_that_was_written(code_page: str, written_in: str) -> None:
    obtain = (
        "from mailsetup.password import Source, obtain; "
        "print(ascii(obtain(Source(password_stdin=True), 'qq.com', 'me@qq.com').reveal()))"
    )
    done = start("-c", obtain, stdin="密码é\r\n".encode(written_in), env={"PYTHONIOENCODING": code_page})
    assert (done.stdout.decode().strip(), done.stderr) == (ascii("密码é"), b"")


@pytest.mark.parametrize(
    ("beginning", "encoding"),
    [
        (b"user@qq.com", "utf-8"),
        ("用户".encode()[:-1], "utf-8"),  # what has come may end within a character
        ("用户".encode("gbk"), "gbk"),
        (b"\xef\xbb\xbfa", "utf-8-sig"),
        ("a".encode("utf-16-le"), "utf-8"),  # NUL is a character, and no address has it
        (b"\xff\xfea\0", "utf-16"),
        (b"\xfe\xff\0a", "utf-16"),
    ],
)
def test_the_encoding_is_told_from_the_beginning(beginning: bytes, encoding: str) -> None:
    assert piped.encoding_of(beginning, "gbk") == encoding


def test_standard_input_that_another_program_has_replaced_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced = io.StringIO("qq.com\n")
    monkeypatch.setattr(sys, "stdin", replaced)
    assert piped.standard_input() is replaced


class Unread(io.StringIO):
    """Standard output on Windows when whoever read it has gone."""

    def flush(self) -> None:
        raise OSError(22, "Invalid argument")

    def fileno(self) -> int:
        return self._file.fileno()

    def __init__(self, file: io.BufferedWriter) -> None:
        super().__init__()
        self._file = file


@pytest.mark.parametrize(("platform", "code"), [("win32", 0), ("linux", 2)])
def test_an_invalid_argument_is_the_end_of_a_pipe_on_windows_only(
    platform: str, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "output").open("wb") as file:
        monkeypatch.setattr(sys, "stdout", Unread(file))
        monkeypatch.setattr(sys, "platform", platform)
        assert cli.run(["--version"]) == code
    assert ("Invalid argument" in capsys.readouterr().err) == bool(code)


@pytest.mark.parametrize("code_page", CODE_PAGES)
def test_what_to_add_to_an_existing_file_is_the_same_bytes_in_every_code_page(code_page: str, tmp_path: Path) -> None:
    path = tmp_path / "msmtprc"
    arguments = ["export", "user@qq.com", "--to", "mbsync", "--password-command", "pass 密码é", "--offline"]
    whole = start("-m", "mailsetup", *arguments, env={"PYTHONIOENCODING": code_page})
    path.write_text("# mine\n", "utf-8")
    shown = start("-m", "mailsetup", *arguments, "-o", str(path), env={"PYTHONIOENCODING": code_page})
    assert (shown.returncode, shown.stdout) == (2, whole.stdout)
    assert "pass 密码é" in shown.stdout.decode()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", ["192.0.2.1", "2001:db8::1"]),
        ("nameserver fe80::1%en0\n", ["fe80::1%en0"]),  # as macOS writes it behind a home router
        # What makes no sense is left out, and does not hide the rest.
        ("# a comment\nnameserver\nnameserver dns.example\n search a..b\nnameserver 192.0.2.1:53\n", []),
        ("search a..b\noptions \xff ndots:x\nnameserver 192.0.2.1 # home\n", ["192.0.2.1"]),
        ("", []),
        (None, []),
    ],
    ids=["two", "link-local", "nonsense", "nonsense beside", "empty", "missing"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="resolv.conf is POSIX")
def test_the_resolvers_of_the_system_are_those_that_it_names(
    text: str | None, found: Sequence[str], tmp_path: Path
) -> None:
    path = tmp_path / "resolv.conf"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    assert system_nameservers(str(path)) == found


def test_a_registry_that_cannot_be_read_names_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable() -> None:
        raise FileNotFoundError(2, "no such key in the registry")

    monkeypatch.setattr("mailsetup.resolver.sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(dns.resolver, "Resolver", unreadable)
    assert system_nameservers() == []


def test_a_system_without_resolver_can_do_what_needs_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailsetup.resolver.system_nameservers", list)
    with SilentServer() as server:
        by_address, by_name = (
            api.probe(f"imaps://{host}:{server.port}", options=NetworkOptions(timeout_s=0.3, allow_private=True))
            for host in (server.host, "mail.test")
        )
    assert [result.code for result in (*by_address, *by_name)] == ["tls.timeout", "dns.no_resolver"]
    assert api.lookup("nobody.test").status is Status.FAILED
    with pytest.raises(InputError, match=r"input\.several_at_signs"):
        api.probe("a@b@c")


AUTHORITIES = (
    "import json, ssl, sys, types; from mailsetup import tls; tls.sys = types.SimpleNamespace(platform=sys.argv[1]); "
    "print(json.dumps([sorted(ca['serialNumber'] for ca in context.get_ca_certs()) "
    "for context in (tls.client_context(), ssl.create_default_context())]))"
)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has a store, whatever the environment")
@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_where_the_system_names_no_authorities_those_of_mozilla_are_trusted(folder: str, tmp_path: Path) -> None:
    # As Python of python.org on macOS, or a small container.
    (tmp_path / "empty").mkdir()
    nothing = {"SSL_CERT_FILE": str(tmp_path / "missing"), "SSL_CERT_DIR": str(tmp_path / folder)}
    trusted, of_the_system = json.loads(start("-c", AUTHORITIES, "darwin", env=nothing).stdout)
    assert len(trusted) > 100
    assert of_the_system == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has a store, whatever the environment")
def test_where_the_system_names_authorities_they_alone_are_trusted(authority: Authority) -> None:
    system = {"SSL_CERT_FILE": str(authority.ca_file), "SSL_CERT_DIR": ""}
    trusted, of_the_system = json.loads(start("-c", AUTHORITIES, "linux", env=system).stdout)
    assert trusted == of_the_system
    assert len(trusted) == 1


def test_windows_which_fetches_authorities_when_its_own_programs_meet_them_is_helped(authority: Authority) -> None:
    system = {"SSL_CERT_FILE": str(authority.ca_file), "SSL_CERT_DIR": ""}
    trusted, of_the_system = json.loads(start("-c", AUTHORITIES, "win32", env=system).stdout)
    assert len(trusted) > 100
    assert set(of_the_system) < set(trusted)


# Runs the program and presses Ctrl-C when Python does something for the n-th time that it reports to an audit hook:
# imports a module, opens a file, makes a socket. That is a moment whatever else the machine has to do.
INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import mailsetup.__main__ as program
moment, begin = int(sys.argv.pop(1)), program.main
def main():
    left = iter(range(moment - 1, -1, -1))
    sys.addaudithook(lambda _event, _arguments: next(left, None) == 0 and signal.raise_signal(signal.SIGINT))
    return begin()
program.main = main
program.program()
"""
NOWHERE = ["--nameserver", "127.0.0.1:9", "--timeout", "0.3"]  # nothing listens on the port
COMMANDS: dict[str, list[str]] = {
    "offline": ["lookup", "user@qq.com", "--offline"],
    "lookup": ["lookup", "nobody.test", *NOWHERE],
    "probe": ["probe", "imaps://127.0.0.1:9", "--allow-private", *NOWHERE],
    "export": ["export", "a@nobody.test", "--to", "mutt", *NOWHERE],
    "audit": ["audit", "nobody.test", *NOWHERE],
    "verify": ["providers", "verify", "qq", *NOWHERE],
}
MOMENTS = (1, 150, 420, 600, 1000, 1700)


@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_at_any_moment_ends_with_one_line(name: str) -> None:
    for moment in MOMENTS:
        done = start("-c", INTERRUPTED, str(moment), *COMMANDS[name])
        if moment > 500 and done.returncode != 130:  # it has come to its end before
            assert b"Traceback" not in done.stderr
            continue
        # Click ends the terminal's line first, behind its ^C.
        assert (moment, done.returncode, done.stderr.strip()) == (moment, 130, b"mailsetup: interrupted")


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_ctrl_c_twice_ends_with_one_line(moment: int) -> None:
    # The second one comes with the n-th step that is taken to end the program.
    interrupted = (
        "import signal, sys, mailsetup.__main__ as program\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "steps = iter(range(int(sys.argv[1]) - 1, -1, -1))\n"
        "def step(_frame, event, _argument):\n"
        "    if event == 'line' and next(steps, None) == 0: signal.raise_signal(signal.SIGINT)\n"
        "    return step\n"
        "def ending(frame, _event, _argument):\n"
        "    return step if frame.f_code.co_name == '_end_interrupted' else None\n"
        "def main():\n"
        "    sys.settrace(ending)\n"
        "    raise KeyboardInterrupt\n"
        "program.main = main\n"
        "program.program()"
    )
    done = start("-c", interrupted, str(moment))
    assert (done.returncode, done.stderr.strip()) == (130, b"mailsetup: interrupted")


def test_ctrl_c_while_python_clears_something_up_counts() -> None:
    interrupted = (
        "import signal, sys, mailsetup.__main__ as program\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Cleared:\n"
        "    def __del__(self): signal.raise_signal(signal.SIGINT)\n"
        "program.main = lambda: [Cleared() and 0, sys.stdout.write('never')][0]\n"
        "program.program()"
    )
    done = start("-c", interrupted)
    assert (done.returncode, done.stdout) == (130, b"")
    assert done.stderr.strip() == b"mailsetup: interrupted"


class AsyncTimeout(OSError):
    """How Windows ends a wait for a connection that nobody answered; its number says nothing to Python."""

    winerror = 121


def test_a_connection_that_windows_gives_up_has_timed_out() -> None:
    assert _connect_failed(AsyncTimeout(22, "The semaphore timeout period has expired")).code == "tcp.timeout"


def test_a_connection_that_is_cut_while_macos_sends_was_reset() -> None:
    assert _connect_failed(OSError(errno.EPROTOTYPE, "Protocol wrong type for socket")).code == "tcp.reset"


def test_a_machine_without_ipv6_uses_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without_ipv6(family: int, *rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *rest)

    async def connect(port: int) -> list[AddressResult]:
        attempts: list[AddressResult] = []
        network = Network(NetworkOptions(allow_private=True), Resolver(("127.0.0.1",)), Deadline(5))
        monkeypatch.setattr("mailsetup.net.socket.socket", without_ipv6)
        (await network.connect_to(["::1", "127.0.0.1"], port, attempts)).close()
        return attempts

    with SilentServer() as server:
        attempts = asyncio.run(connect(server.port))
    assert attempts == [AddressResult("::1", "failed", "tcp.unreachable"), AddressResult("127.0.0.1", "ok")]


def test_who_has_no_home_has_no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_name_or_number: object) -> None:
        raise KeyError

    for variable in ("HOME", "USERPROFILE", "HOMEPATH", "APPDATA"):
        monkeypatch.delenv(variable, raising=False)
    if sys.platform != "win32":
        monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(InputError, match=r"input\.no_profile"):
        profiles.find(profiles.DEFAULT)


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (["export", "user@qq.com", "--to", "thunderbird", "--offline", "-o", "~/x.xml"], "x.xml"),
        (["export", "user@qq.com", "--offline", "--bundle=~/all"], "all/README.md"),
        (["publish", "b.com", "--imap", "mail.b.com", "--smtp", "mail.b.com", "-o", "~/site"], "site/records.zone"),
    ],
    ids=["export", "bundle", "publish"],
)
def test_a_tilde_is_the_home_whether_or_not_the_shell_says_so(
    arguments: Sequence[str], written: str, tmp_path: Path
) -> None:
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    assert start("-m", "mailsetup", *arguments, env=home).returncode == 0
    assert (tmp_path / written).is_file()


# What Windows lacks; each import and each use of an event loop's POSIX half has an alternative there.
POSIX_MODULES = {"crypt", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
POSIX_LOOP = {"add_reader", "add_signal_handler", "add_writer", "create_unix_connection", "connect_read_pipe"}


def test_what_windows_lacks_is_used_by_the_lock_of_a_profile_only() -> None:
    used = set()
    for path in sorted((ROOT / "mailsetup").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            if isinstance(node, ast.Attribute) and node.attr in POSIX_LOOP:
                names = [node.attr]
            used |= {(path.stem, name) for name in names if name in POSIX_MODULES | POSIX_LOOP}
    assert used == {("profiles", "fcntl")}


def test_files_are_opened_with_an_encoding_or_as_bytes() -> None:
    # The default of Windows is a code page, and Python with -X warn_default_encoding tells who relies on it.
    arguments = ["-X", "warn_default_encoding", "-W", "error::EncodingWarning", "-m", "mailsetup"]
    export = ["export", "user@qq.com", "--to", "thunderbird", "--offline"]
    for command in (export, COMMANDS["lookup"], ["providers", "check"], ["explain", "535"], ["--lang", "zh", "--help"]):
        done = start(*arguments, *command)
        assert b"EncodingWarning" not in done.stderr
        assert b"Traceback" not in done.stderr


if sys.platform == "win32":

    @contextmanager
    def opened_alone(path: Path) -> Iterator[bool]:
        """Whether Windows opens ``path`` for us alone, as Thunderbird opens the lock of its profile."""
        import ctypes
        from ctypes import wintypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateFileW.restype = wintypes.HANDLE
        handle = wintypes.HANDLE(kernel.CreateFileW(str(path), 0xC0000000, 0, None, 2, 0, None))  # read, write; create
        try:
            yield handle.value != wintypes.HANDLE(-1).value
        finally:
            kernel.CloseHandle(handle)

    def test_a_profile_that_thunderbird_has_open_is_left_alone_and_one_in_work_is_not_opened(tmp_path: Path) -> None:
        (tmp_path / "prefs.js").write_text("", "utf-8")
        seen = []

        class Seen(Exception):
            """Enough was seen: no account is made."""

        def make(_keys: object) -> Preferences:
            with opened_alone(tmp_path / "parent.lock") as alone:
                seen.append(alone)
            raise Seen

        with opened_alone(tmp_path / "parent.lock") as alone:
            assert alone
            with pytest.raises(InputError, match=r"input\.profile_in_use"):
                profiles.add(tmp_path, make)
        assert seen == []
        with pytest.raises(Seen):
            profiles.add(tmp_path, make)
        assert not any(seen)
        with opened_alone(tmp_path / "parent.lock") as alone:
            assert alone
