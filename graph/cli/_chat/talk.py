"""Talking to a model: one answer, or a conversation."""

import re
from contextlib import suppress

from .._terminal.exit import ExitCode
from .choices import Agent, Graph, Measures
from .display import Display
from .graphs import load_graph
from .models import make_model
from .prompt import typed_prompts
from .session import Session, make_agent, open_session
from .tools import make_tools

_EXIT_CODES = {
    "ok": ExitCode.OK,
    "error": ExitCode.FAILED,
    "cancelled": ExitCode.INTERRUPTED,
}


_WELCOME = "Ctrl-C stops an answer, Ctrl-D ends. /help says more."
_HELP = [
    "what you write goes to the model, a line at a time; it knows what was said before",
    "Ctrl-C         stops an answer, or drops the line",
    "Ctrl-D, exit   ends the conversation",
    "/help          shows this",
]
_ENDS = ("exit", "quit", "/exit", "/quit")
_COMMAND = re.compile(r"/[a-z]+")


def talk(
    choice: Agent | Graph, measures: Measures, prompt: str | None, display: Display
) -> ExitCode:
    """Answer *prompt*, or where it is `None`, one after another that a person types.

    Args:
        choice: Whom to talk to.
        measures: What telemetry is to go by.
        prompt: The prompt.
        display: Where answers and traces go.
    """
    remembers = prompt is None
    if isinstance(choice, Graph):
        agent = load_graph(choice.place, remembers=remembers)
    else:
        model = make_model(choice.model, choice.max_tokens)
        agent = make_agent(model, make_tools(choice.tools), remembers=remembers)
    is_own = isinstance(choice, Agent)
    with open_session(agent, display, measures, is_own=is_own) as session:
        if prompt is None:
            display.note(_WELCOME)
            return _converse(session, display)
        return _answer(session, prompt, display)


def _answer(session: Session, prompt: str, display: Display) -> ExitCode:
    with display.console.holding():
        turn = session.ask(prompt, display.write)
        display.show(turn, session.take_spans())
    return _EXIT_CODES[turn.outcome]


def _converse(session: Session, display: Display) -> ExitCode:
    """Take turns until Ctrl-D or `exit`; one that fails, or is stopped, does not end it."""
    for prompt in typed_prompts(display.output):
        said = prompt.strip()
        if said in _ENDS:
            break
        if _COMMAND.fullmatch(said):
            for line in ([] if said == "/help" else [f"there is no {said}"]) + _HELP:
                display.note(line)
            continue
        with suppress(KeyboardInterrupt):  # too late to stop the answer, but no wish to leave
            display.output.write("\n")
            _answer(session, prompt, display)
            display.output.write("\n")
    return ExitCode.OK
