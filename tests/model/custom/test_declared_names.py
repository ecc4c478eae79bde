"""A model is called what its class declares it to be called, asked and answering alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import Field

from nodespan.model import CustomChatModel

if TYPE_CHECKING:
    from collections.abc import Iterator


class Base(CustomChatModel):
    """Answers."""

    def respond(self, messages: Any) -> Iterator[str]:  # noqa: ARG002 - it answers anything
        """Yield the answer."""
        yield "so it is"


class ByModelName(Base):
    """Declares LangChain's usual field."""

    model_name: str = "big-7b"


class ByModel(Base):
    """Declares the other usual field."""

    model: str = "big-7b"


class ByAlias(Base):
    """Declares it under another name."""

    model: str = Field(default="big-7b", alias="m")


class ByDeployment(Base):
    """Declares a deployment."""

    azure_deployment: str = "big-7b"


class ByProperty(Base):
    """Has a property."""

    @property
    def model_id(self) -> str:
        """The model."""
        return "big-7b"


KINDS = [ByModelName, ByModel, ByAlias, ByDeployment, ByProperty]


def names(model: Any, /, **call: Any) -> set[Any]:
    """Return what a model is called: asked, answering, and by itself."""
    bound = model.bind(**call) if call else model
    answer = bound.invoke("hello").response_metadata["model_name"]
    params = model._get_invocation_params(**call)
    asked = params.get("model", params.get("model_name"))
    return {answer, asked, model._get_ls_params(**call)["ls_model_name"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_declared_name(kind: type[CustomChatModel]) -> None:
    """A default that is declared counts as one that is given."""
    model = kind()
    assert names(model) == {"big-7b"}
    assert model.model_name == "big-7b"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["model", "model_name"])
def test_a_name_that_is_given(kind: type[CustomChatModel], key: str) -> None:
    """What is given to the model, or to a call, counts more."""
    assert names(kind(**{key: "small-1b"})) == {"small-1b"}
    assert names(kind(), **{key: "small-1b"}) == {"small-1b"}


def test_without_any() -> None:
    """The class's own name is the model's."""
    assert names(Base()) == {"base"}
