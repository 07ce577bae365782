"""Outlook's Autodiscover through the registry: three files, the first two as the Registry Editor reads them."""

from __future__ import annotations

import re

import pytest
from accounts import account, provider, server

from mailsetup import address
from mailsetup.exporters import outlook_autodiscover, outlook_registry
from mailsetup.model import Account, Protocol

IMAP = Protocol.IMAP


def registry(body: bytes) -> dict[str, dict[str, str | int | None]]:
    """The keys and values that a registry file sets; None for a value that it deletes."""
    assert body.startswith(b"\xff\xfe")
    lines = body[2:].decode("utf-16-le").split("\r\n")
    assert not any("\n" in line for line in lines)
    assert lines[0] == "Windows Registry Editor Version 5.00"
    assert lines[1] == lines[-1] == ""
    keys: dict[str, dict[str, str | int | None]] = {}
    values: dict[str, str | int | None] = {}
    for line in filter(None, lines[1:]):
        if key := re.fullmatch(r"\[(HKEY_CURRENT_USER(?:\\[^\\\]]+)+)\]", line):
            values = keys.setdefault(key[1], {})
            continue
        setting = re.fullmatch(r'"((?:[^"\\]|\\.)*)"=(?:"((?:[^"\\]|\\.)*)"|dword:([0-9a-f]{8})|-)', line)
        assert setting
        name, text, number = setting.groups()
        values[_unescaped(name)] = int(number, 16) if number else None if text is None else _unescaped(text)
    return keys


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def files(source: Account) -> tuple[dict[str, dict[str, str | int | None]], dict[str, dict[str, str | int | None]]]:
    setting, undoing, _answer = outlook_registry.render(source).files
    return registry(setting.body), registry(undoing.body)


def test_the_answer_is_found_by_the_domain_in_a_folder_that_others_cannot_change() -> None:
    made = outlook_registry.render(account())
    setting, _undoing = files(account())
    path = r"C:\ProgramData\mailsetup\example.com.xml"
    key = r"HKEY_CURRENT_USER\Software\Microsoft\Office\16.0\Outlook\AutoDiscover"
    assert setting == {key: {"PreferLocalXML": 1, "example.com": path}}
    assert [file.name for file in made.files] == ["example.com.reg", "example.com-undo.reg", "example.com.xml"]
    assert path.endswith("\\" + made.files[2].name)
    assert made.files[2:] == outlook_autodiscover.render(account()).files
    assert path.rpartition("\\")[0] in outlook_registry.WHERE


def test_the_second_file_takes_back_what_the_first_sets() -> None:
    setting, undoing = files(account())
    assert undoing == {key: dict.fromkeys(values) for key, values in setting.items()}


@pytest.mark.parametrize(("version", "key"), [("", "16.0"), ("2016", "16.0"), ("2013", "15.0"), ("2007", "12.0")])
def test_each_version_of_outlook_has_a_key_of_its_own(version: str, key: str) -> None:
    for keys in files(account()._replace(client_version=version)):
        assert list(keys) == [rf"HKEY_CURRENT_USER\Software\Microsoft\Office\{key}\Outlook\AutoDiscover"]


def test_an_internationalised_domain_is_written_in_ascii() -> None:
    setting, _undoing = files(account()._replace(address=address.parse("li@例子.中国")))
    ((_key, values),) = setting.items()
    assert "xn--fsqu00a.xn--fiqs8s" in values


def test_what_must_be_known_is_what_must_be_known_of_the_answer() -> None:
    source = account(server(IMAP), provider=provider("imap-id"))
    assert outlook_registry.render(source).notices == outlook_autodiscover.render(source).notices != ()
