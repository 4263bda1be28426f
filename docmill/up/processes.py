"""The processes of docmill itself: what each is started with, and how one sees that it works.

The commands are also those of `docmill web | worker | housekeeping | flower`, which become the process (containers).
"""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
from celery import Celery

from docmill.embedded.ports import LOOPBACK
from docmill.embedded.process import ServerProcess
from docmill.worker.queues import HOUSEKEEPING, WORKER_QUEUES

CELERY = [sys.executable, "-m", "celery", "-A", "docmill.worker"]


def web_command(host: str, port: int) -> list[str]:
    """uvicorn; WEB_CONCURRENCY is its own variable for more than one process."""
    options = ["--no-access-log", "--lifespan", "off", "--timeout-graceful-shutdown", "5", "--log-level", "warning"]
    options += ["--http", "docmill.api.http_protocol:BoundedProtocol", "--ws", "none"]
    return [
        sys.executable,
        "-m",
        "uvicorn",
        "docmill.api.asgi:application",
        "--host",
        host,
        "--port",
        str(port),
        *options,
    ]


def worker_command(name: str, concurrency: int | None) -> list[str]:
    """A Celery worker for documents; without `concurrency` the setting WORKER_CONCURRENCY counts."""
    how_many = ["--concurrency", str(concurrency)] if concurrency else []
    return [*CELERY, "worker", "-Q", ",".join(WORKER_QUEUES), "-n", name, *_QUIET, *how_many]


def housekeeping_command(name: str, schedule: Path) -> list[str]:
    """One process that sweeps: a worker without children for the queue `housekeeping`, and beat in it."""
    beat = ["--pool", "solo", "--beat", "--schedule", str(schedule)]
    return [*CELERY, "worker", "-Q", HOUSEKEEPING, "-n", name, *_QUIET, *beat]


def flower_command(host: str, port: int) -> list[str]:
    """Flower; it starts with FLOWER_BASIC_AUTH or another login in the environment only."""
    return [sys.executable, "-m", "docmill.worker.flower", host, str(port)]


_QUIET = ["--without-gossip", "--without-mingle"]


class DocmillProcess(ServerProcess):
    """A process of docmill's own; it knows the servers by its environment only."""

    start_seconds = 60.0
    stop_seconds = 17.0

    def __init__(self, name: str, home: Path, command: list[str], environ: Mapping[str, str]) -> None:
        super().__init__(home)
        self.name = name
        self._command = command
        self._environ = environ

    @property
    def data(self) -> Path:
        return self.home / "run"

    def command(self) -> list[str]:
        return self._command

    def environ(self) -> Mapping[str, str]:
        return self._environ


class WebProcess(DocmillProcess):
    """A process that answers HTTP on the loopback address, at `path` with 200."""

    stop_seconds = 7.0

    def __init__(
        self, name: str, home: Path, command: list[str], environ: Mapping[str, str], *, port: int, path: str
    ) -> None:
        super().__init__(name, home, command, environ)
        self._port = port
        self._path = path

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    def answers(self) -> bool:
        try:
            return httpx.get(self.url + self._path, timeout=2, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


class CeleryProcess(DocmillProcess):
    """A Celery worker, asked by a ping over the broker."""

    node: str

    def __init__(self, name: str, home: Path, command: list[str], environ: Mapping[str, str], *, node: str) -> None:
        super().__init__(name, home, command, environ)
        self.node = node
        self._broker = Celery(broker=environ["REDIS_URL"].rstrip("/") + "/0", set_as_current=False)

    @property
    def url(self) -> str:
        return self.node

    def answers(self) -> bool:
        try:
            return bool(self._broker.control.inspect([self.node], timeout=0.5, limit=1).ping())
        except self._broker.connection_for_read().connection_errors:
            return False


def node_name(role: str) -> str:
    """A Celery node name that says which machine it is on."""
    return f"{role}@{socket.gethostname()}"


def chosen_workers(workers: int | None, concurrency: int | None) -> tuple[int, int]:
    """How many workers with how many children each: as told, as WORKERS and WORKER_CONCURRENCY say, or by cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return (
        workers or int(os.environ.get("WORKERS") or 1),
        concurrency or int(os.environ.get("WORKER_CONCURRENCY") or max(2, cores)),
    )
