"""Talking to a model: one answer, or a conversation."""

from collections.abc import Sequence
from contextlib import suppress

from .._terminal.exit import ExitCode
from .choices import ModelChoice
from .display import Display
from .models import make_model
from .own import Own
from .prompt import typed_prompts
from .session import Session, make_agent, open_session
from .tools import make_tools

_EXIT_CODES = {
    "ok": ExitCode.OK,
    "error": ExitCode.FAILED,
    "cancelled": ExitCode.INTERRUPTED,
}


def talk(
    choice: ModelChoice, tools: Sequence[Own], prompt: str | None, display: Display
) -> ExitCode:
    """Answer *prompt*, or where it is `None`, one after another that a person types.

    Args:
        choice: The model.
        tools: What the model may call.
        prompt: The prompt.
        display: Where answers and traces go.
    """
    agent = make_agent(make_model(choice), make_tools(tools), remembers=prompt is None)
    with open_session(agent, display.note) as session:
        if prompt is None:
            display.note("Ctrl-C stops an answer, Ctrl-D ends.")
            return _converse(session, display)
        return _answer(session, prompt, display)


def _answer(session: Session, prompt: str, display: Display) -> ExitCode:
    turn = session.ask(prompt, display.write)
    display.show(turn, session.take_spans())
    return _EXIT_CODES[turn.outcome]


def _converse(session: Session, display: Display) -> ExitCode:
    """Take turns until Ctrl-D; one that fails, or is stopped, does not end it."""
    for prompt in typed_prompts(display.output):
        with suppress(KeyboardInterrupt):  # too late to stop the answer, but no wish to leave
            display.output.write("\n")
            _answer(session, prompt, display)
            display.output.write("\n")
    return ExitCode.OK
