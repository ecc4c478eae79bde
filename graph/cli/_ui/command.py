"""`nodespan ui`: its arguments and its help."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final
from urllib.parse import quote

import typer

from .._terminal.exit import bad_value, reporting
from .._terminal.numbers import whole_number
from .._terminal.options import JournalFile, takes
from .._terminal.output import Output
from .._terminal.values import text_of

_THIS_MACHINE: Final = ("127.0.0.1", "localhost", "::1")
_EVERY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - what is asked for, and only then
_SHORTEST_TOKEN: Final = 16


@dataclass(frozen=True, slots=True)
class _Options:
    """What was asked for."""

    port: Annotated[
        int,
        typer.Option(
            metavar="N",
            parser=whole_number(0, 65_535),
            help="Up to 65,535; 0 takes one that is free.",
        ),
    ] = 4319
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            parser=text_of("an address, such as 0.0.0.0 for all that this machine has"),
            help="Another address of this machine: whoever can reach it needs the token.",
        ),
    ] = "127.0.0.1"
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="NODESPAN_UI_TOKEN",
            show_envvar=True,
            help="What whoever asks must have; with --host it is made up where none is given.",
        ),
    ] = None
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the browser.")] = False
    journal: JournalFile = None

    def known_token(self) -> str | None:
        """Return what whoever asks must have; None where only this machine can.

        Raises:
            typer.BadParameter: what was given can be guessed, or cannot be sent.
        """
        if self.token is not None and len(self.token) < _SHORTEST_TOKEN:
            given = f"it has {len(self.token)} characters; use {_SHORTEST_TOKEN} or more"
            raise bad_value("--token", given)
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise bad_value("--token", "no browser can send it; use letters and digits of ASCII")
        if self.token is None and self.host not in _THIS_MACHINE:
            from secrets import token_urlsafe  # noqa: PLC0415 - not for `--help`

            return token_urlsafe(24)
        return self.token


@takes(_Options)
def ui(options: _Options) -> None:
    """Look at the journal in the browser, and receive spans over OTLP.

    It ends with Ctrl-C. Only this machine can reach it, unless `--host` says otherwise.
    """
    token, output = options.known_token(), Output(sys.stdout)
    with reporting(traceback=False):
        from ....telemetry.viewer import listen, serve_viewer  # noqa: PLC0415 - not for `--help`

        listening = listen(options.host, options.port)
        address = _address(options.host, listening.getsockname()[1])
        shown = f"{address}/?token={quote(token, safe='')}" if token is not None else address
        begun = partial(_begun, output, address, shown, options)
        # The server has ended in order by then.
        with suppress(KeyboardInterrupt):
            serve_viewer(listening, options.journal, token=token, begun=begun)


def _begun(output: Output, address: str, shown: str, options: _Options) -> None:
    output.write(f"viewer    {shown}\n")
    output.write(f"receiver  {address}/v1/traces\n")
    if options.host in _EVERY_ADDRESS:
        output.write("Other machines reach both by any address or name of this one.\n")
    output.write("Ctrl-C ends it.\n")
    if not options.no_open:
        import webbrowser  # noqa: PLC0415 - not for `--help`

        webbrowser.open(shown)


def _address(host: str, port: int) -> str:
    if host in _EVERY_ADDRESS:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
