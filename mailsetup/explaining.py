"""What a refusal or an error message means that somebody pasted: known words, then the standards, then client errors.

Nothing is asked from the network. The words of servers (``refusals``) say most; where a pasted text holds some, what
the standards say of the same reply adds nothing. Words that several providers use with different meanings come last
unless the provider is known: it is given, or a server of its is named in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from typing import NamedTuple

from . import client_errors, refusals
from . import diagnosis as diagnoses
from .client_errors import MEANINGS, ClientError
from .i18n import N_, _
from .index import Index
from .model import Confidence, Protocol, Provider, Refusal
from .pasted import masked, searchable
from .wire import MAX_REPLY_CHARACTERS
from .wire.refusal import Standard, find_standard, matches, recognize

ASK_THE_SERVER = N_("`mailsetup probe ADDRESS --login` asks the server itself, and says what is wrong.")

# A host of at least three labels that begins as those of mail servers do, and perhaps its port.
_SERVER = re.compile(
    r"(?<![\w.@-])((?:hw)?(?:imap|pop|smtp|mail|outlook)[a-z0-9-]{0,60}(?:\.[a-z0-9-]{1,63}){2,10})(?::([0-9]{1,5}))?",
    re.IGNORECASE,
)


class Match(NamedTuple):
    """One meaning of the text."""

    code: str
    provider: Provider | None  # whose words these are; None: anybody's, or those of several
    providers: tuple[str, ...]  # the ids of all whose words these are
    protocols: tuple[Protocol, ...]  # (): not said
    message: str
    remedy: tuple[str, ...]
    confidence: Confidence
    source: str
    seen: str | None  # ISO 8601 date


class Explanation(NamedTuple):
    """The text as it may be shown, and its meanings, best first."""

    query: str
    matches: tuple[Match, ...]


def explain(
    lines: Sequence[str],
    index: Index,
    language: str,
    provider: Provider | None = None,
    protocol: Protocol | None = None,
) -> Explanation:
    """What ``lines`` (see ``pasted.lines``) mean.

    ``provider`` and ``protocol`` are given by the user, or None. Raise DataError if the refusals cannot be read.
    """
    text = searchable(" ".join(lines))
    server = _SERVER.search(text)
    known = {provider.id} if provider is not None else refusals.owners(server[1].lower()) if server else frozenset()
    if provider is None and len(known) == 1:
        provider = index.by_id(next(iter(known)))
    context = _Context(lines, index, language, provider, known, _facts(server))
    words = list(recognize(refusals.load(), protocol, text, known))
    meanings = [context.of_words(refusal) for refusal in words if refusal.confidence is not Confidence.LOW]
    if not meanings and (standard := find_standard(text, protocol)) is not None:
        meanings.append(context.of_standard(standard))
    told = {_area(meaning.code) for meaning in meanings}
    meanings += [context.of_error(error) for error in client_errors.recognize(text) if _area(error.code) not in told]
    meanings += [context.of_words(refusal) for refusal in words if refusal.confidence is Confidence.LOW]
    return Explanation(_cut(masked(" ".join(lines))), tuple(_without_repetitions(meanings)))


class _Context(NamedTuple):
    """What every meaning of one text is phrased with."""

    lines: Sequence[str]
    database: Index
    language: str
    provider: Provider | None
    known: Set[str]
    facts: dict[str, str]

    def of_words(self, refusal: Refusal) -> Match:
        """What a server means by known words."""
        provider = self.provider
        if provider is None and len(refusal.providers) == 1:
            provider = self.database.by_id(refusal.providers[0])
        message = diagnoses.diagnose(refusal.code, self._anywhere(self._with_reply(refusal.pattern))).message
        notes = diagnoses.notes(refusal.code, provider, self.language)
        return Match(
            code=refusal.code,
            provider=provider,
            providers=refusal.providers,
            protocols=refusal.protocols,
            message=self._sentence(message),
            remedy=(diagnoses.advice(refusal, self.language), *notes),
            confidence=refusal.confidence,
            source=refusal.source,
            seen=refusal.seen,
        )

    def of_standard(self, standard: Standard) -> Match:
        """What the standards say of a reply."""
        facts = self._with_reply()
        return self._of_code(standard.code, facts, (standard.protocol,), standard.confidence, standard.source)

    def of_error(self, error: ClientError) -> Match:
        """What a client met: it does not tell what the server said."""
        facts = {**self.facts, "reason": error.pattern}
        meaning = self._of_code(error.code, facts, (), Confidence.MEDIUM, error.said_by)
        return meaning._replace(remedy=(*meaning.remedy, _(ASK_THE_SERVER)))

    def _of_code(
        self, code: str, facts: dict[str, str], protocols: tuple[Protocol, ...], confidence: Confidence, source: str
    ) -> Match:
        gaps = diagnoses.speaks_of(code) - facts.keys()
        # "The server" stands for any, but "there is no host called the server" would be nonsense.
        if code in MEANINGS and (gaps if code.startswith("dns.") else gaps - {"host"}):
            message = _(MEANINGS[code])
        else:
            message = diagnoses.diagnose(code, self._anywhere(facts)).message
        return Match(
            code=code,
            provider=self.provider,
            providers=(),
            protocols=protocols,
            message=self._sentence(message),
            remedy=(
                *diagnoses.notes(code, self.provider, self.language),
                *map(self._sentence, diagnoses.remedies_elsewhere(code, self._anywhere(facts))),
            ),
            confidence=confidence,
            source=source,
            seen=None,
        )

    def _sentence(self, text: str) -> str:
        """``text`` with a capital, where it begins with a server that has no name."""
        nameless = "host" not in self.facts and text.startswith(_("the server"))
        return text[:1].upper() + text[1:] if nameless else text

    def _anywhere(self, facts: dict[str, str]) -> dict[str, str]:
        """``facts`` with words for a server that is not known."""
        return {"host": _("the server"), **facts}

    def _with_reply(self, pattern: str = "") -> dict[str, str]:
        """The facts of the message; the reply is the line that holds ``pattern``, else the whole text."""
        line = next((line for line in self.lines if pattern and matches(pattern, searchable(line))), None)
        reply = _cut(masked(" ".join(self.lines) if line is None else line))
        return {**self.facts, "mechanisms": reply, "reply": reply}


def _facts(server: re.Match[str] | None) -> dict[str, str]:
    if server is None:
        return {}
    return {"host": server[1].lower(), **({"port": server[2]} if server[2] else {})}


def _area(code: str) -> str:
    return code.partition(".")[0]


def _without_repetitions(matches: Sequence[Match]) -> Iterator[Match]:
    """``matches`` without those that are sure of a code that a better one is sure of: they say it less exactly."""
    sure: set[str] = set()
    for match in matches:
        if match.confidence is not Confidence.HIGH:
            yield match
        elif match.code not in sure:
            sure.add(match.code)
            yield match


def _cut(text: str) -> str:
    return text if len(text) <= MAX_REPLY_CHARACTERS else text[: MAX_REPLY_CHARACTERS - 1] + "…"
