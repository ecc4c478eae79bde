"""`nodespan ui`: its arguments and its help."""

from __future__ import annotations

import secrets
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Final

import typer

from .._terminal.exit import bad_value, reporting
from .._terminal.output import Output

_THIS_MACHINE: Final = ("127.0.0.1", "localhost", "::1")
_EVERY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - what is asked for, and only then
_SHORTEST_TOKEN: Final = 16


def ui(
    *,
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65_535, help="0 takes one that is free.")
    ] = 4319,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Another address of this machine: whoever can reach it needs the token.",
        ),
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="NODESPAN_UI_TOKEN",
            show_envvar=True,
            help="What whoever asks must have; with --host it is made up where none is given.",
        ),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the browser.")] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal",
            metavar="FILE",
            help="The journal's file; by default what NODESPAN_JOURNAL says, or the user's own.",
        ),
    ] = None,
) -> None:
    """Look at the journal in the browser, and receive spans over OTLP.

    It ends with Ctrl-C. Only this machine can reach it, but for `--host`.
    """
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise bad_value("--token", f"it has {len(token)} characters; use {_SHORTEST_TOKEN} or more")
    if token is None and host not in _THIS_MACHINE:
        token = secrets.token_urlsafe(24)
    output = Output(sys.stdout)
    with reporting(traceback=False):
        from ....telemetry.viewer import listen, serve_viewer  # noqa: PLC0415 - not for `--help`

        listening = listen(host, port)
        address = _address(host, listening.getsockname()[1])
        shown = f"{address}/?token={token}" if token is not None else address

        def begun() -> None:
            output.write(f"viewer    {shown}\n")
            output.write(f"receiver  {address}/v1/traces\n")
            output.write("Ctrl-C ends it.\n")
            if not no_open:
                webbrowser.open(shown)

        # The server has ended in order by then.
        with suppress(KeyboardInterrupt):
            serve_viewer(listening, journal, token=token, begun=begun)


def _address(host: str, port: int) -> str:
    if host in _EVERY_ADDRESS:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
