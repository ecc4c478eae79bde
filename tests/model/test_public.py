"""What the package offers is exactly what it says it offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

import nodespan.model


def test_public_names_are_what_all_says() -> None:
    """Every name without an underscore is in `__all__`, and reports its public home."""
    public = {name for name in vars(nodespan.model) if not name.startswith("_")}
    assert public == set(nodespan.model.__all__)
    assert sorted(nodespan.model.__all__) == nodespan.model.__all__
    homes = {getattr(nodespan.model, name).__module__ for name in public}
    assert homes == {"nodespan.model"}


@pytest.mark.slow
def test_importing_loads_no_extra() -> None:
    """The extras are loaded where they are used, not with the package."""
    check = "import sys, nodespan.model; assert not {'xllamacpp', 'httpx_sse'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
