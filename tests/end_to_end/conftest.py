"""What the end-to-end tests share: the wheel, and a server's log beside a failure.

Those that need servers of others, or what these download, are marked `flaky`: they are tried once
more, and the summary says which (`RERUN`). What is ours alone has one try.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.environments import build_wheel

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from support.viewing import Visit


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as people install it."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    from support.viewing import chromium  # noqa: PLC0415 - Playwright may not be installed

    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """A window with the viewer that a module serves, in which nothing may go wrong."""
    from support.viewing import Visit  # noqa: PLC0415 - as above

    opened = Visit(browser, address)
    yield opened
    troubles = opened.troubles
    opened.close()
    assert troubles == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the log of Phoenix beside the failure of a test that uses it."""
    report = yield
    phoenix = getattr(item, "funcargs", {}).get("phoenix")
    if report.failed and phoenix is not None:
        report.sections.append(("Phoenix's log", phoenix.log))
    return report
