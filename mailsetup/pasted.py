"""Text that people paste: bytes of any charset become lines of printable text, and secrets in them are masked. Pure.

People copy from terminals (colours), from tracebacks (bytes as escapes), from logs that were read in the wrong charset
(``ÇëÊ¹ÓÃ``), and with them what their client sent. Everything here takes time in proportion to the length of the text.
"""

from __future__ import annotations

import codecs
import re

from .wire import decode

MAX_BYTES = 64 * 1024
MASK = "***"  # as where a probe shows what was sent

# What colours and titles a terminal (ECMA-48 §5.4, §8.3.89), to go before the bytes are read as text.
_ESCAPES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_ASCII_OR_NOT = re.compile(r"[\x20-\x7e]+|[^\x20-\x7e]+")
_HEX_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_UTF16_ESCAPES = re.compile(r"(?:\\u[0-9A-Fa-f]{4})+")
_PYTHON_REPLY = re.compile(r"\(([2-5][0-9]{2}), b?['\"]")  # smtplib: (535, b'Error: authentication failed')
_REPLY_HYPHEN = re.compile(r"(?<![\w.-])([2-5][0-9]{2})-(?=[\w(<])")  # all but the last line of an SMTP reply
_CJK = re.compile("[\u4e00-\u9fff]")
# In which charset something was read by mistake, and in which it was written.
_MISREADINGS = (("latin-1", "gb2312"), ("cp1252", "gb2312"), ("latin-1", "utf-8"), ("cp1252", "utf-8"))

_SECRETS = (
    # What a client sends: AUTH PLAIN AGxp…, PASS …, a1 LOGIN li@example.com …
    re.compile(r"(?i:\b(?:AUTH|AUTHENTICATE) [A-Z0-9-]{3,20} )(?P<secret>\S+)"),
    re.compile(r"(?:^|[:>] ?)PASS (?P<secret>\S.*)"),
    re.compile(r"(?i:(?:^|[:>] ?)[A-Z]{1,6}[0-9]{1,9} LOGIN )\S+ (?P<secret>\S+)"),
    # password: …, "passwd"="…", 授权码是…
    re.compile(r"(?i:(?:password|passwd|pwd|\bpass|token|secret)[\"']?\s?[:=]\s?[\"']?)(?P<secret>[^\s\"']+)"),
    re.compile("(?:密码|口令|授权码)(?:[:：=]\\s?|是)[\"'“]?(?P<secret>[!-~]+)"),
    # Authorization codes and app passwords by their form: 16 letters of one case, or four groups of four.
    re.compile(r"(?<![\w.@/-])(?P<secret>[a-z]{16}|[A-Z]{16}|[a-z]{4}(?: [a-z]{4}){3})(?![\w.@/-])"),
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{20,}={0,2}")  # long enough for a user name and a password


def lines(data: bytes) -> list[str]:
    """The lines of ``data`` that hold anything printable, without escape sequences and control characters."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # what PowerShell writes
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    data = _ESCAPES.sub(b"", data.removeprefix(codecs.BOM_UTF8))
    shown = (_corrected(_unescaped(decode(line))).strip() for line in data.replace(b"\t", b" ").splitlines())
    return [line for line in shown if line]


def searchable(text: str) -> str:
    """``text`` with replies as servers write them: the code first, then a space, then what they say."""
    return _REPLY_HYPHEN.sub(r"\1 ", _PYTHON_REPLY.sub(r"\1 ", text))


def masked(text: str) -> str:
    """``text``, a line, without what may be a password, an authorization code or a token."""
    for pattern in _SECRETS:
        text = pattern.sub(_mask, text)
    return _BASE64.sub(lambda match: MASK if _is_base64(match[0]) else match[0], text)


def _mask(match: re.Match[str]) -> str:
    start = match.start("secret") - match.start()
    return match[0][:start] + MASK + match[0][start + len(match["secret"]) :]


def _is_base64(word: str) -> bool:
    """Whether it is no word or path after all: those rarely mix capitals, small letters and digits."""
    kinds = (any(map(kind, word)) for kind in (str.isupper, str.islower, str.isdigit))
    return word.endswith("=") or sum(kinds) == 3


def _unescaped(line: str) -> str:
    """``line`` with the escapes of Python and JSON for bytes and characters resolved."""
    if "\\" not in line:
        return line
    parts = (_unescaped_bytes(part) if "\\x" in part else part for part in _ASCII_OR_NOT.findall(line))
    return _UTF16_ESCAPES.sub(_unescaped_characters, "".join(parts))


def _unescaped_bytes(ascii_text: str) -> str:
    # As a whole: the second byte of a Chinese character in GB18030 may be a letter.
    return decode(_HEX_ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), ascii_text.encode()))


def _unescaped_characters(match: re.Match[str]) -> str:
    units = bytes.fromhex(match[0].replace("\\u", ""))
    return decode(units.decode("utf-16-be", "replace").encode())


def _corrected(line: str) -> str:
    """``line``, read again in the right charset if it was not: only that makes Chinese of all its accented letters."""
    if line.isascii() or _CJK.search(line):
        return line
    for wrong, right in _MISREADINGS:
        try:
            again = line.encode(wrong).decode(right)
        except UnicodeError:
            continue  # not misread in this way
        if _CJK.search(again):
            return "".join(character for character in again if character.isprintable())
    return line
