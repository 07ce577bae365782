"""The QR code for Thunderbird for Android: its content by the app's rules, its pictures by a reader of codes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from accounts import ADDRESS, account, provider, server, visible_text
from hypothesis import given, settings

from mailsetup import address
from mailsetup.errors import ExportError
from mailsetup.exporters import Export
from mailsetup.exporters import thunderbird_android as exporter
from mailsetup.model import Account, Authentication, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS
READER = shutil.which("zbarimg")
NEEDS_READER = pytest.mark.skipif(READER is None, reason="zbarimg is not installed")


def content(source: Account) -> Any:
    return json.loads(exporter.render(source).files[0].body)


def read_code(picture: Path) -> bytes:
    """The content of the code in ``picture``."""
    assert READER is not None
    command = [READER, "--quiet", "--raw", "--set", "binary=1", str(picture)]
    return subprocess.run(command, capture_output=True, check=True).stdout.removesuffix(b"\n")


def form(export: Export, suffix: str) -> bytes:
    (body,) = (file.body for file in export.forms if file.name.endswith(suffix))
    return body


def test_the_content_for_a_plain_account() -> None:
    body = exporter.render(account()).files[0].body
    assert body == (
        b'[1,[1,1],[0,"imap.example.com",993,3,1,"zhang.wei@example.com"],'
        b'[[[0,"smtp.example.com",465,3,1,"zhang.wei@example.com"],["zhang.wei@example.com","Zhang Wei"]]]]'
    )


def test_pop3_starttls_and_different_user_names_are_told_apart() -> None:
    source = account(
        server(POP3, STARTTLS, Authentication.ENCRYPTED_PASSWORD, username="zhang"),
        outgoing=(server(SMTP, STARTTLS, Authentication.NONE),),
        display_name="",
    )
    assert content(source)[2:] == [
        [1, "pop.example.com", 110, 2, 2, "zhang"],
        [[[0, "smtp.example.com", 587, 2, 0, str(ADDRESS)], [str(ADDRESS), ""]]],
    ]


@pytest.mark.parametrize("host", sorted(exporter.OAUTH2_HOSTS))
def test_oauth2_is_written_where_the_app_can_do_it(host: str) -> None:
    source = account(server(IMAP, TLS, Authentication.APP_PASSWORD, Authentication.OAUTH2, host=host))
    assert content(source)[2] == [0, host, 993, 3, 6, str(ADDRESS)]


def test_oauth2_alone_anywhere_else_is_refused_and_gives_way_to_a_password() -> None:
    host = "mail.imap.gmail.com"  # below one of its hosts is not at it
    with pytest.raises(ExportError) as caught:
        exporter.render(account(server(IMAP, TLS, Authentication.OAUTH2, host=host)))
    assert (caught.value.code, caught.value.facts) == ("export.oauth2", {"host": host})
    both = server(IMAP, TLS, Authentication.OAUTH2, Authentication.APP_PASSWORD, host=host)
    assert content(account(both))[2][4] == 1


@pytest.mark.parametrize("method", [Authentication.NTLM, Authentication.KERBEROS])
def test_logins_that_the_app_rejects_are_refused(method: Authentication) -> None:
    with pytest.raises(ExportError) as caught:
        exporter.render(account(server(IMAP, TLS, method)))
    assert caught.value.code == "export.authentication"


def test_the_app_sends_id_and_needs_no_notice() -> None:
    assert exporter.render(account(provider=provider("imap-id"))).notices == ()


@pytest.mark.parametrize(
    ("text", "code"), [("张伟@example.com", "export.non_ascii"), ('"a b"@example.com', "export.unsafe_value")]
)
def test_an_address_that_the_app_takes_for_none_is_refused_by_name(text: str, code: str) -> None:
    with pytest.raises(ExportError) as caught:
        exporter.render(account()._replace(address=address.parse(text)))
    assert (caught.value.code, caught.value.facts) == (code, {"field": "address", "value": text})


def test_an_internationalised_domain_is_written_in_ascii() -> None:
    source = account()._replace(address=address.parse("li@例子.中国"))
    assert content(source)[3][0][1][0] == "li@xn--fsqu00a.xn--fiqs8s"


@settings(deadline=None, max_examples=30)  # each makes two pictures
@given(visible_text, visible_text)
def test_any_text_is_in_the_content_which_is_ascii(name: str, username: str) -> None:
    source = account(server(IMAP, username=username), display_name=name)
    assert exporter.render(source).files[0].body.isascii()
    found = content(source)
    assert (found[3][0][1][1], found[2][5]) == (name, username)
    # The app takes nothing but numbers and text there, each in its place.
    assert [type(value) for value in found[2]] == [int, str, int, int, int, str]


@NEEDS_READER
@pytest.mark.parametrize("name", ["Zhang Wei", '张伟 "x" \\ 👩\N{ZERO WIDTH JOINER}💻', "x" * 500])
def test_a_reader_of_codes_reads_the_picture(tmp_path: Path, name: str) -> None:
    export = exporter.render(account(display_name=name))
    picture = tmp_path / "code.png"
    picture.write_bytes(form(export, ".png"))
    assert read_code(picture) == export.files[0].body


@NEEDS_READER
def test_a_reader_of_codes_reads_what_a_terminal_shows(tmp_path: Path) -> None:
    export = exporter.render(account())
    halves = {" ": "00", "▀": "10", "▄": "01", "█": "11"}
    rows = ["".join(halves[character][half] * 4 for character in row) for row in export.drawing for half in (0, 1)]
    pixels = [row for row in rows for _times in range(4)]
    picture = tmp_path / "code.pbm"
    picture.write_text(f"P1\n{len(pixels[0])} {len(pixels)}\n" + "\n".join(pixels) + "\n", "ascii")
    assert read_code(picture) == export.files[0].body


def test_both_pictures_and_the_terminal_show_the_same_code() -> None:
    from xml.etree import ElementTree as ET

    export = exporter.render(account())
    modules = len(export.drawing[0])
    width, height = (int.from_bytes(form(export, ".png")[start : start + 4]) for start in (16, 20))  # the IHDR chunk
    drawing = ET.fromstring(form(export, ".svg"))
    assert width == height == int(drawing.get("width", "")) == modules * 8
    assert {path.get("fill") or path.get("stroke") for path in drawing.iter("{http://www.w3.org/2000/svg}path")} == {
        "#fff",
        "#000",
    }
    # A margin of four modules all around (ISO/IEC 18004), and the corner of a finder pattern behind it.
    assert [row.strip() for row in (*export.drawing[:2], *export.drawing[-2:])] == [""] * 4
    assert export.drawing[2].startswith("    █▀▀▀▀▀█ ")
