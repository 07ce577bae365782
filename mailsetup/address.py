"""Addresses and domains, parsed once and strictly; everything behind this module trusts them.

Follows RFC 5321 §4.1.2 and §4.5.3.1 (mailbox syntax and limits), RFC 6531 (UTF-8 local parts), RFC 1123 §2.1 (host
names) and UTS 46 (internationalised domains). Host names from the network pass through ``parse_host``.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from .errors import InputError
from .model import Address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from publicsuffixlist import PublicSuffixList

MAX_ADDRESS_OCTETS = 254  # RFC 5321 §4.5.3.1.3: a path has 256 octets, two of them are angle brackets
MAX_LOCAL_PART_OCTETS = 64
MAX_DOMAIN_OCTETS = 253
MAX_LOGIN_CHARACTERS = 512  # no standard's limit; a template of an address, or what a server made of one, is shorter
MAX_URL_CHARACTERS = 2048  # no standard's limit; what names a file of settings is much shorter

_DOTS = (".", "\u3002", "\uff0e", "\uff61")  # what UTS 46 takes for a dot: 。 is how Chinese input methods type it
# Sets, not regular expressions: compiling one over all of Unicode takes longer than a whole offline lookup. A test of
# the whole text costs less than a loop over its characters, which counts in a list of 100,000 addresses.
_LETTERS_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_HOST_NAME = _LETTERS_DIGITS | {"-", "."}
# RFC 5322 §3.2.3: atext, and the dots between the atoms
_DOT_ATOM = _LETTERS_DIGITS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+/=?^_`{|}~-.")

# For internationalised domains, which take a hundred times as long as others: a list has few of them, each many times.
_remembered = lru_cache(maxsize=1000)


def parse(text: str) -> Address:
    """An address or a bare domain as typed by a user; raise InputError (``input.*``) with the reason."""
    if not text:
        raise InputError("input.empty")
    if not text.isprintable():
        if all(character.isprintable() or _is_space(character) for character in text):
            raise InputError("input.spaces", query=text)
        raise InputError("input.control_character", query=printable(text))
    if text[0] == " " or text[-1] == " ":
        raise InputError("input.spaces", query=text)
    if "@" not in text:
        if "＠" in text:
            raise InputError("input.fullwidth_at", query=text)
        return _with_domain(None, text, text)
    local_part, domain = _split_at_sign(text)
    _check_local_part(local_part, text)
    address = _with_domain(local_part, domain, text)
    if len(local_part.encode()) + 1 + len(address.domain) > MAX_ADDRESS_OCTETS:
        raise InputError("input.address_too_long", query=text, limit=str(MAX_ADDRESS_OCTETS))
    return address


def parse_domain(text: str) -> Address:
    """A bare domain as typed by a user; raise InputError (``input.*``) with the reason, for an address, too."""
    address = parse(text)
    if address.local_part is not None:
        raise InputError("input.not_a_domain", domain=address.domain)
    return address


def parse_host(text: str) -> str:
    """A host name from the network as lower-case A-labels; raise InputError unless it is a usable public name.

    Numeric addresses and single labels are refused: nothing that publishes mail settings needs them, and they are a
    way into a private network.
    """
    if not text.isascii() or "xn--" in text.lower():
        return _idna_encode(text, text)
    return _ascii_domain(text.lower(), text)


def parse_port(text: str) -> int | None:
    """A port from 1 to 65535 in plain digits, else None; ``int`` would take signs, spaces and underscores as well."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return None
    port = int(text)
    return port if 1 <= port <= 65535 else None


def parse_url(text: str, schemes: Iterable[str] = ("https",)) -> str | None:
    """A URL from the network, its host as A-labels and without fragment; None unless it is safe to show and to follow.

    Refused are other ``schemes``, user names in it (RFC 3986 §7.5), hosts that ``parse_host`` refuses, and characters
    that belong into no URL.
    """
    from urllib.parse import urlsplit  # 8 ms: only discovery meets URLs

    if not text.isprintable() or " " in text or len(text) > MAX_URL_CHARACTERS:
        return None  # urlsplit would leave out line breaks and tabs
    try:
        parts = urlsplit(text)
        host, port = parse_host(parts.hostname or ""), parts.port
    except ValueError:  # InputError is one
        return None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme not in schemes or "@" in parts.netloc or port == 0 or not target.isascii():
        return None
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{target}"


def is_login_name(text: str) -> bool:
    """Whether a login name, or a template of one, from the network is safe to show and to write into files."""
    return text.isprintable() and len(text) <= MAX_LOGIN_CHARACTERS


def is_subdomain(name: str, parent: str) -> bool:
    """Whether ``name`` is ``parent`` or below it, on label boundaries."""
    return name == parent or name.endswith("." + parent)


def same_owner(host: str, domain: str) -> bool:
    """Whether ``host`` lies under the registrable domain of ``domain``."""
    return is_subdomain(host, registrable_domain(domain))


def registrable_domain(domain: str) -> str:
    """The registrable domain of ``domain`` by the Public Suffix List, private section included.

    A domain that is itself a public suffix is its own: there is nothing above it that its owner controls.
    """
    return owned_domain(domain) or domain


def owned_domain(name: str) -> str | None:
    """The registrable domain of ``name``, None for a public suffix: whoever asked there would ask a registry."""
    labels = name.split(".")
    found = _suffixes().privatesuffix(_as_listed(labels))
    return None if found is None else ".".join(labels[-1 - found.count(".") :])


def is_public_suffix(domain: str) -> bool:
    """Whether anybody can register names below ``domain``; the private section is left out: it has mail domains."""
    return bool(_suffixes(only_icann=True).is_public(_as_listed(domain.split("."))))


