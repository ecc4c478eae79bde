"""What is raised for a wrong command line, by typer of any release.

Its own errors came late: before them, typer raises those of click, which it is made of.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer.exceptions import TyperException as CommandLineError
else:
    try:
        from typer.exceptions import TyperException as CommandLineError
    except ImportError:  # a typer that is made of click
        from click.exceptions import ClickException as CommandLineError

__all__ = ["CommandLineError"]
