"""What a model refuses, it refuses by the error that its reference names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from nodespan.model import (
    BadRequestError,
    CustomChatModel,
    EchoChatModel,
    LlamaCppChatModel,
    OpenAICompatibleChatModel,
    Pause,
    ScriptedCall,
    ScriptedChatModel,
)
from support import docstrings

if TYPE_CHECKING:
    from collections.abc import Iterator


class Purring(CustomChatModel):
    """A model of one's own."""

    loudness: int = 3

    def respond(self, messages: list[Any]) -> Iterator[str]:  # noqa: ARG002, D102
        yield "purr"


SERVER = {"base_url": "http://127.0.0.1:9/v1", "model_name": "cat"}
# Each model, what it needs, and a value that cannot be.
MODELS: dict[type, tuple[dict[str, Any], dict[str, Any]]] = {
    Purring: ({}, {"loudness": "very"}),
    EchoChatModel: ({}, {"n": -1}),
    ScriptedChatModel: ({"answers": ["purr"]}, {"delay": -1}),
    OpenAICompatibleChatModel: (SERVER, {"temperature": -1}),
    LlamaCppChatModel: ({"model_path": "cat.gguf"}, {"n_ctx": 0}),
}


def refusal(model: Any, **given: Any) -> Exception:
    """Return what a model raises on construction."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which, is looked at
        model(**{**MODELS[model][0], **given})
    return caught.value


def named(model: Any) -> set[str]:
    """Return the errors that the reference of a model names."""
    shown = CustomChatModel if model is Purring else model
    return set(docstrings.read(shown).items["Raises"])


@pytest.mark.parametrize("model", MODELS)
def test_construction_refuses_as_the_reference_says(model: Any) -> None:
    """An unknown argument and a value out of range are told apart, and are ValueErrors both."""
    unknown, bad = refusal(model, meow=3), refusal(model, **MODELS[model][1])
    assert type(unknown) is BadRequestError
    assert "has no parameter 'meow'" in str(unknown)
    assert type(bad) is ValidationError
    assert next(iter(MODELS[model][1])) in str(bad)
    assert all(isinstance(each, ValueError) for each in (unknown, bad))
    assert {"BadRequestError", "pydantic.ValidationError"} <= named(model)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stop", [3, [3], [""]], ids=str)
def test_what_is_no_stop_string_is_refused(model: Any, stop: object) -> None:
    """It is a value like others, whatever it is."""
    assert type(refusal(model, stop=stop)) is ValidationError


@pytest.mark.parametrize("model", [model for model in MODELS if model is not LlamaCppChatModel])
def test_two_names_of_the_model_are_refused(model: Any) -> None:
    """Where both are given and differ, one would be ignored."""
    given = {**MODELS[model][0], "model_name": "cat"}
    with pytest.raises(BadRequestError, match="'model' and 'model_name' are the same parameter"):
        model(**given, model="dog")
    assert model(**given, model="cat").model_name == "cat"
    assert model(**{**MODELS[model][0], "model_name": "cat"}).model_name == "cat"


@pytest.mark.parametrize("answers", ["purr", 3, None, {"a": "purr"}, [3], ["purr", None]], ids=str)
def test_a_script_of_no_answers_is_refused_at_once(answers: Any) -> None:
    """What would fail in the middle of a program fails where the model is made."""
    with pytest.raises(TypeError, match="give a "):
        ScriptedChatModel(answers)
    assert "TypeError" in named(ScriptedChatModel)


def test_a_function_that_gives_no_answer_is_told() -> None:
    """Its answer can only be seen when it is called."""

    def answer(_call: ScriptedCall) -> Any:
        return 3

    with pytest.raises(TypeError, match="an answer is of type int; give a text"):
        ScriptedChatModel(answer).invoke("Meow!")


@pytest.mark.parametrize("seconds", [-1, float("nan"), "long", None])
def test_a_pause_is_a_number_of_seconds(seconds: Any) -> None:
    """One that cannot be waited for is refused where the script is written."""
    with pytest.raises(ValueError, match="seconds; give a number from 0 up"):
        Pause(seconds)
    assert "ValueError" in docstrings.read(Pause).items["Raises"]
