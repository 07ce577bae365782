"""The language that is chosen, and a Chinese catalogue that leaves nothing in English."""

from __future__ import annotations

import gettext
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, cast

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from mailsetup import i18n

if TYPE_CHECKING:
    from babel.messages import Catalog, Message

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / "mailsetup" / "locale" / "mailsetup.pot"
CATALOGUE = ROOT / "mailsetup" / "locale" / "zh_CN" / "LC_MESSAGES" / "mailsetup.po"

# Click fills these in with English words of its own, so that a translation does better without them.
UNTRANSLATABLE = {"number_type"}
HAN = "\u4e00-\u9fff"

# Runs several command lines in one process, in Chinese, and writes [exit code, stdout, stderr] of each as JSON.
RUNNER = """
import contextlib, io, json, sys
from mailsetup import i18n
i18n.use("zh")
from mailsetup.cli import run
results = []
for arguments in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    results.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(results))
"""


@pytest.fixture
def chinese() -> Iterator[None]:
    i18n.use("zh")
    yield
    i18n.use("en")


def in_chinese(*commands: list[str]) -> list[tuple[int, str, str]]:
    """The exit code and both outputs of each command line."""
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(commands),
        capture_output=True,
        encoding="utf-8",
        check=True,
        env={**environment(), "COLUMNS": "80"},
    )
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with no language in it but ``variables``."""
    languages = {"MAILSETUP_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"}
    kept = {name: value for name, value in os.environ.items() if name not in languages}
    return {**kept, "PYTHONIOENCODING": "utf-8", **variables}


@cache
def catalogue() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh_CN", abort_invalid=True)


def forms(text: object) -> tuple[str, ...]:
    """The singular, and the plural if there is one."""
    return (text,) if isinstance(text, str) else tuple(cast("tuple[str, ...]", text))


def messages() -> list[Message]:
    return [message for message in catalogue() if message.id]


def english_in(text: str) -> list[str]:
    """Runs of English words, commands in backquotes aside."""
    return re.findall(r"[A-Za-z]+ [a-z]+ [a-z]+", re.sub(r"`[^`]*`", "", text))


def placeholders(text: str) -> set[tuple[str, str | None, str | None]]:
    return {(name, conversion, form) for _, name, form, conversion in Formatter().parse(text) if name is not None}


# Which language


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        ([], {}, "en"),
        (["--lang", "zh"], {}, "zh"),
        (["--lang=zh"], {}, "zh"),
        (["--lang", "zh_CN"], {}, "zh"),
        (["lookup", "--lang", "zh", "qq.com"], {}, "zh"),
        (["lookup", "qq.com", "--lang", "zh"], {}, "zh"),
        (["lookup", "--help", "--lang=zh"], {}, "zh"),
        (["--lang", "en"], {"MAILSETUP_LANG": "zh", "LANG": "zh_CN.UTF-8"}, "en"),
        (["--lang"], {"LANG": "zh_CN.UTF-8"}, "zh"),
        (["lookup", "--", "--lang", "zh"], {}, "en"),
        ([], {"MAILSETUP_LANG": "zh", "LC_ALL": "en_US.UTF-8"}, "zh"),
        ([], {"MAILSETUP_LANG": "en", "LC_ALL": "zh_CN.UTF-8"}, "en"),
        ([], {"MAILSETUP_LANG": "", "LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ([], {"LC_ALL": "C", "LC_MESSAGES": "zh_CN.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ([], {"LC_ALL": "zh_CN.UTF-8", "LC_MESSAGES": "C", "LANG": "C"}, "zh"),
        ([], {"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ([], {"LC_MESSAGES": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ([], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "zh-TW"}, "zh"),
        ([], {"LANG": "ZH"}, "zh"),
        ([], {"LANG": "C.UTF-8"}, "en"),
        ([], {"LANG": "de_DE.UTF-8"}, "en"),
        ([], {"LANGUAGE": "zh_CN"}, "en"),
    ],
    ids=str,
)
def test_the_option_decides_and_then_the_first_variable_that_is_set(
    arguments: list[str], variables: dict[str, str], expected: str
) -> None:
    assert i18n.choose(arguments, variables) == expected


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        (["--lang", "zh", "lookup", "--help"], {}, "用法："),
        (["lookup", "--lang", "zh", "--help"], {}, "用法："),
        (["lookup", "--help", "--lang", "zh"], {}, "用法："),
        (["--help"], {"LANG": "zh_CN.UTF-8"}, "用法："),
        (["--help", "--lang", "en"], {"LANG": "zh_CN.UTF-8"}, "Usage: "),
        (["--help"], {}, "Usage: "),
    ],
    ids=str,
)
def test_a_help_page_is_in_the_language_asked_for(
    arguments: list[str], variables: dict[str, str], expected: str
) -> None:
    command = [sys.executable, "-m", "mailsetup", *arguments]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", check=True, env=environment(**variables), cwd=ROOT
    )
    assert done.stdout.startswith(expected)


@pytest.mark.parametrize(("language", "expected"), [("en", []), ("zh", ["mailsetup.mo"])])
def test_english_opens_no_catalogue_and_chinese_opens_one_once(language: str, expected: list[str]) -> None:
    program = """
