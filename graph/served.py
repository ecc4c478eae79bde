"""The agent that a LangGraph server serves, by `langgraph.json`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from typer import BadParameter

from ..telemetry.checkup import warn_of_slips
from ._agent import build_agent
from .cli._chat.choices import ECHO, choose_model
from .cli._chat.models import make_model
from .cli._chat.own import ModuleFailedError

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

__all__ = ["agent"]

_MODEL: Final = "NODESPAN_MODEL"
_MODEL_NAME: Final = "NODESPAN_MODEL_NAME"


def agent() -> CompiledStateGraph[Any]:
    """Make the agent, with the model that the environment names.

    `NODESPAN_MODEL` says what `nodespan chat --model` does: `echo` (the default), the path of a
    GGUF file, the address of an endpoint with `NODESPAN_MODEL_NAME`, or `MODULE:NAME`.

    Raises:
        ValueError: the variables can be no model.

    Source: https://docs.langchain.com/langsmith/cli
    """
    warn_of_slips()
    asked = os.environ.get(_MODEL) or ECHO
    try:
        choice = choose_model(asked, model_name=os.environ.get(_MODEL_NAME) or None)
        return build_agent(make_model(choice), name="agent")
    except (BadParameter, ModuleFailedError) as error:
        raise ValueError(f"{_MODEL} is no model that can be served: {error.message}") from error
