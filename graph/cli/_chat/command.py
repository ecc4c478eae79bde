"""`nodespan chat`: its arguments and its help."""

import sys
from typing import Annotated

import typer

from .._terminal.exit import bad_value, reporting
from .._terminal.output import Output
from .choices import ECHO, choose_model, choose_tools, whole_number
from .display import Display
from .prompt import single_prompt


def chat(  # noqa: PLR0913 - each is an option of the command
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="What to say. Without it, see above."),
    ] = None,
    *,
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="echo; the path of a GGUF file; http://HOST:PORT/v1, an OpenAI-compatible "
            "endpoint; or MODULE:NAME, a chat model of your own.",
        ),
    ] = ECHO,
    model_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The model to ask an endpoint for. The key is read from OPENAI_API_KEY.",
        ),
    ] = None,
    tool: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:NAME",
            help="Give the model a tool: a function of your own with a docstring, or a LangChain "
            "tool. Can be repeated.",
        ),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            metavar="N",
            parser=whole_number,
            help="Let echo answer with N characters; all by default.",
        ),
    ] = None,
    no_trace: Annotated[bool, typer.Option("--no-trace", help="Do not show the trace.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print answer and spans as one JSON document.")
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Print the traceback of an error, too.")
    ] = False,
) -> None:
    """Talk to a chat model inside a LangGraph graph, and see the trace of each answer.

    With a prompt, as the argument or on standard input, it answers once. Without one, on a
    terminal, it is a conversation: Ctrl-C stops an answer, Ctrl-D ends it.

    OpenTelemetry's own variables say where traces go besides the terminal, such as
    `OTEL_EXPORTER_OTLP_ENDPOINT`.

    The exit code is 0, or 1 for a failed run, 2 for bad usage, 130 for Ctrl-C.
    """
    choice = choose_model(model, n=n, model_name=model_name)
    tools = choose_tools(tool or ())
    text = single_prompt(prompt)
    if text is None and as_json:
        raise bad_value("--json", "one document needs one prompt")
    display = Display(Output(sys.stdout), as_json=as_json, trace=not no_trace, traceback=traceback)
    with reporting(traceback=traceback):
        from .talk import talk  # noqa: PLC0415 - takes seconds, which `--help` need not wait for

        code = talk(choice, tools, text, display)
    raise typer.Exit(code)
