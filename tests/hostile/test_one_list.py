"""One list of credentials serves models, telemetry and logs."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from itertools import chain

import pytest

from nodespan.telemetry._values import credentials as of_telemetry

LIST = "credentials.json"


@pytest.mark.parametrize("name", ["credentials.py", LIST])
def test_it_is_the_same_in_models_and_in_telemetry(name: str) -> None:
    """Packages that do not know each other carry one file; who changes one copies it over."""
    model = files("nodespan.model") / "_custom" / name
    telemetry = files("nodespan.telemetry") / "_values" / name
    assert model.read_bytes() == telemetry.read_bytes()


def test_it_names_its_sources() -> None:
    """Each shape says where it comes from; each source has a version or is ours, and a licence."""
    told = json.loads((files("nodespan.telemetry") / "_values" / LIST).read_text("utf-8"))
    sources = {source["name"]: source for source in told["sources"]}
    assert {shape["source"] for shape in told["shapes"]} == sources.keys()
    assert {source["licence"] for source in sources.values()} == {"Apache-2.0"}
    assert sources["detect-secrets"]["version"]


def test_each_shape_is_compiled_and_has_its_hint() -> None:
    """A shape is tried only where its hint is in the text: what it finds must hold the hint."""
    told = json.loads((files("nodespan.telemetry") / "_values" / LIST).read_text("utf-8"))
    known = {each.pattern for each in chain(*of_telemetry._BY_MARK.values())}
    assert known == {shape["pattern"] for shape in told["shapes"]}
    for shape in told["shapes"]:
        re.compile(shape["pattern"])
        letters = [mark for mark in shape["hint"] if mark.isalnum()]
        assert all(mark in shape["pattern"] for mark in letters), shape["id"]
        assert shape.get("mark", "") in shape["pattern"], shape["id"]
