"""Models that report of themselves whatever a test wants them to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.language_models import LLM, BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Iterator


class Nameless(BaseChatModel):
    """Has no name, no parameters, and tells nothing of its answers."""

    @property
    def _llm_type(self) -> str:
        return "nameless-type"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("so it is"))])


class Reporter(Nameless):
    """Tells of itself and its answers what it is given to tell.

    Args:
        params: its identifying parameters.
        ls_params: what it tells LangSmith.
        replies: its answers, all of them to each request.
        output: what it tells of a request beside the answers.
    """

    params: dict[Any, Any] = Field(default_factory=dict, repr=False)
    ls_params: dict[str, Any] = Field(default_factory=dict, repr=False)
    replies: list[AIMessage] = Field(default_factory=lambda: [AIMessage("so it is")], repr=False)
    output: dict[str, Any] = Field(default_factory=dict, repr=False)

    @property
    def _identifying_params(self) -> dict[Any, Any]:
        return self.params

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {**super()._get_ls_params(stop, **kwargs), **self.ls_params}

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        choices = [ChatGeneration(message=reply) for reply in self.replies]
        return ChatResult(generations=choices, llm_output=self.output)


class StreamingReporter(Reporter):
    """Gives its answer in two chunks, and what it tells of it with the last."""

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        (reply,) = self.replies
        yield ChatGenerationChunk(message=AIMessageChunk(reply.text[:1]))
        last = AIMessageChunk(
            reply.text[1:],
            usage_metadata=reply.usage_metadata,
            response_metadata=reply.response_metadata,
            chunk_position="last",
        )
        yield ChatGenerationChunk(message=last)


class Completer(LLM):
    """A completion model."""

    params: dict[str, Any] = Field(default_factory=dict, repr=False)

    @property
    def _llm_type(self) -> str:
        return "completing"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return self.params

    def _call(self, prompt: str, *_: Any, **__: Any) -> str:
        return prompt.upper()
