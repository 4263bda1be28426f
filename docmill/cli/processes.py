"""`docmill web`, `worker`, `housekeeping`, `flower`: single processes, for containers, and how each is: `health`."""

import os
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import httpx
import typer

from docmill.cli.connection import django_ready
from docmill.cli.terminal import app, fail


class Role(StrEnum):
    """A kind of process that can be asked for its health."""

    WEB = "web"
    WORKER = "worker"
    HOUSEKEEPING = "housekeeping"


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


@app.command()
def health(
    role: Annotated[Role, typer.Argument(help="Which process this container runs.")],
    port: Annotated[int, typer.Option(help="Port of the web process.")] = 8000,
) -> None:
    """Whether this container's process lives: status 0 or 1. A busy worker lives, and so does one without a broker."""
    if role is Role.WEB:
        trouble = health_of_web(port)
    else:
        with django_ready(None):
            from docmill.worker.heartbeat import trouble_of

            trouble = trouble_of(role.value)
    if trouble:
        fail(trouble)


def health_of_web(port: int) -> str:
    """What is wrong with the web process on this port, "" when it answers."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5)
    except httpx.HTTPError as error:
        return f"web does not answer: {error}"
    return "" if answer.is_success else f"web answers {answer.status_code}"


def _become(command: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606
