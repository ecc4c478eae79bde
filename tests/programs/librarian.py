"""A program of somebody's: an agent with a tool, traced by `configure`.

Usage: `python librarian.py WORD THREAD_ID`. It asks for WORD, and prints its spans as JSON. Its
model and its tool also serve the command: `nodespan chat --model librarian:knowing --tool
librarian:look_up`.
"""

from __future__ import annotations

import json
import sys

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from nodespan.graph import build_agent
from nodespan.model import ScriptedChatModel
from nodespan.telemetry import SpanCollector, configure


@tool
def look_up(word: str) -> str:
    """Look a word up in the dictionary."""
    return f"{word[::-1]}, read backwards"


def knowing(word: str = "Meow") -> ScriptedChatModel:
    """Make a model that looks *word* up, and then answers."""
    call = {"name": "look_up", "args": {"word": word}, "id": "call-1"}
    return ScriptedChatModel(
        model_name="scripted",
        answers=[
            AIMessage(
                "",
                tool_calls=[call],
                usage_metadata=UsageMetadata(input_tokens=1511, output_tokens=7, total_tokens=1518),
            ),
            AIMessage(
                f"It is {word[::-1]}.",
                usage_metadata=UsageMetadata(input_tokens=1521, output_tokens=5, total_tokens=1526),
            ),
        ],
    )


def main(word: str, thread_id: str) -> None:
    """Ask the agent for *word*, and print the spans of it."""
    agent = build_agent(
        knowing(word),
        [look_up],
        name="librarian",
        system_prompt=f"You know {word}.",
        checkpointer=InMemorySaver(),
    )
    collector = SpanCollector()
    with configure(span_processors=[collector]) as telemetry:
        agent.invoke(
            {"messages": [HumanMessage(f"What is {word}?")]},
            {"callbacks": [telemetry.handler()], "configurable": {"thread_id": thread_id}},
        )
    sys.stdout.write(json.dumps([span.to_json() for span in collector.records()]))


if __name__ == "__main__":
    main(*sys.argv[1:])
