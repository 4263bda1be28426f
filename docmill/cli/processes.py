"""`docmill web`, `worker`, `housekeeping`, `flower`: single processes, for containers."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from docmill.cli.terminal import app


@app.command()
def web(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
) -> None:
    """Become a web process (uvicorn; WEB_CONCURRENCY processes)."""
    from docmill.up.processes import web_command

    _become(web_command(host, port))


@app.command()
def worker(
    concurrency: Annotated[int | None, typer.Option(min=1, help="Default: WORKER_CONCURRENCY, else 4.")] = None,
    name: Annotated[str, typer.Option(help="The node's name; %h is the host.")] = "worker@%h",
) -> None:
    """Become a worker for documents."""
    from docmill.up.processes import worker_command

    _become(worker_command(name, concurrency))


@app.command()
def housekeeping(name: Annotated[str, typer.Option(help="The node's name.")] = "housekeeping@%h") -> None:
    """Become the process that finds lost documents and cleans up; one an installation."""
    from docmill.up.processes import housekeeping_command

    _become(housekeeping_command(name, Path(tempfile.mkdtemp(prefix="docmill-beat-")) / "schedule"))


@app.command()
def flower(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5555,
) -> None:
    """Become Flower, which shows workers and tasks to those who log in (FLOWER_BASIC_AUTH=user:password)."""
    from docmill.up.processes import flower_command

    _become(flower_command(host, port))


def _become(command: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606
