"""What the end-to-end tests share: what they find in their folder, and a server's log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

sys.path.append(str(Path(__file__).parent))


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
