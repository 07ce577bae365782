"""What the documents say is so: commands, outputs, examples, tables, links, numbers."""

from __future__ import annotations

import ast
import inspect
import io
import re
import shlex
import subprocess
import tokenize
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from itertools import takewhile
from pathlib import Path

import click
import pytest

import mailsetup
from documents import PROMPT, ROOT, UPDATE, Block, Document, code, commands, read, replace, start
from mailsetup import api, cli, database, diagnosis, discovery, errors, exporters, model, ranking, text
from mailsetup.sources import guess

README, CHINESE = read("README.md"), read("README.zh-CN.md")
ARCHITECTURE, RANKING, LIBRARY = read("docs/architecture.md"), read("docs/ranking.md"), read("docs/library.md")
DOCUMENTS = [
    read(path.relative_to(ROOT).as_posix()) for path in sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
]
CHINESE_SUFFIX = ".zh-CN.md"
# What has links and commands in its text; the help pages and the pages of the database have tests of their own.
TWINS = pytest.mark.parametrize(
    ("english", "chinese"),
    [(read(f"{name}.md"), read(f"{name}{CHINESE_SUFFIX}")) for name in ("README", "CONTRIBUTING", "docs/exports")],
    ids=lambda document: document.name,
)
READMES = pytest.mark.parametrize("readme", [README, CHINESE], ids=lambda document: document.name)
EVERY_DOCUMENT = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
# How an example says that it cannot be run without a network.
NEEDS_NETWORK = "# needs the network"


def cases(*languages: str) -> list[object]:
    """Every block in one of ``languages``, with its document."""
    return [
        pytest.param(document, block, id=f"{document.name}-{number}")
        for document in DOCUMENTS
        for number, block in enumerate(document.blocks(*languages), 1)
    ]


def parse(words: list[str]) -> None:
    """Let click read a command line; raise its UsageError for what it would refuse.

    A command without any argument is not an invocation, but its name.
    """
    command: click.Command = cli.mailsetup
    while isinstance(command, click.Group):
        context = click.Context(command)
        _options, words, _order = command.make_parser(context).parse_args(words)
        if not words:
            return
        _name, member, words = command.resolve_command(context, words)
        assert member is not None
        command = member
    if words and "--help" not in words:
        command.make_context(command.name, words)


def invocation(line: str) -> list[str]:
    """The arguments for our program in a line for the shell, without redirections; [] for another program."""
    program, *arguments = takewhile(lambda word: word not in ("<", ">", "|"), shlex.split(line))
    return arguments if program == "mailsetup" else []


def offline(words: list[str]) -> bool:
    """Whether a command line is answered by the database, so that it can be run here."""
    known = words[0] in ("lookup", "export", "providers") and "--online" not in words
    return known and any(word.endswith(("qq.com", "163.com")) for word in words)


# Commands


@pytest.mark.parametrize(("document", "block"), cases("console"))
def test_a_console_block_shows_all_that_its_commands_print(document: Document, block: Block) -> None:
    printed = ""
    for command in commands(block):
        done = start(["-m", "mailsetup", *invocation(command)])
        assert (done.returncode, done.stderr) == (0, "")
        printed += PROMPT + command + "\n" + done.stdout
    assert printed
    if UPDATE and printed != block.body:
        replace(document, f"\n```console\n{block.body}```\n", f"\n```console\n{printed}```\n")
    else:
        assert block.body == printed


@EVERY_DOCUMENT
def test_every_command_that_is_named_is_understood(document: Document) -> None:
    named = [word for word in code(document.prose) if word.startswith("mailsetup ")]
    named += [command for block in document.blocks("console", "sh") for command in commands(block)]
    for command in named:
        parse(invocation(command))


def test_a_command_that_is_not_understood_is_noticed() -> None:
    for wrong in ("lookups", "lookup --nonsense qq.com", "lookup --protocol nntp qq.com", "providers shows", "--all"):
        with pytest.raises(click.UsageError):
            parse(wrong.split())


@READMES
def test_commands_of_the_table_that_need_no_network_work(readme: Document, tmp_path: Path) -> None:
    lines = [line for _wish, cell in readme.tables[0] for line in code(cell)]
    able = [words for words in map(invocation, lines) if offline(words)]
    assert len(able) >= 4
    for words in able:
        done = start(["-m", "mailsetup", *words], cwd=tmp_path)
        assert done.returncode == 0, words
        assert done.stdout or list(tmp_path.iterdir()), words


