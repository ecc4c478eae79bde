"""What the end-to-end tests share: the wheel, and a server's log beside a failure.

Those that need servers of others, or what these download, are marked `flaky`: they are tried once
more, and the summary says which (`RERUN`). What is ours alone has one try.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.environments import build_wheel

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as people install it."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


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
