"""What is raised for a wrong command line, by typer of any release.

Its own errors came late: before them, typer raises those of click, which it is made of.
"""

try:
    from typer.exceptions import TyperException as CommandLineError
except ImportError:  # a typer that is made of click
    from click.exceptions import (  # type: ignore[no-redef, import-not-found]  # not beside others
        ClickException as CommandLineError,
    )

__all__ = ["CommandLineError"]
