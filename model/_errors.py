"""One tree of errors: what went wrong, sorted by what the caller can do about it.

    ModelError                      anything that a model of this package raises itself
    ├── MissingExtraError           install the extra that the message names
    ├── UnsupportedError            ask another model: this one cannot do that
    ├── ModelFileError              give another file
    ├── ModelClosedError            make a new model: this one was closed
    ├── AnswerCutOffError           allow a longer answer: half of one is not parsed
    ├── ScriptEndedError            give the scripted model another answer
    ├── BadRequestError             change the call: the message names the value
    │   ├── ContextTooLongError     shorten the conversation
    │   └── ModelNotFoundError      give another model name, or another server
    ├── AuthenticationError         give another key, or ask for permission
    ├── RateLimitError              wait for `retry_after` seconds
    ├── ServerError                 try again: the server failed
    ├── ModelConnectionError        try again: the server was not reached, or went away
    ├── ModelTimeoutError           try again, or allow more time
    ├── AnswerTooLongError          limit the answer, or allow more of it
    └── MalformedAnswerError        look at the server: it does not speak the protocol

Each derives from LangChain's own error for the same condition, so that LangChain's retry
and summarization middleware treat these as it treats every provider's, and from Python's
built-in one where there is one. A constructor refuses a value by pydantic's `ValidationError`,
as every LangChain model does, and an argument that it does not have by a `BadRequestError`,
which says what may have been meant; both are a `ValueError`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from langchain_core import exceptions as langchain

if TYPE_CHECKING:
    from typing import Any

_BODY_LIMIT = 500
# What a terminal would obey, or not print: messages tell what servers have said.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def _printable(text: str) -> str:
    """Escape control characters and changes of direction, as in a literal of Python."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


class ModelError(langchain.ModelError):
    """A model of this package failed.

    Args:
        message: What went wrong, with which value, and the way out.
        status: The HTTP status of the answer, where there was one.
        request_id: The server's name for the request, to quote to its operator.
        body: The beginning of the answer's body, at most 500 characters are kept.
        retry_after: Seconds that the server asks to wait, where it said so.

    Attributes:
        retries: Why each earlier request of the same call was sent again, in order: the status of
            its answer, or the name of its error.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        body: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(_printable(message))
        self.status = status
        self.request_id = request_id and _printable(request_id)
        self.body = body if body is None else body[:_BODY_LIMIT]
        self.retry_after = retry_after
        self.retries: tuple[str, ...] = ()


class MissingExtraError(ModelError, ImportError):
    """A package that this model needs is not installed; the message says how to get it."""


class UnsupportedError(ModelError, NotImplementedError):
    """The model cannot do what was asked, with any arguments."""


class ModelFileError(ModelError, OSError):
    """The model's file is missing, unreadable, or not a model."""


class ModelClosedError(ModelError):
    """The model was closed before or during the call."""


class AnswerCutOffError(ModelError, langchain.OutputParserException):
    """The answer was cut off, so that it does not hold the data that was asked for.

    Args:
        message: What cut it off, and the way out.
        llm_output: The answer as far as it came.
        **facts: As for `ModelError`.
    """

    def __init__(self, message: str, *, llm_output: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.args = (message,)  # LangChain puts a link to its own documentation behind it
        self.llm_output = llm_output


class ScriptEndedError(ModelError):
    """A scripted model was called more often than it has answers."""


class BadRequestError(ModelError, langchain.ModelInvalidRequestError, ValueError):
    """The call cannot be answered as it is; the same call will fail again."""


class ContextTooLongError(BadRequestError, langchain.ContextOverflowError):
    """The conversation does not fit into the model's context.

    Args:
        message: What went wrong, and the way out.
        prompt_tokens: Tokens of the conversation, where known.
        context_tokens: Tokens that the model can hold, where known.
        **facts: As for `ModelError`.
    """

    def __init__(
        self,
        message: str,
        *,
        prompt_tokens: int | None = None,
        context_tokens: int | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.prompt_tokens = prompt_tokens
        self.context_tokens = context_tokens


class ModelNotFoundError(BadRequestError, langchain.ModelNotFoundError):
    """The server has no such model, or is no server of models at all."""


class AuthenticationError(ModelError, langchain.ModelAuthenticationError):
    """The server refused the key, or the key lacks the permission."""


class RateLimitError(ModelError, langchain.ModelRateLimitError):
    """The server asks for fewer calls; `retry_after` says for how long, where it said so."""


class ServerError(ModelError, langchain.ModelAPIError):
    """The server, or the backend in this process, failed while it answered."""


class ModelConnectionError(ModelError, langchain.ModelConnectionError, ConnectionError):
    """The server could not be reached, or the connection broke."""


class ModelTimeoutError(ModelError, langchain.ModelTimeoutError, TimeoutError):
    """The server did not answer, or did not go on answering, in time."""


class AnswerTooLongError(ModelError):
    """The answer goes on beyond what it may take up; it may have no end."""


class MalformedAnswerError(ModelError):
    """The answer is not what the protocol, or `CustomChatModel`, asks for."""
