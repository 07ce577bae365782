"""Fixtures that every test may use."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator

import pytest

from lab import Authority, Lab, missing, open_lab, second
from proofs import PRODUCED, PROVED, codes_of


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A throw-away certification authority."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def lab(authority: Authority) -> Iterator[Lab]:
    """The laboratory of real servers. Where it cannot run the test is skipped, but never in CI on Linux as root."""
    if reason := missing():
        if os.environ.get("CI") == "true" and sys.platform.startswith("linux") and os.geteuid() == 0:
            pytest.fail(f"the laboratory of real servers: {reason}", pytrace=False)
        pytest.skip(f"the laboratory of real servers: {reason}")
    with open_lab(authority) as lab:
        yield lab


@pytest.fixture(scope="session")
def second_servers(lab: Lab, authority: Authority) -> Iterator[None]:
    """Cyrus and Exim beside the servers of the laboratory. Where they are not there the test is skipped."""
    if reason := second.missing():
        pytest.skip(f"a second implementation of each protocol: {reason}")
    with second.open_second(lab, authority):
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the laboratory, so that ``-m "not servers"`` leaves it out; put last what comes last."""
    for item in items:
        if isinstance(item, pytest.Function) and "lab" in item.fixturenames:
            item.add_marker(pytest.mark.servers)
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record what a test that passed has proved (its marks ``proves`` and ``produces``)."""
    report = yield
    if report.when == "call" and report.passed:
        item.config.stash.setdefault(PROVED, set()).update(mark.args for mark in item.iter_markers("proves"))
        item.config.stash.setdefault(PRODUCED, set()).update(codes_of(item))
    return report
