"""Whose a run is, and of which conversation, is on its spans."""

from __future__ import annotations

from typing import Any

import pytest

from nodespan.graph import build_agent
from nodespan.telemetry.testing import capture_spans
from support.everything import QUESTION
from support.strangers import AINVOKE, INVOKE, Call, Talker

KEYS = ("gen_ai.conversation.id", "session.id", "user.id")


def told(metadata: dict[str, Any], call: Call = INVOKE, **settings: Any) -> set[Any]:
    """Return what each span says of it."""
    with capture_spans(**settings) as captured:
        config: Any = {"callbacks": [captured.handler], "metadata": metadata}
        call.run(build_agent(Talker(), name="clerk"), QUESTION, config)
    return {tuple(map(span.attributes.get, KEYS)) for span in captured.spans}


@pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)
@pytest.mark.parametrize("key", ["thread_id", "conversation_id", "session_id"])
def test_a_conversation_is_known_by_any_of_its_names(key: str, call: Call) -> None:
    """Every span carries it, as conversation and as session, and the user beside it."""
    assert told({key: "c-1", "user_id": "u-1"}, call) == {("c-1", "c-1", "u-1")}


def test_a_session_may_hold_several_conversations() -> None:
    """Where both are given, each is what it is."""
    assert told({"thread_id": "c-1", "session_id": "s-1"}) == {("c-1", "s-1", None)}


def test_people_may_be_left_out() -> None:
    """A setting says so; the conversation stays."""
    assert told({"thread_id": "c-1", "user_id": "u-1"}, user_ids=False) == {("c-1", None, None)}


def test_nobody_is_made_up() -> None:
    """What the metadata do not have is nowhere."""
    assert told({}) == {(None, None, None)}


TAGS = ["billing", "password=hunter2hunter2"]


def tags_of(**settings: Any) -> set[Any]:
    """Return the tags on each span of an agent's call."""
    with capture_spans(**settings) as captured:
        config: Any = {"callbacks": [captured.handler], "tags": TAGS}
        build_agent(Talker(), name="clerk").invoke(QUESTION, config)
    return {span.attributes.get("langchain.tags") for span in captured.spans}


def test_tags_are_told_where_they_are_asked_for() -> None:
    """People write in them what they like: by default they are nowhere, and secrets never."""
    assert tags_of() == {None}
    assert tags_of(capture_content="SPAN_ONLY") == {None}
    ((name, secret),) = tags_of(tags=True)
    assert name == "billing"
    assert "hunter2" not in secret
