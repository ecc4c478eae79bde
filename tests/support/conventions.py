"""The conventions' own data, as they publish it; see `telemetry/semconv/SOURCE.md`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

_DATA: Final = Path(__file__).parents[1] / "telemetry" / "semconv"

REGISTRY: Final = json.loads((_DATA / "genai_registry.json").read_text())
RELEASED: Final = json.loads((_DATA / "released.json").read_text())


def schema(name: str) -> dict[str, Any]:
    """Return the JSON schema of an attribute that holds JSON, such as "input-messages"."""
    text = (_DATA / "schemas" / f"gen-ai-{name}.json").read_text()
    published: dict[str, Any] = json.loads(text)
    return published
