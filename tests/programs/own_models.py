"""Models that a user of the command might have in a file of their own."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from langchain_core.messages import AIMessage, BaseMessage

from nodespan.model import CustomChatModel, EchoChatModel, ScriptedCall, ScriptedChatModel


class SlowChatModel(CustomChatModel):
    """Counts, a number a tenth of a second, for longer than any test waits."""

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:  # noqa: ARG002, D102
        for number in range(1_000):
            yield f"{number} "
            await asyncio.sleep(0.1)


class FailingChatModel(CustomChatModel):
    """Fails in the middle of its answer."""

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:  # noqa: ARG002, D102
        yield "so far "
        raise ConnectionError("the cable is out")


class RecallingChatModel(CustomChatModel):
    """Says what it was told; on request it fails, or goes on and on."""

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:  # noqa: D102
        request = messages[-1].text
        if request == "fail":
            raise ConnectionError("the cable is out")
        if request == "count":
            for number in range(1_000):
                yield f"{number} "
                await asyncio.sleep(0.1)
        yield " ".join(f"[{each.type}: {each.text}]" for each in messages)


def shy_echo() -> EchoChatModel:
    """Make a model that echoes one character."""
    return EchoChatModel(model_name="shy", n=1)


def tool_caller() -> ScriptedChatModel:
    """Make a model that calls the tool that is named, and says what came of it, or of it all."""
    return ScriptedChatModel(_call_tool, model_name="caller")


def _call_tool(call: ScriptedCall) -> str | AIMessage:
    *_, last = call.messages
    if last.type == "tool":
        return f"It is {last.text}."
    if last.text == "recall":
        return " ".join(map(_recalled, call.messages))
    name, _, word = last.text.partition(" ")
    return AIMessage("Let me see.", tool_calls=[{"name": name, "args": {"word": word}, "id": "1"}])


def _recalled(message: BaseMessage) -> str:
    called = [f", {each['name']}" for each in getattr(message, "tool_calls", ())]
    return f"[{message.type}: {message.text}{''.join(called)}]"


number = 3
nothing = None


class Named(EchoChatModel):
    """Cannot be made without its name."""

    name: str
