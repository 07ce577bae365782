"""Many lookups without network: the JSON text of an answer, cut once and filled in for every address that it fits.

Addresses of one domain get the same answer but for their own words: what was typed, the address and the login names
made of it, and the time it took. So do the domains of one provider, and all that the database does not know. A sample
answer is made with marks in the place of such words, rendered like any other, and cut where the marks show.

The marks are control characters: no target has any (``address.parse``), nor has the index (``index.encode``), and JSON
writes each as an escape of its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from operator import itemgetter

from . import api, database
from .address import parse
from .index import Index
from .model import Address, Candidate, Lookup, Protocol, SourceReport, Status

QUERY, LOCAL_PART, DOMAIN, DOMAIN_UNICODE = "\x01", "\x02", "\x03", "\x04"
ELAPSED_MS = -1.0  # which no clock measures
_MARKS = (rb"\u0001", rb"\u0002", rb"\u0003", rb"\u0004", rb"\u0005")  # the last one is for the time
# Matched as a whole, so that a mark is never seen behind the first half of an escaped backslash.
_ESCAPE = re.compile(rb"\\(?:u[0-9a-f]{4}|.)")
# What most targets look like. ``parse`` refuses none of these, and changes nothing but the case of the domain: "xn--"
# needs two hyphens, and a last label without digits is no IP address.
_ATOM, _LABEL = r"[\w!#$%&'*+/=?^`{|}~-]++", r"[a-zA-Z0-9]++(?:-[a-zA-Z0-9]++)*+"
_PLAIN = re.compile(rf"(?:({_ATOM}(?:\.{_ATOM})*+)@)?((?:{_LABEL}\.)++[a-zA-Z]++)", re.ASCII)
_WITHIN_EVERY_LIMIT = 64  # octets: so short a target has no part that is too long
# Only a wildcard entry of the database can fill it: there are fewer domains than this, but not fewer subdomains.
_MAX_DOMAINS = 10_000


class Stencil:
    """A JSON text with holes."""

    def __init__(self, sample: str) -> None:
        """Cut ``sample``, the rendering of an answer with marks for words and ELAPSED_MS for times."""
        # In a string there would be a backslash before the quotation marks.
        text = sample.replace('"elapsed_ms": -1.0', '"elapsed_ms": \\u0005').encode()
        self._parts: list[bytes] = []
        holes: list[int] = []
        end = 0
        for match in _ESCAPE.finditer(text):
            if match[0] in _MARKS:
                self._parts += [text[end : match.start()], b""]
                holes.append(_MARKS.index(match[0]))
                end = match.end()
        self._parts.append(text[end:])
        self._choose = itemgetter(*holes)  # at least what was asked and two times

    def fill(self, words: Sequence[bytes]) -> bytes:
        """The text for ``words`` as JSON without quotation marks: query, local part, domain, in Unicode, time."""
        self._parts[1::2] = self._choose(words)
        return b"".join(self._parts)


class Answers:
    """The database's answers to many targets, each the very text that it would get alone, in UTF-8."""

    def __init__(
        self,
        index: Index,
        protocols: frozenset[Protocol],
        render: Callable[[Lookup], str],
        quote: Callable[[str], str],
    ) -> None:
        """``render`` makes the JSON text of an answer, ``quote`` that of a string."""
        self.given: dict[Status, Lookup] = {}  # an answer of each status that was given so far
        self._index, self._protocols, self._render, self._quote = index, protocols, render, quote
        self._unknown = database.discover(DOMAIN, self._index)
        self._by_domain: dict[tuple[str, bool], Stencil] = {}
        self._by_kind: dict[tuple[str, tuple[Candidate, ...], bool, bool], Stencil] = {}

    def line(self, target: str) -> bytes:
        """The answer for ``target``; raise InputError."""
        started = time.monotonic()
        plain = _PLAIN.fullmatch(target) if len(target) <= _WITHIN_EVERY_LIMIT else None
        if plain is None:
            local_part, domain, domain_unicode = parse(target)
            words = tuple(map(self._word, (target, local_part or "", domain, domain_unicode)))
        else:
            local_part, domain = plain.groups()
            domain = domain_unicode = domain.lower()
            name = domain.encode()
            words = (target.encode(), b"" if local_part is None else local_part.encode(), name, name)
        stencil = self._stencil(domain, bare=local_part is None, international=domain_unicode != domain)
        elapsed_ms = (time.monotonic() - started) * 1000
        return stencil.fill((*words, b"0.0" if elapsed_ms < 0.05 else b"%.1f" % elapsed_ms))

    def _word(self, text: str) -> bytes:
        return self._quote(text)[1:-1].encode()

    def _stencil(self, domain: str, *, bare: bool, international: bool) -> Stencil:
        key = (domain, bare)
        stencil = self._by_domain.get(key)
        if stencil is not None:
            return stencil
        if self._index.by_domain(domain) is None:
            return self._cut(self._unknown, bare=bare, international=international)
        if len(self._by_domain) == _MAX_DOMAINS:
            self._by_domain.clear()
            self._by_kind.clear()  # where servers are named after the domain, every domain is of a kind of its own
        stencil = self._cut(database.discover(domain, self._index), bare=bare, international=international)
        self._by_domain[key] = stencil
        return stencil

    def _cut(self, report: SourceReport, *, bare: bool, international: bool) -> Stencil:
        """The stencil for ``report`` and every address of such a kind."""
        # Domains of one provider may differ in how sure their settings are, and in servers named after them.
        kind = (report.locator, report.candidates, bare, international)
        stencil = self._by_kind.get(kind)
        if stencil is None:
            marks = Address(None if bare else LOCAL_PART, DOMAIN, DOMAIN_UNICODE if international else DOMAIN)
            timed = report._replace(elapsed_ms=ELAPSED_MS)
            answer = api.without_network(QUERY, marks, timed, self._protocols, time.monotonic())
            stencil = Stencil(self._render(answer._replace(elapsed_ms=ELAPSED_MS)))
            self.given[answer.status] = answer
            self._by_kind[kind] = stencil
        return stencil
