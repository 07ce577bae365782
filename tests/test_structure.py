"""The structure that the project keeps: who may import whom, what a lookup loads, tables that match their folders."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import mailsetup
from mailsetup.exporters import EXPORTERS, load

PACKAGE = Path(mailsetup.__file__).parent
STANDARD = frozenset(sys.stdlib_module_names)

# What each part may import from the package itself; a folder stands for every file in it. Not listed: not allowed.
FACTS = {"model", "errors"}
ARROWS: dict[str, set[str]] = {
    "__init__": {"api"},
    "__main__": {"i18n", "cli"},
    "model": set(),
    "errors": set(),
    "i18n": set(),
    "address": FACTS,
    "index": FACTS,
    "xmlfile": FACTS,
    "clientconfig": FACTS | {"address", "xmlfile"},
    "pox": FACTS | {"address", "xmlfile"},
    "portal": FACTS | {"address"},
    "yamlfile": FACTS | {"address", "i18n"},
    "compiler": FACTS | {"address", "i18n", "yamlfile"},
    "refusal_compiler": FACTS | {"diagnosis", "i18n", "wire", "yamlfile"},
    "refusals": FACTS | {"index", "wire"},
    "pasted": {"wire"},
    "client_errors": {"i18n", "wire"},
    "explaining": FACTS | {"client_errors", "diagnosis", "i18n", "index", "pasted", "refusals", "wire"},
    "ranking": FACTS | {"address"},
    "roles": FACTS | {"ranking"},
    "answers": FACTS | {"ranking", "roles"},
    "diagnosis": FACTS | {"i18n", "wire"},
    "text": FACTS | {"i18n", "diagnosis"},
    "conclusion": FACTS | {"i18n"},
    "reasons": FACTS | {"i18n"},
    "layout": FACTS | {"conclusion", "i18n", "diagnosis", "reasons", "text"},
    "jsonform": FACTS | {"conclusion", "i18n", "text", "diagnosis"},
    "wire": FACTS | {"wire"},
    "preferences": FACTS,
    "profiles": {"errors", "files", "preferences"},
    "exporters": FACTS | {"i18n", "address", "clientconfig", "exporters", "preferences", "text"},
    "database": FACTS | {"address", "index"},
    "sources": FACTS | {"address", "database", "index", "clientconfig", "pox", "sources"},
    "tls": FACTS | {"wire"},
    "deadline": {"errors"},
    "eventloop": set(),
    "checkout": {"errors"},
    "turns": {"deadline", "errors"},
    "resolver": FACTS | {"address", "deadline", "turns"},
    "net": FACTS | {"deadline", "resolver", "sources", "tls"},
    "fetch": FACTS | {"__init__", "address", "tls", "net", "prober", "sources"},
    "prober": FACTS | {"tls", "net", "wire"},
    "discovery": FACTS
    | {"answers", "deadline", "fetch", "index", "net", "portal", "prober", "ranking", "resolver", "scripts", "sources"},
    "scripts": set(),
    "message": FACTS | {"i18n", "wire"},
    "delivery": FACTS | {"net", "prober", "wire"},
    "probing": FACTS
    | {"address", "deadline", "delivery", "index", "message", "net", "prober", "refusals", "resolver", "wire"},
    "api": FACTS
    | {
        "address",
        "answers",
        "database",
        "discovery",
        "eventloop",
        "exporters",
        "index",
        "probing",
        "ranking",
        "resolver",
    }
    | {"wire"}
    | {"explaining", "i18n", "pasted"}  # explain
    | {"auditing", "survey"}  # audit
    | {"publishing"},
    "verifying": FACTS
    | {"database", "deadline", "i18n", "jsonform", "net", "prober", "probing", "refusals", "resolver"},
    "journal": FACTS | {"jsonform"},
    "reports": FACTS | {"i18n", "jsonform", "verifying"},
    "patching": FACTS | {"compiler"},
    "bulk": set(),
    "stencil": FACTS | {"address", "api", "database", "index"},
    "files": {"errors"},
    "piped": set(),
    "password": {"errors", "i18n", "piped", "wire"},
    "bundling": FACTS | {"exporters", "i18n", "text"},
    "exporting": FACTS | {"address", "bundling", "exporters", "files", "helptext", "i18n", "profiles"},
    "helptext": {"i18n", "text"},
    "typos": set(),
    "questions": FACTS | {"exporters", "i18n", "wire"},
    "guide": FACTS
    | {
        "address",
        "api",
        "bundling",
        "conclusion",
        "diagnosis",
        "exporters",
        "i18n",
        "layout",
        "probing",
        "questions",
        "text",
        "typos",
    },
    "zonefile": set(),
    "webserver": {"model"},
    "publishing": FACTS | {"clientconfig", "exporters", "i18n", "sources", "webserver", "zonefile"},
    "survey": FACTS
    | {"clientconfig", "deadline", "discovery", "fetch", "index", "net", "prober", "publishing", "resolver"}
    | {"sources"},
    "clients": FACTS | {"survey"},
    "findings": {"diagnosis", "i18n"},
    "auditing": FACTS | {"address", "clients", "findings", "prober", "probing", "sources", "survey"},
    "options": FACTS | {"__init__", "address", "i18n", "resolver", "tls"},
    "render": FACTS
    | {"__init__", "answers", "conclusion", "diagnosis", "helptext", "i18n", "jsonform", "layout", "text"},
    "commands": FACTS
    | {"api", "bulk", "commands", "compiler", "exporting", "files", "helptext", "i18n", "index", "journal", "layout"}
    | {"options", "password", "patching", "piped", "probing", "render", "reports", "resolver", "text", "verifying"}
    | {"address", "explaining", "jsonform", "pasted", "wire"}  # explain
    | {"checkout", "database", "eventloop"}  # verify
    | {"publishing"}  # publish
    | {"auditing", "clients", "findings"}  # audit
    | {"exporters", "guide", "profiles", "questions"}  # setup
    | {"stencil"},  # lookup
    "cli": {"commands", "errors", "helptext", "i18n", "options", "text"},
}
# Which part may load which installed package.
LIBRARIES = {
    "certifi": {"tls"},
    "click": {"cli", "commands", "helptext", "options", "exporting", "password"},
    "rich": {"render"},
    "dns": {"resolver"},
    "h11": {"fetch"},
    "idna": {"address"},
    "keyring": {"password"},
    "publicsuffixlist": {"address"},
    "cryptography": {"tls"},
    "segno": {"exporters"},
    "yaml": {"yamlfile", "compiler", "patching", "refusal_compiler"},
}
# Sockets, TLS and the event loop stay out of everything that claims to be pure.
IMPURE = {"socket", "ssl", "asyncio", "selectors", "http", "urllib.request", "smtplib", "imaplib", "poplib"}
PURE = {
    *("model", "errors", "address", "index", "clientconfig", "compiler", "ranking", "answers", "diagnosis", "text"),
    *("xmlfile", "pox", "portal"),
    *("conclusion", "client_errors", "pasted", "refusal_compiler", "refusals", "explaining"),
    *("guide", "questions", "typos"),
    *("publishing", "webserver", "zonefile"),
    *("auditing", "clients", "findings"),
    *("bundling", "jsonform", "layout", "patching", "reasons", "roles", "wire", "exporters", "i18n"),
    "preferences",
}
# Modules whose import would cost an offline lookup more than it is worth.
TOO_DEAR = {
    *("rich", "dns", "asyncio", "ssl", "socket", "yaml", "h11", "idna", "publicsuffixlist", "cryptography"),
    "segno",
    *(
        "importlib.metadata",
        "importlib.resources",
        "dataclasses",
        "xml",
        "subprocess",
        "tempfile",
        "babel",
        "hatchling",
    ),
}


def part_of(path: Path) -> str:
    """The name in ARROWS that a file belongs to."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> list[tuple[str, bool]]:
    """Every import of a file: ``(name, own)``; a name of the package itself without its prefix, with ``own``."""
    depth = len(path.relative_to(PACKAGE).parts)
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, False) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append((node.module or "", False))
        elif isinstance(node, ast.ImportFrom):
            inside = node.level < depth  # "from . import x" within a folder of the package
            if inside:
                found.append((path.parent.name, True))
            elif node.module:
                found.append((node.module.split(".")[0], True))
            else:
                names = [alias.name for alias in node.names]
                found += [
                    (n if (PACKAGE / n).is_dir() or (PACKAGE / f"{n}.py").exists() else "__init__", True) for n in names
                ]
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_import_follows_an_allowed_arrow(path: Path) -> None:
    part = part_of(path)
    for name, own in imports(path):
        top = name.split(".")[0]
        if own:
            assert name in ARROWS[part], f"{part} imports {name}"
        elif top not in STANDARD:
            assert part in LIBRARIES.get(top, set()), f"{part} imports {top}"
        elif part in PURE:
            assert name not in IMPURE and top not in IMPURE, f"{part} claims to be pure and imports {name}"