import sys
opened = []
def listen(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".mo"):
        opened.append(str(arguments[0]).replace("\\\\", "/").rpartition("/")[2])
sys.addaudithook(listen)
from mailsetup.__main__ import main
main(["--lang", sys.argv[1], "lookup", "user@qq.com"])
print(*opened, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, language],
        capture_output=True,
        encoding="utf-8",
        check=True,
        env=environment(),
        cwd=ROOT,
    )
    assert done.stderr.split() == expected


def test_an_unknown_language_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="fr"):
        i18n.use("fr")
    assert i18n.language() == "en"


def test_english_is_the_text_itself() -> None:
    assert i18n.language() == "en"
    assert i18n._("password") == "password"
    assert gettext.gettext("Options") == "Options"


def test_our_words_and_those_of_click_are_translated(chinese: None) -> None:
    assert i18n.language() == "zh"
    assert i18n._("password") == "密码"
    assert gettext.gettext("Options") == "选项"


def test_after_chinese_english_is_english_again(chinese: None) -> None:
    i18n.use("en")
    assert i18n._("password") == "password"
    assert gettext.gettext("Options") == "Options"


@pytest.mark.parametrize("number", [1, 2])
def test_plural_forms_come_from_the_compiled_catalogue(chinese: None, number: int) -> None:
    singular, plural = "Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"
    assert (singular, plural) in i18n.CLICK_TEXTS
    assert gettext.ngettext(singular, plural, number) == "多余的参数（{args}）"


# The catalogue


def test_the_catalogue_has_the_texts_of_the_code_and_no_others() -> None:
    extracted = runpy.run_path(str(ROOT / "data" / "compile.py"))["extract_texts"]()
    wanted = {message.id for message in extracted if message.id}
    with TEMPLATE.open("rb") as file:
        template = read_po(file, abort_invalid=True)
    assert {message.id for message in template if message.id} == wanted, "run python data/compile.py --extract"
    assert {message.id for message in messages()} == wanted, "run python data/compile.py --extract"
    assert not catalogue().obsolete


def test_every_text_is_translated_for_certain() -> None:
    assert [message.id for message in messages() if not all(forms(message.string)) or message.fuzzy] == []


def test_translations_have_the_placeholders_of_their_texts() -> None:
    faults = []
    for message in messages():
        allowed = [{item for item in placeholders(text) if item[0] not in UNTRANSLATABLE} for text in forms(message.id)]
        faults += [text for text in forms(message.string) if placeholders(text) not in allowed]
    assert faults == []


def test_translations_keep_paragraphs_options_and_commands() -> None:
    kept = re.compile(r"\n\n|(?<![\w-])--[a-z][a-z-]+|`[^`]+`|https?://[!-~]+(?<![.,;])")
    faults = []
    for message in messages():
        wanted, translated = (kept.findall(forms(texts)[0]) for texts in (message.id, message.string))
        if sorted(wanted) != sorted(translated):
            faults.append((wanted, translated))
    assert faults == []


def test_chinese_sentences_have_chinese_punctuation() -> None:
    half_width = re.compile(rf"[{HAN}][,.;:!?()\"]|[,;!?(\"][{HAN}]")
    assert [message.string for message in messages() if half_width.search(forms(message.string)[0])] == []


def test_chinese_sentences_end_as_the_english_do() -> None:
    faults = []
    for message in messages():
        text, translated = forms(message.id)[0], forms(message.string)[0]
        if text.endswith(".") != translated.endswith("。"):
            faults.append(translated)
    assert faults == []


def test_one_word_is_used_for_one_thing() -> None:
    # Left the spelling or term that is not ours, right the one that is.
    rejected = {"帐号": "账号", "帐户": "账号", "登陆": "登录", "应用密码": "应用专用密码", "缺省": "默认"}
    assert [(word, m.string) for m in messages() for word in rejected if word in forms(m.string)[0]] == []


def test_the_prefix_that_scripts_look_for_is_the_same_in_chinese() -> None:
    message = catalogue().get("mailsetup: error: {message}")
    assert message is not None
    assert message.string == "mailsetup: error: {message}"


def test_the_compiled_catalogue_is_that_of_the_source() -> None:
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = read_mo(file)
    texts = {forms(message.id)[0]: forms(message.string)[0] for message in compiled if message.id}
    assert texts == {forms(message.id)[0]: forms(message.string)[0] for message in messages()}, (
        "run python data/compile.py"
    )


