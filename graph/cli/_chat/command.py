"""`nodespan chat`: its arguments and its help."""

import shlex
import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from .._terminal.exit import bad_value, reporting
from .._terminal.held import HeldBack
from .._terminal.options import takes
from .._terminal.output import Output
from .._terminal.values import text_of
from .choices import ECHO, Agent, Graph, Measures, choose_agent, choose_graph, seconds, whole_number
from .display import Display
from .prompt import single_prompt


@dataclass(frozen=True, slots=True)
class _Options:
    """What was asked for."""

    context: typer.Context
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="What to say; if it is left out, see above."),
    ] = None
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            parser=text_of("a model; echo is always there"),
            help="echo; the path of a GGUF file; http://HOST:PORT/v1, an OpenAI-compatible "
            "endpoint; or MODULE:NAME, a chat model of your own.",
        ),
    ] = ECHO
    model_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The model to ask an endpoint for. The key is read from OPENAI_API_KEY.",
        ),
    ] = None
    tool: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:NAME",
            help="Give the model a tool: a function of your own with a docstring, or a LangChain "
            "tool. Can be repeated.",
        ),
    ] = None
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            metavar="N",
            parser=whole_number,
            help="Let echo answer with N characters; all by default.",
        ),
    ] = None
    max_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole_number,
            help="How many tokens an answer may have; 512 for a file by default.",
        ),
    ] = None
    graph: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:NAME",
            help="Talk to a graph of your own instead of a model: compiled, with messages in its "
            "state, or a function that makes one.",
        ),
    ] = None
    prices: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            parser=text_of("the path of a TOML file"),
            help="A TOML file of what a million tokens cost: the trace has a cost.",
        ),
    ] = None
    stall_threshold: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", parser=seconds, help="How long a wait may be before it is a stall."
        ),
    ] = None
    no_trace: Annotated[bool, typer.Option("--no-trace", help="Do not show the trace.")] = False
    as_json: Annotated[
        bool, typer.Option("--json", help="Print answer and spans as one JSON document.")
    ] = False
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Print the traceback of an error, too.")
    ] = False

    def check(self) -> None:
        """Refuse what cannot be meant together.

        Raises:
            typer.BadParameter: there is such.
        """
        if self.context.args:
            words = shlex.quote(" ".join((self.prompt or "", *self.context.args)))
            message = (
                f"there is an extra argument; several words need quotes: nodespan chat {words}"
            )
            raise bad_value("PROMPT", message)

    def choice(self) -> Agent | Graph:
        """Return what is talked to.

        Raises:
            typer.BadParameter: an option has a value that cannot be.
        """
        if self.graph is None:
            return choose_agent(
                self.model,
                self.tool or (),
                n=self.n,
                model_name=self.model_name,
                tokens=self.max_tokens,
            )
        of_model = {
            "--model": self.model if self.model != ECHO else None,
            "--model-name": self.model_name,
            "--tool": self.tool or None,
            "--n": self.n,
            "--max-tokens": self.max_tokens,
        }
        return choose_graph(self.graph, of_model)


@takes(_Options)
def chat(options: _Options) -> None:
    """Talk to a chat model inside a LangGraph graph, and see the trace of each answer.

    With a prompt, as the argument or on standard input, it answers once. Without one, on a
    terminal, it is a conversation: Ctrl-C stops an answer, Ctrl-D ends it. `/help` says more.

    OpenTelemetry's own variables say where traces go besides the terminal, such as
    `OTEL_EXPORTER_OTLP_ENDPOINT`.

    The exit code is 0, or 1 for a failed run, 2 for bad usage, 130 for Ctrl-C.
    """
    options.check()
    choice, measures = options.choice(), Measures(options.prices, options.stall_threshold)
    text = single_prompt(options.prompt)
    if text is None and options.as_json:
        raise bad_value("--json", "one document needs one prompt")
    display = Display(
        Output(sys.stdout),
        HeldBack(sys.stderr),
        as_json=options.as_json,
        trace=not options.no_trace,
        traceback=options.traceback,
    )
    with reporting(traceback=options.traceback):
        from .talk import talk  # noqa: PLC0415 - takes seconds, which `--help` need not wait for

        code = talk(choice, measures, text, display)
    raise typer.Exit(code)
