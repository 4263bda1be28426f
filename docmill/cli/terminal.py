"""The command's frame: the application, its consoles, its common options, and how it fails."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

app = typer.Typer(
    help="Documents in, vectors out.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
out = Console()
err = Console(stderr=True)

HomeOption = Annotated[Path | None, typer.Option(help="Where data lives. Default: DOCMILL_HOME, else ~/.docmill.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def say(line: str) -> None:
    """Print a line as it is, at once: for scripts and logs."""
    print(line, flush=True)  # noqa: T201


def fail(message: str) -> NoReturn:
    """Say on stderr what is wrong and end with status 1."""
    err.print(f"docmill: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)