# What a Chinese user sees


@cache
def help_pages() -> dict[str, str]:
    """Each command's help page in Chinese."""
    import click

    from mailsetup.cli import mailsetup

    def paths(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                if (member := command.get_command(context, name)) is not None:
                    yield from paths(member, (*path, name))

    commands = [[*path, "--help"] for path in paths(mailsetup, ())]
    results = in_chinese(*commands)
    assert [code for code, _out, _err in results] == [0] * len(commands)
    return {" ".join(command): out for command, (_code, out, _err) in zip(commands, results, strict=True)}


def test_help_pages_have_no_english_sentence() -> None:
    assert len(help_pages()) >= 8
    assert [words for page in help_pages().values() for words in english_in(page.partition("\n")[2])] == []


def test_help_pages_explain_every_command_and_option_in_chinese() -> None:
    entries = [
        entry for page in help_pages().values() for entry in re.split(r"\n(?=  \S)", page.partition("选项：")[2])[1:]
    ]
    assert len(entries) > 50
    assert [entry for entry in entries if not re.search(f"[{HAN}]", entry)] == []


WRONG_USAGES = (
    ["lookup"],
    ["lookup", "--nonsense", "qq.com"],
    ["lookup", "--onlin", "qq.com"],
    ["lookup", "--offline", "--online", "qq.com"],
    ["lookup", "--protocol", "nntp", "qq.com"],
    ["lookup", "--jobs", "many", "qq.com"],
    ["lookup", "--jobs", "0", "qq.com"],
    ["lookup", "--timeout", "soon", "qq.com"],
    ["lookup", "--json=yes", "qq.com"],
    ["lookup", "qq.com", "--timeout"],
    ["lookup", "--lang", "fr", "qq.com"],
    ["lookup", "a@b@c"],
    ["lookup", "user@"],
    ["--nonsense"],
    ["nonsense"],
    ["lookups"],
    ["probe", "imap.qq.com:999"],
    ["probe", "a.example", "b.example", "--login"],
    ["export", "user@qq.com"],
    ["export", "user@qq.com", "--to", "nonsense"],
    ["providers", "nonsense"],
    ["providers", "show"],
    ["providers", "show", "qq", "163"],
    ["providers", "show", "nonsense"],
)


def test_wrong_usage_is_one_chinese_line_and_exit_code_2() -> None:
    results = in_chinese(*WRONG_USAGES)
    for arguments, (code, out, err) in zip(WRONG_USAGES, results, strict=True):
        prefix, _, message = err.partition("mailsetup: error: ")
        assert (code, out, prefix, err.count("\n")) == (2, "", "", 1), arguments
        assert re.search(f"[{HAN}]{{2}}", message), arguments
        assert english_in(message) == [], arguments


def test_no_command_at_all_shows_the_chinese_help_and_exits_with_2() -> None:
    [(code, out, err)] = in_chinese([])
    assert (code, out) == (2, "")
    assert err.startswith("用法：mailsetup ")


# Spaces between Chinese and Latin


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("服务器", " 拒绝"), "服务器拒绝"),
        (("smtp.qq.com", " 拒绝"), "smtp.qq.com 拒绝"),
        (("请用 ", "密码", " 登录"), "请用密码登录"),
        (("密码", "或", "OAuth2"), "密码或 OAuth2"),
        (("TLS", "和", "SMTP"), "TLS 和 SMTP"),
        (("Apple“邮件”", " 的设置"), "Apple“邮件”的设置"),
        (("来源：", "RFC"), "来源：RFC"),
        (("查询 ", "例子.中国", " …"), "查询例子.中国 …"),
        (("", "中", "", "文", ""), "中文"),
        ((), ""),
    ],
    ids=str,
)
@pytest.mark.usefixtures("chinese")
def test_a_chinese_text_has_spaces_only_between_chinese_characters_and_latin_letters(
    parts: tuple[str, ...], text: str
) -> None:
    assert i18n.join(parts) == text


@pytest.mark.usefixtures("chinese")
def test_what_is_filled_into_a_chinese_text_decides_about_the_space_before_it() -> None:
    template = "{host} wants a login first: {reply}"
    assert i18n.fill(template, {"host": "服务器", "reply": "登录 失败"}) == "服务器要求先登录：登录 失败"
    assert i18n.fill(template, {"host": "smtp.qq.com"}) == "smtp.qq.com 要求先登录：…"
    assert i18n.fill("{value!r} is not a valid {number_type}.", {"value": "a'b"}) == '"a\'b" 不是有效的数字。'


def test_an_english_text_is_joined_as_it_is() -> None:
    assert i18n.join(("the ", "server")) == "the server"
    assert i18n.fill("{host} wants a login first: {reply}", {"host": "it"}) == "it wants a login first: …"
