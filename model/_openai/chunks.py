"""The chunks of an OpenAI-compatible answer, read as pieces of LangChain's (pure).

https://platform.openai.com/docs/api-reference/chat-streaming

Servers differ in what they leave out and what they repeat; each tolerance below is for a
server that is in use.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from .._answer.arguments import Arguments, Parts
from .provider_fields import KEY, ProviderFields
from .wire import (
    Choice,
    Chunk,
    Delta,
    Function,
    ToolCall,
    Usage,
    text_in,
    thinking_in,
    usage_metadata,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.messages.tool import ToolCallChunk

    from .._answer.answer import Piece

DONE: Final = "[DONE]"
"""The last event of a complete stream."""

_MOST_CALLS: Final = 256
_MOST_FIELDS: Final = 1024
# Of content. LangChain looks at all of them for each part of one.
_MOST_BLOCKS: Final = 512


class ExcessError(ValueError):
    """An answer has more of something than anybody would send; the text says of what."""


class _Characters:
    """Makes text whole whose characters may be cut in two between its parts.

    Half a character waits for the other half; one that stays alone is replaced.
    """

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = ""

    def join(self, part: str) -> str:
        """Give the characters that are complete with this part."""
        if part.isascii() and not self._half:
            return part
        text = self._half + part
        self._half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        whole = text.removesuffix(self._half)
        return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class ChunkReader:
    """Turns the chunks of one answer into the pieces that they bring.

    Args:
        server: The server's address, to which some of it will go back.

    Attributes:
        has_ended: Whether the model has said why its answer ends.
    """

    __slots__ = (
        "_block",
        "_blocks",
        "_calls",
        "_characters",
        "_fields",
        "_has_deltas",
        "_has_said_identity",
        "_logprobs",
        "_next_index",
        "_refusal",
        "_server",
        "_usage",
        "has_ended",
    )

    def __init__(self, server: str = "") -> None:
        self._server = server
        self._fields = ProviderFields()
        self._has_deltas = False
        self._logprobs: dict[str, list[Any]] = {}
        self._block: _Block | None = None
        self._blocks: dict[str, _Block] = {}
        self._calls: list[_CallInTheMaking] = []
        self._characters: defaultdict[str, _Characters] = defaultdict(_Characters)
        self._next_index = 0
        self._refusal = Parts()
        self._has_said_identity = False
        self._usage = Usage()
        self.has_ended = False

    def read(self, chunk: Chunk) -> Iterator[Piece]:
        """Turn a chunk into pieces; there are none before the model's own first one."""
        for choice in chunk.choices or ():
            if not choice.index:
                yield from self._read_choice(choice, chunk)
        if metadata := _more(chunk):
            yield AIMessageChunk(content="", response_metadata=metadata)
        if chunk.usage is not None:
            yield from self._read_usage(chunk.usage)

    def end(self) -> Iterator[Piece]:
        """Give what is known only when the answer is complete."""
        yield from self._rest_of_block()
        if refusal := self._refusal.rest():
            yield AIMessageChunk(content="", additional_kwargs={"refusal": refusal})
        if self._logprobs:
            yield AIMessageChunk(content="", response_metadata={"logprobs": self._logprobs})
        if kept := self._fields.metadata(self._server):
            yield AIMessageChunk(content="", response_metadata={KEY: kept})

    def _read_usage(self, usage: Usage) -> Iterator[Piece]:
        if usage.has_counts:
            yield AIMessageChunk(content="", usage_metadata=self._new_usage(usage))
        counted = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        if usage.total_tokens and usage.total_tokens != counted:
            metadata = {"total_tokens": usage.total_tokens}
            yield AIMessageChunk(content="", response_metadata=metadata)

    def _delta_of(self, choice: Choice) -> Delta | None:
        """Find what a choice brings; a message behind deltas only repeats them."""
        if choice.delta is not None:
            self._has_deltas = True
            return choice.delta
        return None if self._has_deltas else choice.message

    def _read_choice(self, choice: Choice, chunk: Chunk) -> Iterator[Piece]:
        delta = self._delta_of(choice)
        pieces = list(self._read_delta(delta)) if delta is not None else []
        for kind, tokens in (choice.logprobs or {}).items():
            if isinstance(tokens, list):
                self._logprobs.setdefault(kind, []).extend(tokens)
        if pieces and not self._has_said_identity:
            self._has_said_identity = True
            yield AIMessageChunk(content="", response_metadata=_identity(chunk))
        yield from pieces
        if choice.finish_reason:
            self.has_ended = True
            ends = {**_identity(chunk), "finish_reason": choice.finish_reason}
            ended_by = choice.ended_by or (chunk.verbose and chunk.verbose.stopping_word)
            if ended_by:
                ends["stop_string"] = ended_by
            yield AIMessageChunk(content="", response_metadata=ends)

    def _read_delta(self, delta: Delta) -> Iterator[Piece]:
        if len(delta.model_extra or ()) > _MOST_FIELDS:
            raise ExcessError(f"sent more than {_MOST_FIELDS} fields of a message in one event")
        self._fields.take(delta.model_extra)
        if reasoning := self._joined("reasoning", delta.reasoning_content or delta.reasoning):
            is_deepseeks = bool(delta.reasoning_content)
            self._fields.take_reasoning("reasoning_content" if is_deepseeks else "reasoning")
            yield from self._block_pieces("reasoning", reasoning)
        yield from self._read_content(delta.content)
        if refusal := self._refusal.pass_on(self._joined("refusal", delta.refusal)):
            yield AIMessageChunk(content="", additional_kwargs={"refusal": refusal})
        if delta.annotations:
            metadata = {"annotations": delta.annotations}
            yield AIMessageChunk(content="", response_metadata=metadata)
        given = delta.tool_calls or []
        if delta.function_call is not None and not given:
            given = [ToolCall(index=0, function=delta.function_call)]
        if given:
            calls = [self._call_chunk(call) for call in given]
            yield AIMessageChunk(content="", tool_call_chunks=calls)

    def _read_content(self, content: str | list[Any] | None) -> Iterator[Piece]:
        if not isinstance(content, list):
            if text := self._joined("content", content):
                yield from self._text_pieces(text)
            return
        for part in content:
            if reasoning := self._joined("reasoning", thinking_in(part)):
                yield from self._block_pieces("reasoning", reasoning)
            elif text := self._joined("content", text_in(part)):
                yield from self._text_pieces(text)
            elif isinstance(part, dict) and part.get("type") not in {"text", "thinking", None}:
                yield from self._other_block(part)

    def _joined(self, kind: str, part: str | None) -> str:
        return self._characters[kind].join(part) if part else ""

    def _text_pieces(self, text: str) -> Iterator[Piece]:
        # Plain text stays plain, unless there are blocks that it has to be told from.
        if self._block is None:
            yield text
        else:
            yield from self._block_pieces("text", text)

    def _block_pieces(self, kind: str, text: str) -> Iterator[Piece]:
        if self._block is None or self._block.kind != kind:
            yield from self._rest_of_block()
            self._block = self._block_of(kind)
        yield from self._block.pieces(self._block.parts.pass_on(text))

    def _block_of(self, kind: str) -> _Block:
        """Begin a block; kinds that alternate on and on go on in the last of theirs."""
        if self._next_index < _MOST_BLOCKS or kind not in self._blocks:
            self._blocks[kind] = _Block(kind, self._new_index())
        return self._blocks[kind]

    def _other_block(self, part: dict[str, Any]) -> Iterator[Piece]:
        if self._next_index >= _MOST_BLOCKS:
            raise ExcessError(f"has more than {_MOST_BLOCKS} blocks of content in one answer")
        yield from self._rest_of_block()
        self._block = None
        yield AIMessageChunk(content=[{**part, "index": self._new_index()}])

    def _rest_of_block(self) -> Iterator[Piece]:
        if self._block is not None:
            yield from self._block.pieces(self._block.parts.rest())

    def _new_index(self) -> int:
        """Number content blocks and tool calls alike: LangChain's events tell them apart by it."""
        self._next_index += 1
        return self._next_index - 1

    def _call_chunk(self, delta: ToolCall) -> ToolCallChunk:
        call = next((call for call in reversed(self._calls) if call.continues_with(delta)), None)
        if call is None:
            if len(self._calls) >= _MOST_CALLS:
                raise ExcessError(f"made more than {_MOST_CALLS} tool calls in one answer")
            call = _CallInTheMaking(delta, self._new_index())
            self._calls.append(call)
        taken = call.take(delta)
        self._fields.take_of_call(call.id, delta.model_extra)
        return taken

    def _new_usage(self, usage: Usage) -> UsageMetadata:
        """Tell what is new: some servers report the usage so far with every chunk."""
        before, self._usage = self._usage, self._usage.updated(usage)
        new: UsageMetadata = _difference(usage_metadata(self._usage), usage_metadata(before))
        return new


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of content whose text is still coming.

    Args:
        kind: What it is, and what its text is called.
        index: The number by which LangChain knows it.
        parts: What there is of its text.
    """

    kind: str
    index: int
    parts: Parts = field(default_factory=Parts)

    def pieces(self, text: str) -> Iterator[Piece]:
        """Make a piece of a part of its text, if there is any."""
        if text:
            block: dict[str, Any] = {"type": self.kind, self.kind: text, "index": self.index}
            yield AIMessageChunk(content=[block])


class _CallInTheMaking:
    """A tool call whose deltas are still coming.

    Attributes:
        id: The id that it has in LangChain's messages.
    """

    __slots__ = (
        "_arguments",
        "_characters",
        "_given_id",
        "_has_id",
        "_index",
        "_name",
        "_position",
        "id",
    )

    def __init__(self, first: ToolCall, index: int) -> None:
        self._position = first.index
        self._given_id = first.id
        self._index = index
        self._has_id = False
        self.id = ""
        self._name: str | None = None
        self._arguments = Arguments()
        self._characters = _Characters()

    def continues_with(self, delta: ToolCall) -> bool:
        """Tell whether a delta belongs to this call.

        Some servers give all calls the same index and only the id differs, or not even that;
        some give every delta a new id, and only the first has a name; some give every delta
        the name; some leave the index out, or tell it once.
        """
        if delta.index not in {None, self._position}:
            return False
        function = delta.function or Function()
        if not function.name:
            return True
        if delta.id:
            return delta.id == self._given_id
        return self._name is None or (delta.index is not None and self._goes_on_with(function))

    def _goes_on_with(self, function: Function) -> bool:
        """Tell whether a function is this one, and no second call of it."""
        is_same = function.name == self._name
        return is_same and not (function.arguments and self._arguments.is_whole)

    def take(self, delta: ToolCall) -> ToolCallChunk:
        """Pass a delta on: id and name once, the arguments as they come."""
        function = delta.function or Function()
        name = None if self._name else function.name or None
        call_id = None if self._has_id else self._given_id or f"call_{uuid.uuid4().hex[:24]}"
        self.id = self.id or call_id or ""
        self._has_id, self._name = True, self._name or name
        arguments = function.arguments or ""
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments, ensure_ascii=False)
        arguments = self._arguments.take(self._characters.join(arguments))
        return tool_call_chunk(name=name, args=arguments, id=call_id, index=self._index)


def _more(chunk: Chunk) -> dict[str, Any]:
    """Tell what else a server says of its answer."""
    metadata = {
        "service_tier": chunk.service_tier,
        "citations": chunk.citations,
        "search_results": chunk.search_results,
    }
    if not chunk.choices:
        metadata["system_fingerprint"] = chunk.system_fingerprint
    return {name: value for name, value in metadata.items() if value}


def _identity(chunk: Chunk) -> dict[str, Any]:
    """Name the answer and its model, as the server does."""
    metadata = {
        "id": chunk.id,
        "model_name": chunk.model,
        "system_fingerprint": chunk.system_fingerprint,
    }
    return {name: value for name, value in metadata.items() if value}


def _difference(now: dict[str, Any], before: dict[str, Any]) -> Any:
    return {
        name: _difference(value, before.get(name, {}))
        if isinstance(value, dict)
        else value - before.get(name, 0)
        for name, value in now.items()
        if value != {}
    }
