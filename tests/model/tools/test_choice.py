"""`tool_choice` in every form that LangChain's packages take, and tools of the provider's own."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool
from pydantic import BaseModel

from nodespan.model import (
    BadRequestError,
    OpenAICompatibleChatModel,
    ScriptedChatModel,
    UnsupportedError,
)
from support.hostile import HostileServer, says


@tool
def look(where: str) -> str:
    """Look somewhere."""
    return where


class Look(BaseModel):
    """Look somewhere."""

    where: str


SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
NAMED = {"type": "function", "function": {"name": "look"}}


def _choice(choice: Any, tools: Any = (look,)) -> Any:
    model = ScriptedChatModel(["ok"])
    model.bind_tools(list(tools), tool_choice=choice).invoke("Hi")
    return model.calls[0].tool_choice


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        *((each, None) for each in (None, False)),
        *((each, "required") for each in ("any", "required", True, {"type": "any"})),
        *((each, "auto") for each in ("auto", {"type": "auto"})),
        *((each, "none") for each in ("none", {"type": "none"})),
        *((each, NAMED) for each in ("look", NAMED, look, ["look"])),
        ({"function": {"name": "look"}}, NAMED),
        ({"type": "function", "name": "look"}, NAMED),
        ({"type": "tool", "name": "look"}, NAMED),
        ({"name": "look"}, NAMED),
    ],
)
def test_every_form_is_taken(given: Any, sent: Any) -> None:
    """OpenAI's forms, Anthropic's, and a tool itself."""
    assert _choice(given) == sent


def test_a_class_and_a_part_of_the_tools_can_be_chosen() -> None:
    """The class of a tool is its name; OpenAI's choice among several goes as it is."""
    assert _choice(Look, [Look])["function"]["name"] == "Look"
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}}
    assert _choice(allowed) == allowed


@pytest.mark.parametrize(
    "choice",
    [
        *("lok", {}, {"type": "function"}, {"function": {}}, {"function": "look"}, 4),
        *(["a", "b"], {"type": "tool", "name": "lok"}, object()),
    ],
)
def test_the_rest_is_refused(choice: Any) -> None:
    """With an error of ours that names the choice and the tools."""
    with pytest.raises(BadRequestError, match=r"tool_choice .*none of the tools \(look\)"):
        _choice(choice)


@pytest.mark.parametrize("search", [SEARCH, {"type": "web_search"}, {"google_search": {}}])
def test_ones_own_tool_stands_beside_a_providers(search: dict[str, Any]) -> None:
    """The provider's goes to its server as it is, and either can be chosen."""
    with HostileServer([says("ok")]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m")
        model.bind_tools([look, search], tool_choice="look").invoke("Hi")
        body = server.requests[0].body
        assert body["tools"][0]["function"]["name"] == "look"
        assert body["tools"][1] == search
        assert body["tool_choice"] == NAMED


def test_a_model_by_schema_cannot_call_a_providers_tool() -> None:
    """It says so when the tool is bound."""
    from support.calling import Constrained  # noqa: PLC0415 - one of the models of the contract

    with pytest.raises(UnsupportedError, match="web_search"):
        Constrained(arguments="{}").bind_tools([look, SEARCH])
