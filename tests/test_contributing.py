"""The way from a missing provider to a pull request, gone as CONTRIBUTING.md describes it, without its network."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from documents import ROOT, commands, read, start
from mailsetup.compiler import compile_providers
from mailsetup.model import Confidence, Provider

CONTRIBUTING = read("CONTRIBUTING.md")
(EXAMPLE,) = CONTRIBUTING.blocks("yaml")
ADDRESS = "user@example.com"


def example() -> Provider:
    """The provider of the entry to copy."""
    (provider,), faults = compile_providers(EXAMPLE.body.encode(), "example.yaml")
    assert faults == []
    return provider


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout with the example at the end of its database."""
    made = shutil.ignore_patterns("*.idx", "__pycache__")
    for folder in ("data", "docs", "mailsetup"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=made)
    database = tmp_path / "data" / "providers.yaml"
    database.write_text(f"{database.read_text('utf-8')}\n{EXAMPLE.body}", "utf-8")
    return tmp_path


def test_the_entry_to_copy_shows_every_key_that_most_providers_need() -> None:
    keys = set(re.findall(r"^[- ] (\w+):", EXAMPLE.body, re.MULTILINE))
    needed = {"id", "name", "domains", "authentication", "imap", "smtp", "needs", "notes", "help", "sources"}
    assert needed <= keys


def test_the_first_servers_of_the_entry_to_copy_are_sure() -> None:
    provider = example()
    assert [(e.protocol, e.security, sure) for e, sure in provider.endpoints[:2]] == [
        ("imap", "tls", Confidence.HIGH),
        ("smtp", "tls", Confidence.HIGH),
    ]
    assert ADDRESS.endswith(provider.domains)


def test_the_commands_lead_from_the_entry_to_an_answer(checkout: Path) -> None:
    (lines,) = (found for block in CONTRIBUTING.blocks("sh") if "--offline" in (found := commands(block))[-1])
    printed = []
    for line in lines:
        program, *words = line.split()
        # Python looks for a module in the current folder first, so that it is the copy's own program.
        done = start(words if program == "python" else ["-m", program, *words], cwd=checkout)
        assert (done.returncode, done.stderr) == (0, ""), line
        printed.append(done.stdout)
    assert "no faults" in printed[0]
    assert ADDRESS in printed[-1]
    for endpoint, _confidence in example().endpoints:
        assert endpoint.host in printed[-1]
    for note in example().notes:
        assert note.en in printed[-1]
    assert "### Example Mail" in (checkout / "docs" / "providers.md").read_text("utf-8")
    assert "### 示例邮箱" in (checkout / "docs" / "providers.zh-CN.md").read_text("utf-8")


def test_the_commands_with_a_network_are_about_the_same_provider() -> None:
    (lines,) = (found for block in CONTRIBUTING.blocks("sh") if "verify" in (found := commands(block))[0])
    assert [line.split()[-1] for line in lines] == [example().id, ADDRESS]
