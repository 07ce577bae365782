"""The one reader of strangers' XML; what a configuration file may look like is tested with ``clientconfig``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsetup import xmlfile
from mailsetup.errors import InvalidConfig


def code(body: bytes) -> str:
    with pytest.raises(InvalidConfig) as refusal:
        xmlfile.read(body, "root")
    return refusal.value.code


def test_names_are_read_without_their_prefixes() -> None:
    root = xmlfile.read(b'<x:root xmlns:x="u:x"><x:a> text </x:a><b/></x:root>', "root")
    assert [root.tag, *(child.tag for child in root)] == ["root", "a", "b"]
    assert [xmlfile.text_of(root, name) for name in ("a", "b", "c")] == ["text", "", ""]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "discover.not_autoconfig"),
        (b"<other/>", "discover.not_autoconfig"),
        (b"<other><root/></other>", "discover.not_autoconfig"),
        (b"<!DOCTYPE html><html></html>", "discover.not_autoconfig"),
        (b"<html><body>caf\xe9</body></html>", "discover.not_autoconfig"),
        (b"<root>caf\xe9</root>", "xml.encoding"),
        (b"<root>", "xml.syntax"),
        (b"<root/><root/>", "xml.syntax"),
        (b"<!DOCTYPE root [<!ENTITY a 'b'>]><root>&a;</root>", "xml.dtd"),
        (b"<!DOCTYPE root SYSTEM 'file:///etc/passwd'><root/>", "xml.dtd"),
        (b"<root>" + b"<a>" * xmlfile.MAX_DEPTH + b"</a>" * xmlfile.MAX_DEPTH + b"</root>", "xml.depth"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_not_read(body: bytes, expected: str) -> None:
    assert code(body) == expected


def test_the_deepest_element_that_is_read() -> None:
    depth = xmlfile.MAX_DEPTH - 1
    assert xmlfile.read(b"<root>" + b"<a>" * depth + b"</a>" * depth + b"</root>", "root").tag == "root"


@given(st.binary(max_size=60) | st.text(alphabet="<>/root!x&;'\" ", max_size=60).map(str.encode))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    try:
        assert xmlfile.read(body, "root").tag == "root"
    except InvalidConfig as refusal:
        assert refusal.code.startswith(("xml.", "discover.not_autoconfig"))