def test_every_arrow_is_used() -> None:
    """A list of permissions that nobody uses hides the structure instead of showing it."""
    used: dict[str, set[str]] = {part: set() for part in ARROWS}
    for path in FILES:
        used[part_of(path)] |= {name for name, own in imports(path) if own}
    unused = {part: allowed - FACTS - used[part] for part, allowed in ARROWS.items() if allowed - FACTS - used[part]}
    assert unused == {}


def loaded_after(*arguments: str) -> set[str]:
    """The modules that a run of the program with piped output has loaded."""
    program = (
        "import sys, mailsetup.__main__ as m; code = m.main(sys.argv[1:]); "
        "sys.stderr.write('\\n'.join(sys.modules)); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [("lookup", "--offline", "--json", "user@qq.com"), ("lookup", "user@qq.com"), ("--version",)],
    ids=" ".join,
)
def test_an_offline_lookup_loads_nothing_dear(arguments: tuple[str, ...]) -> None:
    assert not loaded_after("--lang", "en", *arguments) & TOO_DEAR


def test_an_offline_lookup_loads_these_modules_of_ours_and_no_others() -> None:
    loaded = {name for name in loaded_after("lookup", "--offline", "--json", "user@qq.com") if "mailsetup" in name}
    assert loaded == {
        "mailsetup",
        *(
            f"mailsetup.{name}"
            for name in (
                *("__main__", "i18n", "cli", "api", "address", "errors", "model", "answers", "ranking", "roles"),
                *(
                    "index",
                    "database",
                    "helptext",
                    "options",
                    "render",
                    "layout",
                    "text",
                    "commands",
                    "commands.lookup",
                    "jsonform",
                ),
            )
        ),
    }


