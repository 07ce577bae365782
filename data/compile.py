"""Make what the package needs beside its code: the provider index, the refusals and the message catalogues.

The wheel build runs it as a hatchling hook; by hand it is ``python data/compile.py``. With ``--check`` it only says
whether index and refusals belong to the YAML files; with ``--extract`` it first brings the texts of the code into the
.pot and .po files, where they wait for translation.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from babel.messages import Catalog

ROOT = Path(__file__).resolve().parent.parent
PROVIDERS = ROOT / "data" / "providers.yaml"
REFUSALS = ROOT / "data" / "refusals.yaml"
LOCALE = ROOT / "mailsetup" / "locale"
# What Babel would put into a catalogue: dates and versions that change each time, and names that git knows better.
_UNUSED_HEADERS = (
    b'"Project-Id-Version:',
    b'"Report-Msgid-Bugs-To:',
    b'"POT-Creation-Date:',
    b'"PO-Revision-Date:',
    b'"Last-Translator:',
    b'"Language-Team:',
    b'"Generated-By:',
)

sys.path.insert(0, str(ROOT))  # this checkout, never an installed copy; an isolated build has no other
from mailsetup import compiler, index, refusal_compiler, refusals  # noqa: E402  # needs sys.path as set above
from mailsetup.errors import DataError  # noqa: E402  # needs sys.path as set above

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:
    pass  # run by hand outside a build: no hook is needed
else:

    class CompileHook(BuildHookInterface[Any]):
        """What hatchling calls before it collects the files of a wheel, editable or not, or of an sdist."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Compile everything, or stop the build with one line for each fault."""
            if faults := compile_data() + compile_catalogues():
                raise SystemExit("\n".join(faults))


def compile_data() -> list[str]:
    """Write the index and the refusals from their YAML files; return the faults as lines.

    The refusals name providers, so a fault in providers.yaml leaves both as they are.
    """
    source = PROVIDERS.read_bytes()
    providers, faults = compiler.compile_providers(source, PROVIDERS.relative_to(ROOT).as_posix())
    if not faults:
        _replace(Path(index.PATH), index.encode(providers, compiler.digest(source)))
        name = REFUSALS.relative_to(ROOT).as_posix()
        rows, faults = refusal_compiler.compile_refusals(REFUSALS.read_bytes(), name, providers)
        if not faults:
            _replace(Path(refusals.PATH), refusals.encode((row.refusal for row in rows), _digest_of_both()))
    return [str(fault) for fault in faults]


def _replace(path: Path, content: bytes) -> None:
    """Write ``path`` in one step: whoever reads it meanwhile, or is interrupted here, has the old file whole."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


def _digest_of_both() -> str:
    """What tells which YAML files the refusals were made from: they hold names of providers."""
    return compiler.digest(PROVIDERS.read_bytes() + REFUSALS.read_bytes())


def compile_catalogues() -> list[str]:
    """Write a .mo beside each .po of the package; return the faults of the .po files as lines."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import PoFileError, read_po

    faults = []
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        try:
            with path.open("rb") as file:
                catalogue = read_po(file, locale=path.parent.parent.name, abort_invalid=True)
        except PoFileError as error:
            faults.append(f"{path.relative_to(ROOT).as_posix()}:{error.lineno}: {error}")
            continue
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalogue)
    return faults


def extract_texts() -> Catalog:
    """Every text that the code marks with ``_``, ``N_`` or ``NN_``, with the files it is in."""
    from babel.messages import Catalog
    from babel.messages.extract import extract_from_dir

    template = Catalog(charset="utf-8", fuzzy=False, header_comment="# The texts of mailsetup, for translation.\n#")
    keywords = {"_": None, "N_": None, "NN_": (1, 2)}
    for name, _line, text, comments, _context in extract_from_dir(
        LOCALE.parent, keywords=keywords, comment_tags=["Translators:"]
    ):
        template.add(text, locations=[(f"mailsetup/{name}", 0)], auto_comments=comments)
    return template


def refresh_catalogues() -> None:
    """Write the texts of the code to mailsetup.pot, and to each .po with the translations it has."""
    from babel.messages.pofile import read_po

    template = extract_texts()
    _write_po(LOCALE / "mailsetup.pot", template)
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=path.parent.parent.name)
        catalogue.update(template, no_fuzzy_matching=True)
        _write_po(path, catalogue)


def _write_po(path: Path, catalogue: Catalog) -> None:
    """Write ``catalogue`` without line numbers, dates and other headers: a file changes only when its texts do."""
    from io import BytesIO

    from babel.messages.pofile import write_po

    written = BytesIO()
    write_po(written, catalogue, width=120, ignore_obsolete=True, include_lineno=False)
    lines = written.getvalue().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if not line.startswith(_UNUSED_HEADERS)))


def check_data() -> list[str]:
    """Why a compiled file on disk cannot be used with the YAML files, as lines; [] if all can."""
    faults = []
    for path, read_digest, expected in (
        (index.PATH, _digest_of_index, compiler.digest(PROVIDERS.read_bytes())),
        (refusals.PATH, _digest_of_refusals, _digest_of_both()),
    ):
        try:
            if read_digest() == expected:
                continue
            reason = "does not belong to the files in data"
        except DataError as error:
            reason = "is missing" if error.code == "data.index_missing" else "was made by another version"
        faults.append(f"mailsetup/{Path(path).name} {reason}: run python data/compile.py")
    return faults


def _digest_of_index() -> str:
    return index.Index.load().digest


def _digest_of_refusals() -> str:
    return refusals.read()[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 2 if there is any fault."""
    parser = argparse.ArgumentParser(description="Compile the provider index, the refusals and the message catalogues.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 2 if a compiled file is out of date"
    )
    parser.add_argument("--extract", action="store_true", help="first refresh the .pot and .po files from the code")
    options = parser.parse_args(arguments)
    if options.extract:
        refresh_catalogues()
    faults = check_data() if options.check else compile_data() + compile_catalogues()
    for fault in faults:
        print(fault, file=sys.stderr)
    return 2 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
