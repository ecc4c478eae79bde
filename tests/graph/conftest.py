"""A model that calls tools, and a handler that writes down which runs there were."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from support.played import PlayedModel, RunLog


@pytest.fixture
def run_log() -> RunLog:
    """A handler that writes runs down."""
    return RunLog()


@pytest.fixture
def played() -> Any:
    """Make a model of its answers: texts, or whole messages."""

    def make(*answers: str | AIMessage) -> PlayedModel:
        return PlayedModel(
            answers=[AIMessage(each) if isinstance(each, str) else each for each in answers]
        )

    return make
