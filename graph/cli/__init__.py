"""The `nodespan` command."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command that `sys.argv` says, and exit with its code."""
    try:
        from ._app import run  # noqa: PLC0415 - Ctrl-C while it imports is no failure either

        code = run()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