@cache
def _suffixes(*, only_icann: bool = False) -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # reads 300 KB; only discovery and the compiler need it

    # Encoding each of its names takes twice as long as reading them, and in a lookup everything waits for it.
    return PublicSuffixList(only_icann=only_icann, accept_encoded_idn=False)


def _as_listed(labels: Iterable[str]) -> str:
    """A name in U-labels, as the Public Suffix List has them."""
    return ".".join(map(to_unicode, labels))


def printable(text: str) -> str:
    """``text`` with every character that could act on a terminal escaped."""
    unsafe = (c for c in set(text) if not c.isprintable())
    return text.translate({ord(c): c.encode("unicode_escape").decode() for c in unsafe})


def _split_at_sign(text: str) -> tuple[str, str]:
    if text.startswith('"'):
        end = _end_of_quotes(text)
        if text[end : end + 1] != "@":
            raise InputError("input.bad_quoting", query=text)
        local_part, domain = text[:end], text[end + 1 :]
    else:
        local_part, _, domain = text.partition("@")
    if "@" in domain:
        raise InputError("input.several_at_signs", query=text)
    if not local_part:
        raise InputError("input.no_local_part", query=text)
    if not domain:
        raise InputError("input.no_domain", query=text)
    return local_part, domain


def _end_of_quotes(text: str) -> int:
    """The position behind the closing quote of a quoted string (RFC 5321 §4.1.2), 0 if there is none."""
    position = 1
    while position < len(text):
        if text[position] == '"':
            return position + 1
        position += 2 if text[position] == "\\" else 1
    return 0


def _check_local_part(local_part: str, query: str) -> None:
    if len(local_part.encode()) > MAX_LOCAL_PART_OCTETS:
        raise InputError("input.local_part_too_long", query=query, limit=str(MAX_LOCAL_PART_OCTETS))
    if local_part.startswith('"'):
        return  # matched as a whole when it was split off
    if " " in local_part:
        raise InputError("input.spaces", query=query)
    if local_part[0] == "." or local_part[-1] == "." or ".." in local_part:
        raise InputError("input.bad_local_part", query=query)
    if not _DOT_ATOM.issuperset(local_part) and any(c.isascii() and c not in _DOT_ATOM for c in local_part):
        raise InputError("input.bad_local_part", query=query)


def _with_domain(local_part: str | None, domain: str, query: str) -> Address:
    if " " in domain:  # the only space that is printable
        raise InputError("input.spaces", query=query)
    if domain.startswith("[") or _is_ip_address(domain):
        raise InputError("input.ip_address", query=query)
    if local_part is None and domain.endswith(_DOTS) and len(domain) > 1:
        domain = domain[:-1]  # a bare domain may be written fully qualified
    name = domain.lower()
    if domain.isascii() and "xn--" not in name:
        _ascii_domain(name, query)
        return Address(local_part, name, name)
    name = _idna_encode(domain, query)
    return Address(local_part, name, to_unicode(name))


@_remembered
def to_unicode(domain: str) -> str:
    """A domain in A-labels as people read it; unchanged where a label is not valid IDNA."""
    if "xn--" not in domain:
        return domain
    import idna  # 10 ms, and most domains are plain ASCII

    try:
        return idna.decode(domain)
    except idna.IDNAError:
        return domain


def _ascii_domain(domain: str, query: str) -> str:
    labels = domain.split(".")
    if len(labels) < 2:
        raise InputError("input.bare_word", query=query)
    if len(domain) > MAX_DOMAIN_OCTETS:
        raise InputError("input.domain_too_long", query=query, limit=str(MAX_DOMAIN_OCTETS))
    if len(domain) > 63 and any(len(label) > 63 for label in labels):
        raise InputError("input.label_too_long", query=query, limit="63")
    if "" in labels or not _HOST_NAME.issuperset(domain):
        raise InputError("input.bad_domain", query=query)
    if domain[0] == "-" or domain[-1] == "-" or ".-" in domain or "-." in domain:
        raise InputError("input.bad_domain", query=query)
    # A numeric last label is an IPv4 address in some notation (WHATWG URL, RFC 3696 §2).
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        raise InputError("input.bad_domain", query=query)
    return domain


def _idna_encode(domain: str, query: str) -> str:
    if len(domain) > 4 * MAX_DOMAIN_OCTETS:  # typed in as many parts as Unicode allows, a name is shorter
        raise InputError("input.domain_too_long", query=query, limit=str(MAX_DOMAIN_OCTETS))
    encoded = _to_ascii(domain)
    if encoded is None:
        raise InputError("input.bad_domain", query=query)
    return _ascii_domain(encoded, query)


@_remembered
def _to_ascii(domain: str) -> str | None:
    import idna  # 10 ms, and most domains are plain ASCII

    try:
        # Non-transitional processing keeps ß and final sigma, as every registry does today.
        return idna.encode(domain, uts46=True, std3_rules=True, transitional=False).decode().lower()
    except (idna.IDNAError, UnicodeError):
        return None


def _is_space(character: str) -> bool:
    """Whether it is one of the wide, narrow or no-break spaces: typed or pasted by mistake, and not a line break."""
    from unicodedata import category  # only for what is refused anyway

    return category(character) == "Zs"


def _is_ip_address(domain: str) -> bool:
    if not (":" in domain or domain.replace(".", "").isdigit()):
        return False
    from ipaddress import ip_address  # only for what looks like one: the common path imports nothing

    try:
        ip_address(domain)
    except ValueError:
        return False
    return True
