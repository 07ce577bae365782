"""XML that strangers publish, read strictly: no DTD, no entities, bounded depth, and only encodings that are safe.

Fetching, and the limit on its size, is the caller's business.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET
from xml.parsers import expat

from .errors import InvalidConfig

MAX_DEPTH = 32

# What a declaration may name besides UTF-8: encodings that real files use, each strict and without state.
_ENCODINGS = frozenset({"utf-16", "iso-8859-1", "iso-8859-15", "windows-1252", "gb2312", "gbk", "gb18030", "big5"})
_DECLARED_ENCODING = re.compile(rb"""\A<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")


def read(body: bytes, root: str) -> ET.Element:
    """The element ``root`` of the file, all names without their namespace prefix.

    Raise InvalidConfig: ``discover.not_autoconfig`` (something else, often an HTML page), ``xml.syntax``, ``xml.dtd``,
    ``xml.depth``, ``xml.encoding``.
    """
    text = _decode(body, root)
    builder = ET.TreeBuilder()
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        tag = name.rpartition(":")[2]
        if depth == 0 and tag != root:
            raise InvalidConfig("discover.not_autoconfig")
        depth += 1
        if depth > MAX_DEPTH:
            raise InvalidConfig("xml.depth", limit=str(MAX_DEPTH))
        builder.start(tag, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name.rpartition(":")[2])

    def refuse_doctype(name: str, _system_id: str | None, _public_id: str | None, has_internal_subset: bool) -> None:
        # Expat reports it before it reads any entity declaration. XHTML pages carry one that declares nothing.
        is_page = name.lower() == "html" and not has_internal_subset
        raise InvalidConfig("discover.not_autoconfig" if is_page else "xml.dtd")

    parser = expat.ParserCreate("utf-8")  # overrides the declaration, which _decode has dealt with
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        # A web page fails before or at its first tag; a broken configuration is worth a precise complaint.
        if depth == 0 and f"<{root}" not in text:
            raise InvalidConfig("discover.not_autoconfig") from None
        raise InvalidConfig("xml.syntax", line=str(error.lineno), column=str(error.offset + 1)) from None
    return builder.close()


def text_of(parent: ET.Element, name: str) -> str:
    """The text of the first child ``name`` without the space around it; "" if there is none."""
    return (parent.findtext(name) or "").strip()


def _decode(body: bytes, root: str) -> str:
    """The text of the file: UTF-8 whatever it declares, else a declared encoding that is safe to follow."""
    encoding = "utf-8"
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"  # a byte order mark is a declaration, too (XML 1.0 §4.3.3)
    elif b"\0" in body[:4]:
        raise _undecodable(body, root, "utf-16")  # or UTF-32, without the byte order mark that XML demands
    else:
        try:
            return body.decode("utf-8-sig")
        except UnicodeDecodeError:
            if declared := _DECLARED_ENCODING.match(body):
                encoding = declared[1].decode().lower()
    if encoding not in _ENCODINGS:
        raise _undecodable(body, root, encoding)
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        raise _undecodable(body, root, encoding) from None


def _undecodable(body: bytes, root: str, encoding: str) -> InvalidConfig:
    """Why ``body`` is no text: many web pages that answer any request are in an old encoding, too."""
    if root.encode() in body.replace(b"\0", b""):
        return InvalidConfig("xml.encoding", encoding=encoding)
    return InvalidConfig("discover.not_autoconfig")