@EVERY_DOCUMENT
def test_every_option_that_is_named_exists(document: Document) -> None:
    known = set(re.findall(r"--[a-z-]+", "".join(block.body for block in read("docs/commands.md").blocks("console"))))
    named = {word.split()[0] for word in code(document.prose) if word.startswith("--")}
    assert named - known == set()


@pytest.mark.parametrize(("document", "block"), cases("sh"))
def test_a_shell_block_names_files_that_exist(document: Document, block: Block) -> None:
    files = [word for command in commands(block) for word in command.split() if word.endswith((".py", ".yaml"))]
    assert files, document.name
    assert [name for name in files if not (ROOT / name).exists()] == []


# Examples


def comments(source: str) -> list[str]:
    """The comments of Python source, without their marks."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.string.removeprefix("# ") for token in tokens if token.type == tokenize.COMMENT]


@pytest.mark.parametrize(("document", "block"), cases("python"))
def test_an_example_prints_what_its_comments_say(document: Document, block: Block, tmp_path: Path) -> None:
    if block.body.startswith(NEEDS_NETWORK):
        compile(block.body, document.name, "exec")
        return
    done = start(["-W", "error", "-"], stdin=block.body, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert comments(block.body) == done.stdout.splitlines()
    assert done.stdout


def test_examples_have_the_right_types(tmp_path: Path) -> None:
    """For those that need a network this is the only proof that they fit the library."""
    files = []
    for document in (README, LIBRARY):
        for number, block in enumerate(document.blocks("python"), 1):
            files.append(tmp_path / f"{document.path.stem.lower()}_{number}.py")
            files[-1].write_text(block.body, "utf-8")
    done = start(["-m", "mypy", "--strict", *map(str, files)])
    assert done.returncode == 0, done.stdout + done.stderr


# Documents in both languages


@TWINS
def test_both_languages_have_the_same_shape(english: Document, chinese: Document) -> None:
    def shape(document: Document) -> object:
        return (
            [level for level, _title in document.headings],
            [(len(table), {len(row) for row in table}) for table in document.tables],
            [block.language for block in document.blocks()],
            len(re.split(r"\n{2,}", document.prose)),
        )

    assert shape(english) == shape(chinese)


@TWINS
def test_both_languages_have_the_same_code(english: Document, chinese: Document) -> None:
    assert english.blocks("python", "sh", "yaml") == chinese.blocks("python", "sh", "yaml")
    shown, translated = ([commands(block) for block in twin.blocks("console")] for twin in (english, chinese))
    assert [[line.replace("--lang zh ", "") for line in lines] for lines in translated] == shown


@TWINS
def test_both_languages_say_the_same_words_in_code(english: Document, chinese: Document) -> None:
    assert sorted(code(english.prose)) == sorted(code(chinese.prose))


@TWINS
def test_both_languages_link_to_the_same_places_each_in_its_own(english: Document, chinese: Document) -> None:
    assert chinese.path.name in english.links and english.path.name in chinese.links
    to_english = [link for link in english.links if link != chinese.path.name and "#" not in link]
    to_chinese = [link for link in chinese.links if link != english.path.name and "#" not in link]
    translations = {
        link: translation
        for link in to_english
        if (chinese.path.parent / (translation := link.removesuffix(".md") + CHINESE_SUFFIX)).exists()
    }
    assert sorted(translations.get(link, link) for link in to_english) == sorted(to_chinese)


# Tables of the READMEs


def words(table: list[list[str]], column: int = 0) -> list[str]:
    """What stands in backquotes in a column."""
    return [word for row in table for word in code(row[column])]


@READMES
def test_the_table_of_sources_lists_every_source(readme: Document) -> None:
    listed = words(readme.tables[1])
    assert listed[0] == database.NAME
    assert sorted(listed[1:]) == sorted(source.NAME for source in discovery.SOURCES)
    assert listed[-1] == guess.NAME


@READMES
def test_the_table_of_failures_lists_every_area_that_a_probe_can_report(readme: Document) -> None:
    listed = [word.removesuffix(".*") for word in words(readme.tables[2])]
    # These are about published files and records: lookup reports them in its ledger.
    elsewhere = {"http", "xml", "discover", "pacc", "srv"}
    areas = {area for name in diagnosis.CODES for area in [name.rpartition(".")[0]]} - elsewhere
    assert sorted(listed) == sorted(areas)


@READMES
def test_the_table_of_formats_lists_every_format_and_how_it_is_judged(readme: Document) -> None:
    table = readme.tables[3]
    assert words(table) == list(exporters.EXPORTERS)
    judges = {(exporters.load(name).JUDGED_BY, row[2]) for name, row in zip(words(table), table, strict=True)}
    expected = {
        README: {("client", "the real program"), ("rules", "rules")},
        CHINESE: {("client", "真实程序"), ("rules", "规则")},
    }
    assert judges == expected[readme]


# Links and files


@cache
def anchors(path: Path) -> frozenset[str]:
    """What GitHub makes of the headings of the document at ``path``."""
    titles = [title for _level, title in read(path.relative_to(ROOT).as_posix()).headings]
    return frozenset(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles)


@EVERY_DOCUMENT
def test_every_relative_link_leads_somewhere(document: Document) -> None:
    for link in document.links:
        file, _, anchor = link.partition("#")
        if file.startswith(("https:", "http:", "mailto:")):
            continue
        target = document.path.parent / file if file else document.path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.resolve()), link


def linked(path: Path) -> Iterator[Path]:
    """The documents that the one at ``path`` links to; a link to a folder is one to every document in it."""
    for link in read(path.relative_to(ROOT).as_posix()).links:
        if ":" not in link:
            target = (path.parent / link.partition("#")[0]).resolve()
            yield from target.glob("*.md") if target.is_dir() else [target]


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = {README.path}
    while waiting:
        path = waiting.pop()
        reached.add(path)
        waiting |= {file for file in linked(path) if file.suffix == ".md"} - reached
    assert {document.path for document in DOCUMENTS} - reached - {ROOT / "CHANGELOG.md"} == set()


@EVERY_DOCUMENT
def test_every_file_that_is_named_exists(document: Document) -> None:
    """Documents say ``net.py`` where the package is meant, and ``providers.yaml`` for what lies in ``data``.

    Files that are generated, and those of other programs, are not in the repository.
    """
    suffixes = (".py", ".yaml", ".md", ".toml", ".pot", ".txt", "/")
    absent = {"providers.idx", "addresses.txt", "config.toml"}
    named = {word for text in code(document.prose) for word in text.split() if word.endswith(suffixes)} - absent
    folders = (ROOT, ROOT / "mailsetup", ROOT / "data", document.path.parent)
    assert {name for name in named if not any((folder / name).exists() for folder in folders)} == set()


def modules() -> dict[str, str]:
    """Every module of the package: its path, and the first sentence of its docstring."""
    found = {}
    for path in sorted((ROOT / "mailsetup").rglob("*.py"), key=lambda path: (len(path.parts), path)):
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        assert docstring is not None, path
        paragraph = docstring.partition("\n\n")[0].replace("\n", " ").replace("``", "`")
        sentence = re.match(r".*?\.(?= |$)", paragraph)
        assert sentence, path
        found[path.relative_to(ROOT / "mailsetup").as_posix()] = sentence[0]
    return found


def test_the_architecture_lists_every_module_with_what_it_says_about_itself() -> None:
    section = ARCHITECTURE.section("Every module")
    expected = [[f"`{path}`", sentence] for path, sentence in modules().items()]
    (table,) = section.tables
    if UPDATE and table != expected:
        rows = "".join(f"| {path} | {sentence} |\n" for path, sentence in expected)
        replace(ARCHITECTURE, "".join(f"| {' | '.join(row)} |\n" for row in table), rows)
    else:
        assert table == expected


def test_every_folder_of_the_package_has_its_place_in_the_architecture() -> None:
    folders = {path.name for path in (ROOT / "mailsetup").iterdir() if path.is_dir() and path.name != "__pycache__"}
    where = ARCHITECTURE.section("Where to find things").prose
    assert {name for name in folders if f"`mailsetup/{name}" not in where} == set()


def own_files() -> list[Path]:
    """What is, or is about to be, under version control."""
    git = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(git, capture_output=True, cwd=ROOT, check=False)
    except FileNotFoundError:
        pytest.skip("needs git")
    if done.returncode != 0:
        pytest.skip("needs a git checkout")
    return [path for name in done.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_no_file_names_a_folder_of_somebody_s_machine() -> None:
    home = re.compile(rb"(?<![\w.:])/(?:home|Users|work|workspace)/[\w.-]+/|[A-Z]:\\Users\\\w+")
    files = own_files()
    assert ROOT / "README.md" in files
    found = {(path.relative_to(ROOT).as_posix(), hit[0]) for path in files for hit in home.finditer(path.read_bytes())}
    assert found == set()


# Ranking


def test_the_ranking_rules_rate_every_source() -> None:
    rated = words(RANKING.section("Confidence of a single source").tables[0])
    classified = {*ranking._AUTHENTICATED, *ranking._UNAUTHENTICATED}
    assert set(rated) == classified == {database.NAME, *(source.NAME for source in discovery.SOURCES)}


def test_the_warnings_that_follow_from_the_ranking_exist() -> None:
    listed = re.findall(r"`([a-z-]+)`", RANKING.section("Warnings that follow").prose)
    assert len(listed) >= 5
    assert set(listed) <= text.NOTICE_CODES


def test_the_numbers_of_the_ranking_rules_are_those_of_the_code() -> None:
    assert ranking.MAX_RECOMMENDED_PER_PROTOCOL == 4 and "and up to three more" in RANKING.text
    assert discovery.GRACE_FACTOR == 0.5 and "half the time that has passed" in RANKING.text
    assert f"{discovery.GRACE_S} s more" in RANKING.text


# The library


def signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    assert function.returns is not None
    return f"{function.name}({ast.unparse(function.args)}) -> {ast.unparse(function.returns)}"


def functions(source: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    nodes = ast.parse(source).body
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_calls_of_the_library_have_the_described_signatures() -> None:
    (block,) = LIBRARY.blocks("pyi")
    defined = functions(inspect.getsource(api))
    described = functions(block.body)
    assert {name: signature(node) for name, node in described.items()} == {
        name: signature(defined[name]) for name in described
    }
    twins = {f"{name}_async" for name in described if f"{name}_async" in defined}
    assert set(mailsetup.__all__) == {"__version__", *described, *twins}


def test_the_async_twins_take_what_the_plain_calls_take_and_a_resolver() -> None:
    for name in mailsetup.__all__:
        if name.endswith("_async"):
            plain = inspect.signature(getattr(api, name.removesuffix("_async"))).parameters
            twin = inspect.signature(getattr(api, name)).parameters
            assert set(twin) == {*plain, "resolver"}, name


def test_the_table_of_records_gives_their_fields_in_order() -> None:
    records = {**vars(model), **vars(exporters)}
    for name, _meaning, fields in LIBRARY.section("Records").tables[0]:
        (record,) = code(name)
        assert code(fields) == list(records[record]._fields), record


def test_the_table_of_words_gives_every_value_of_every_enumeration() -> None:
    enumerations = {
        name: value
        for name, value in vars(model).items()
        if isinstance(value, type) and issubclass(value, StrEnum) and value is not StrEnum
    }
    table = LIBRARY.section("Words").tables[0]
    assert {code(name)[0]: code(values) for name, values in table} == {
        name: [str(member) for member in enumeration] for name, enumeration in enumerations.items()
    }


def test_the_table_of_errors_lists_every_class() -> None:
    table = LIBRARY.section("Errors").tables[0]
    classes = {name for name, value in vars(errors).items() if isinstance(value, type)}
    listed = [code(row[0])[0] for row in table]
    assert sorted(listed) == sorted(classes)


# The project


def test_the_version_has_one_source() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert settings["project"]["dynamic"] == ["version"]
    source = (ROOT / settings["tool"]["hatch"]["version"]["path"]).read_text("utf-8")
    assert re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE) == [mailsetup.__version__]
    assert start(["-m", "mailsetup", "--version"]).stdout == f"mailsetup {mailsetup.__version__}\n"


def test_the_changelog_has_a_section_for_what_is_here() -> None:
    title = read("CHANGELOG.md").headings[1][1]
    assert title == "Unreleased" or title.startswith(mailsetup.__version__)


def test_the_license_covers_code_and_facts_as_declared() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (name,) = settings["project"]["license-files"]
    licence = (ROOT / name).read_text("utf-8")
    assert settings["project"]["license"] == "MIT AND CC0-1.0"
    assert "MIT License" in licence and "CC0" in licence


def test_the_readme_names_the_oldest_python_that_is_supported() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    oldest = settings["project"]["requires-python"].removeprefix(">=")
    assert f"Python {oldest} " in README.text and f"Python {oldest} " in CHINESE.text
