"""What the tests of a run's life share: nobody waits when a test begins."""

from __future__ import annotations

import pytest

from support.waiting import wait


@pytest.fixture(autouse=True)
def _nobody_waits() -> None:
    wait.begin()
