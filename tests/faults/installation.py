"""A whole docmill whose every process can be killed, stopped and started alone."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis

from docmill.embedded import Endpoints, PostgresServer, SeaweedServer, ValkeyServer
from docmill.embedded.ports import free_port
from docmill.up.background import own_environ
from docmill.up.processes import DocmillProcess, housekeeping_command, web_command, worker_command

WORKERS = 2


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The condition's first true value; AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


class Installation:
    """Servers, web, two workers of one child each, and housekeeping, under a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.postgres, self.valkey, self.s3 = PostgresServer(home), ValkeyServer(home), SeaweedServer(home)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.processes: dict[str, DocmillProcess] = {}
        self.environ: dict[str, str] = {}
        self._http: httpx.Client | None = None

    def start(self) -> None:
        for folder in ("run", "logs", "tmp"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        for server in (self.postgres, self.valkey, self.s3):
            server.start()
        endpoints = Endpoints(
            self.postgres.url, self.valkey.url, self.s3.url, self.s3.access_key, self.s3.secret_key
        ).environ()
        self.environ = own_environ(endpoints | {"SWEEP_SECONDS": "2", "OMP_NUM_THREADS": "1"})
        key = self.home / "api-key"
        subprocess.run([sys.executable, "-m", "docmill.up.prepare", str(key)], env=self.environ, check=True)
        headers = {"Authorization": f"Bearer {key.read_text().strip()}"}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=60)
        port = int(self.url.rpartition(":")[2])
        self._add("web", web_command("127.0.0.1", port))
        self._add("housekeeping", housekeeping_command("housekeeping@faults", self.home / "run" / "beat"))
        for number in range(WORKERS):
            self._add(f"worker-{number}", worker_command(f"worker-{number}@faults", 1))
        wait_until(self._answers, 60, "web answers")

    def stop(self) -> None:
        for process in self.processes.values():
            process.ask_to_stop()
        for process in self.processes.values():
            process.stop()
        for server in (self.s3, self.valkey, self.postgres):
            server.stop()

    def _add(self, name: str, command: list[str]) -> None:
        self.processes[name] = DocmillProcess(name, self.home, command, self.environ)
        self.processes[name].begin()

    def _answers(self) -> bool:
        try:
            return self.http.get("/healthz").is_success
        except httpx.HTTPError:
            return False

    @property
    def http(self) -> httpx.Client:
        assert self._http is not None
        return self._http

    # --- what users do ---

    def upload(self, name: str, content: bytes) -> str:
        """Upload; the document's id. Asked again while the system is down: nothing was accepted then."""
        while True:
            try:
                answer = self.http.post("/api/ingest/", files={"file": (name, content)})
            except httpx.HTTPError:
                time.sleep(0.2)
                continue
            if answer.status_code in (200, 202):
                return str(answer.json()["document_id"])
            assert answer.status_code in (500, 503), answer.text
            time.sleep(0.2)

    def upload_at_once(self, name: str, content: bytes, times: int) -> list[str]:
        with ThreadPoolExecutor(times) as clients:
            return list(clients.map(lambda _: self.upload(name, content), range(times)))

    def document(self, document_id: str) -> dict[str, Any]:
        """The document as the interface shows it; {} while that is down or when it is deleted."""
        try:
            answer = self.http.get(f"/api/documents/{document_id}/")
        except httpx.HTTPError:
            return {}
        return dict(answer.json()) if answer.is_success else {}

    def wait_for_work(self, document_id: str, attempt: int = 1, chunks_done: int = 1) -> None:
        """Until the document is in the middle of an attempt."""
        wait_until(
            lambda: (
                (d := self.document(document_id))
                and d["attempt"] >= attempt
                and (d["chunks_done"] >= chunks_done or d["status"] != "processing")
            ),
            90,
            f"{document_id} in attempt {attempt}",
        )

    def wait_for_end(self, document_id: str, seconds: float = 120) -> dict[str, Any]:
        """The document when it has ended."""
        found = wait_until(
            lambda: (d := self.document(document_id)) and d["status"] != "processing" and d,
            seconds,
            f"{document_id} ends",
        )
        return dict(found)

    # --- what goes wrong ---

    def _children(self, process: DocmillProcess) -> list[psutil.Process]:
        try:
            return psutil.Process(process.pid or 0).children()
        except psutil.Error:
            return []

    def kill_children(self) -> None:
        """kill -9 every worker's prefork child; their workers replace them."""
        for name, process in self.processes.items():
            if name.startswith("worker"):
                for child in self._children(process):
                    child.kill()

    def kill_extractors(self) -> None:
        """kill -9 the boxes alone."""
        for name, process in self.processes.items():
            if name.startswith("worker") and process.pid:
                for child in psutil.Process(process.pid).children(recursive=True):
                    if "extract.child" in " ".join(child.cmdline()):
                        child.kill()

    def kill_worker(self, name: str) -> None:
        """kill -9 a worker and its children at once."""
        process = self.processes[name]
        for victim in [*self._children(process), psutil.Process(process.pid or 0)]:
            victim.kill()
        wait_until(lambda: not process.running, 10, f"{name} is gone")

    def terminate_worker(self, name: str) -> None:
        """SIGTERM, as a deploy does; returns when it has ended by itself."""
        process = self.processes[name]
        os.kill(process.pid or 0, signal.SIGTERM)
        wait_until(lambda: not process.running, 30, f"{name} ends within 30 s of SIGTERM")

    def start_again(self, name: str) -> None:
        self.processes[name].begin()

    def flush_broker(self) -> None:
        with redis.Redis.from_url(self.valkey.url) as broker:
            broker.flushall()

    def ring_twice(self, document_id: str) -> None:
        """Put the document's message on the queue once more."""
        code = (
            "import django; django.setup();"
            "from docmill.api.models import Document; from docmill.api.tasks import ring;"
            f"[ring(Document.objects.get(id='{document_id}')) for _ in range(4)]"
        )
        environ = self.environ | {"DJANGO_SETTINGS_MODULE": "docmill.config.settings"}
        subprocess.run([sys.executable, "-c", code], env=environ, check=True)

    def restart(self, server: PostgresServer | ValkeyServer | SeaweedServer, seconds: float, *, kill: bool) -> None:
        """Take a server away for so many seconds."""
        if kill:
            server.kill()
        else:
            server.stop()
        time.sleep(seconds)
        server.start()


def prose(seed: int, sentences: int) -> bytes:
    """A text file of distinct sentences; about 20 tokens each."""
    draw = random.Random(seed)
    words = (
        "harbour",
        "ledger",
        "copper",
        "winter",
        "signal",
        "garden",
        "bridge",
        "carbon",
        "meadow",
        "engine",
        "lamp",
    )
    lines = [
        f"In case {seed}-{number} the {' '.join(draw.choices(words, k=9))} was noted by the {draw.choice(words)}."
        for number in range(sentences)
    ]
    return "\n\n".join(" ".join(lines[first : first + 5]) for first in range(0, len(lines), 5)).encode()
