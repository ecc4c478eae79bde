"""The errors say what the caller can do, and fit into LangChain's own tree."""

from __future__ import annotations

import pickle

import langchain_core.exceptions as langchain
import pytest

from nodespan.model import _errors
from nodespan.model._errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    MalformedAnswerError,
    MissingExtraError,
    ModelConnectionError,
    ModelError,
    ModelNotFoundError,
    ModelTimeoutError,
    RateLimitError,
    ServerError,
    UnsupportedError,
)

_ALL = [value for value in vars(_errors).values() if isinstance(value, type)]


@pytest.mark.parametrize("error", _ALL)
def test_there_is_one_tree(error: type[Exception]) -> None:
    """Every error is a `ModelError`, and the drawing at the module's top shows it."""
    assert issubclass(error, ModelError)
    assert issubclass(error, langchain.ModelError)
    assert error.__name__ in str(_errors.__doc__)


@pytest.mark.parametrize(
    ("error", "parents"),
    [
        (MissingExtraError, (ImportError,)),
        (UnsupportedError, (NotImplementedError,)),
        (BadRequestError, (ValueError, langchain.ModelInvalidRequestError)),
        (ContextTooLongError, (BadRequestError, langchain.ContextOverflowError)),
        (ModelNotFoundError, (BadRequestError, langchain.ModelNotFoundError)),
        (AuthenticationError, (langchain.ModelAuthenticationError,)),
        (RateLimitError, (langchain.ModelRateLimitError,)),
        (ServerError, (langchain.ModelAPIError,)),
        (ModelConnectionError, (ConnectionError, langchain.ModelConnectionError)),
        (ModelTimeoutError, (TimeoutError, langchain.ModelTimeoutError)),
    ],
)
def test_handlers_written_for_others_catch_ours(
    error: type[ModelError], parents: tuple[type[Exception], ...]
) -> None:
    """Code that catches Python's or LangChain's error for a condition catches ours too."""
    assert all(issubclass(error, parent) for parent in parents)


def test_only_what_may_pass_is_retryable() -> None:
    """LangChain's retry middleware retries exactly what may succeed the second time."""
    assert {error for error in _ALL if error.is_retryable} == {
        RateLimitError,
        ServerError,
        ModelConnectionError,
        ModelTimeoutError,
    }


@pytest.mark.parametrize("error", _ALL)
def test_an_error_survives_pickling(error: type[ModelError]) -> None:
    """An error crosses a process border with its message and its facts."""
    there = error("no luck", status=418, request_id="r1", body="tea")
    back = pickle.loads(pickle.dumps(there))  # noqa: S301  # we pickled it ourselves
    assert type(back) is error
    assert str(back) == "no luck"
    assert (back.status, back.request_id, back.body) == (418, "r1", "tea")


def test_the_facts_of_a_kind_survive_pickling() -> None:
    """What only one kind of error knows crosses a process border as well."""
    limit = pickle.loads(pickle.dumps(RateLimitError("wait", retry_after=2.5)))  # noqa: S301
    length = pickle.loads(  # noqa: S301
        pickle.dumps(ContextTooLongError("long", prompt_tokens=9, context_tokens=8))
    )
    assert limit.retry_after == 2.5
    assert (length.prompt_tokens, length.context_tokens) == (9, 8)


def test_a_long_body_is_cut() -> None:
    """Only the beginning of a server's answer is kept with the error."""
    assert len(MalformedAnswerError("?", body="x" * 10_000).body or "") == 500