def test_the_table_of_exporters_lists_the_files_of_its_folder() -> None:
    files = {path.stem for path in (PACKAGE / "exporters").glob("*.py")} - {"__init__"}
    assert set(EXPORTERS.values()) == files


@pytest.mark.parametrize("name", EXPORTERS)
def test_every_exporter_has_the_attributes_of_the_interface(name: str) -> None:
    exporter = load(name)
    assert name == exporter.NAME
    assert exporter.TITLE and exporter.WHERE and exporter.MEDIA_TYPE
    assert exporter.JUDGED_BY in ("client", "rules")
    assert isinstance(exporter.SEVERAL_FILES, bool)
    assert exporter.FILES and exporter.PROTOCOLS
    assert callable(exporter.render)


def test_the_table_of_sources_lists_the_files_of_its_folder() -> None:
    from mailsetup.discovery import SOURCES

    files = {path.stem for path in (PACKAGE / "sources").glob("*.py")} - {"__init__"}
    assert {source.NAME.replace("-", "_") for source in SOURCES} == files


def test_the_table_of_dialogues_has_every_protocol() -> None:
    from mailsetup.model import Protocol
    from mailsetup.prober import DIALOGUES

    assert set(DIALOGUES) == set(Protocol)


def test_every_public_name_of_the_package_exists() -> None:
    for name in mailsetup.__all__:
        assert getattr(mailsetup, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        mailsetup.no_such_name  # noqa: B018  # the access is the test


def test_the_calls_of_the_library_are_not_hidden_by_modules_of_the_same_name() -> None:
    """``import mailsetup.probe`` would replace the function ``mailsetup.probe``."""
    for path in FILES:
        module = ".".join(("mailsetup", *path.relative_to(PACKAGE).with_suffix("").parts))
        if not module.endswith("__main__"):
            importlib.import_module(module.removesuffix(".__init__"))
    for name in ("lookup", "discover", "probe", "export"):
        assert callable(getattr(mailsetup, name))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))
