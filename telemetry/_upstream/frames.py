"""Looks whether the frames by which the stack is read have the names that they had."""

from __future__ import annotations

import sys
from typing import Final

from . import langchain, langgraph

_unseen: Final = [
    langchain.WAITING,
    langchain.TELLING,
    langchain.BRIDGES,
    langchain.FUNCTIONS,
    langchain.LEFT_OUT,
    langchain.TOOLS,
    langgraph.GRAPHS,
]
_seen: Final = {"modules": 0}


def look_at_frames() -> None:
    """Say once of each use that it is off; modules that are not imported yet are looked at later.

    It is called for every root: where no module has come, nothing is looked at.
    """
    if _unseen and len(sys.modules) != _seen["modules"]:
        _seen["modules"] = len(sys.modules)
        _unseen[:] = [use for use in _unseen if use.look_at_frames()]
