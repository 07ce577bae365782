"""Language: which one to speak, and the translation of messages.

English is the source language and needs nothing loaded; 简体中文 comes from the compiled catalogue in ``locale``.
``_`` translates when it is called; ``N_`` only marks a text that is translated later, where it is shown.

After a change of texts, ``python data/compile.py --extract`` refreshes mailsetup.pot and every mailsetup.po: new
texts arrive there untranslated, old ones leave. Once translated, ``python data/compile.py`` compiles them into the .mo
files that are read here. A comment that begins with "Translators:" above a text goes with it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from gettext import NullTranslations

LANGUAGES = ("en", "zh")
LOCALE_FOLDER = os.path.join(os.path.dirname(__file__), "locale")  # noqa: PTH118, PTH120  # pathlib takes 5 ms to load
_catalogue_names = {"zh": "zh_CN"}

_language = "en"
_translations: NullTranslations | None = None


def N_(message: str) -> str:
    """Mark ``message`` for extraction; translate it with ``_`` where it is shown."""
    return message


def NN_(singular: str, plural: str) -> tuple[str, str]:
    """Mark a text with a plural form for extraction; gettext's ``ngettext`` translates it."""
    return singular, plural


def _(message: str) -> str:
    """``message`` in the current language."""
    return message if _translations is None else _translations.gettext(message)


class _Facts(dict[str, str]):
    """Facts for a template; one that is unknown shows as an ellipsis instead of breaking the message."""

    def __missing__(self, name: str) -> str:
        return "…"


_JOINT = "\0"  # one in a fact, though nobody should let it in, would only disappear


class _Insertion(str):
    """A fact that shows where it begins and ends once it stands in a text."""

    __slots__ = ()

    def __format__(self, form: str) -> str:
        return f"{_JOINT}{super().__format__(form)}{_JOINT}"

    def __repr__(self) -> str:  # for {fact!r}
        return f"{_JOINT}{super().__repr__()}{_JOINT}"


def fill(template: str, facts: Mapping[str, str]) -> str:
    """The translated ``template`` with ``facts`` filled in."""
    if _translations is None:
        return template.format_map(_Facts(facts))
    inserted = _Facts({name: _Insertion(fact) for name, fact in facts.items()})
    return join(_(template).format_map(inserted).split(_JOINT))


def join(parts: Sequence[str]) -> str:
    """``parts`` as one text; a Chinese one has a space where a Chinese character meets a Latin letter, nowhere else.

    So a template need not know what is filled in: 服务器拒绝, but smtp.qq.com 拒绝.
    """
    if _translations is None:
        return "".join(parts)
    text = ""
    for part in parts:
        left, right = text.rstrip(" ")[-1:], part.lstrip(" ")[:1]
        if _is_wide(left) and _is_wide(right):
            text, part = text.rstrip(" "), part.lstrip(" ")
        elif text[-1:].isalnum() and part[:1].isalnum() and _is_han(left) != _is_han(right):
            text += " "
        text += part
    return text


def _is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff"


def _is_wide(character: str) -> bool:
    """Whether ``character`` takes no space beside a Chinese one: such a one itself, or Chinese punctuation."""
    return _is_han(character) or (character != "" and character in "，。：；、！？（）《》“”")


def language() -> str:
    """The current language: ``en`` or ``zh``."""
    return _language


def use(name: str) -> None:
    """Speak ``name`` (``en`` or ``zh``) from now on.

    Click translates its own words ("Usage", "Options") through the default gettext domain, so that one is set too.
    """
    global _language, _translations
    if name not in LANGUAGES:
        raise ValueError(name)
    if name == _language:
        return
    import gettext

    _language = name
    if name == "en":
        _translations = None
        gettext.textdomain("messages")
        os.environ.pop("LANGUAGE", None)
    else:
        catalogue = _catalogue_names[name]
        _translations = gettext.translation("mailsetup", LOCALE_FOLDER, [catalogue], fallback=True)
        os.environ["LANGUAGE"] = catalogue
        gettext.bindtextdomain("mailsetup", LOCALE_FOLDER)
        gettext.textdomain("mailsetup")


def choose(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language for a command line: ``--lang``, then MAILSETUP_LANG, LC_ALL, LC_MESSAGES, LANG, then Windows' own.

    The first one that is set decides; anything that starts with "zh" is Chinese, the rest English. ``--lang`` is read
    here, before click sees it, so that it also holds for help pages and usage errors whatever its position.
    """
    for position, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--lang" and position + 1 < len(arguments):
            return _match(arguments[position + 1])
        if argument.startswith("--lang="):
            return _match(argument.removeprefix("--lang="))
    for variable in ("MAILSETUP_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(variable):
            return _match(value)
    return _language_of_windows()


def _language_of_windows() -> str:
    """The language that Windows itself speaks: programs started there rarely have one in the environment."""
    if sys.platform != "win32":
        return "en"
    import ctypes

    # The lower ten bits are the primary language; 4 is Chinese (LANG_CHINESE in winnt.h).
    return "zh" if ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF == 4 else "en"


def _match(value: str) -> str:
    return "zh" if value.lower().startswith("zh") else "en"


# Click's own words, which it looks up itself in the catalogue that ``use`` names: those that a user of this program can
# meet. Where versions from 8.2 to 8.5 word something differently, each wording is here.
CLICK_TEXTS = (
    N_("Options"),
    N_("Commands"),
    N_("Positional arguments"),
    N_("Missing command."),
    N_("Missing argument"),
    N_("Missing option"),
    N_("Invalid value: {message}"),
    N_("Invalid value for {param_hint}: {message}"),
    N_("No such option {name!r}."),
    N_("No such option: {name}"),
    N_("No such command {name!r}."),
    NN_("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)"),
    N_("Option {name!r} does not take a value."),
    NN_("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments."),
    NN_("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"),
    NN_("{value!r} is not {choice}.", "{value!r} is not one of {choices}."),
    # Translators: leave {number_type} out, because click fills in an English word such as "float range".
    N_("{value!r} is not a valid {number_type}."),
    N_("{value} is not in the range {range}."),
)
