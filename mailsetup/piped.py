"""Standard input as text: files and pipes hold what their writer thought best, whatever this system's encoding."""

from __future__ import annotations

import codecs
import sys
from typing import TextIO

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def standard_input() -> TextIO:
    """``sys.stdin``, in the encoding of what has come: by its byte order mark, else UTF-8 if it is that, else as it is.

    To Windows every pipe has the code page of the system, in which UTF-8 is a wrong name instead of an error. Call it
    before anything is read: it waits for the first bytes. A terminal knows its encoding.
    """
    stream = sys.stdin
    peek = getattr(getattr(stream, "buffer", None), "peek", None)  # a program that uses ours may have replaced it
    if peek is None or stream.isatty() or not (beginning := peek()):
        return stream
    encoding = encoding_of(beginning, stream.encoding)
    if encoding != stream.encoding and hasattr(stream, "reconfigure"):
        # UTF-16 that ends within a character has no byte that could be kept.
        stream.reconfigure(encoding=encoding, errors="replace" if encoding == "utf-16" else stream.errors)
    return stream


def encoding_of(beginning: bytes, otherwise: str) -> str:
    """The encoding of a text that has this ``beginning``."""
    for mark, encoding in _MARKS:
        if beginning.startswith(mark):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(beginning)  # which may end within a character
    except UnicodeDecodeError:
        return otherwise
    return "utf-8"
