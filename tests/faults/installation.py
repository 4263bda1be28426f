"""A whole docmill whose every process can be killed, stopped and started alone, whose clock and disk can be spoilt."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import redis

from docmill.cli.background import own_environ
from docmill.embedded import Endpoints, PostgresServer, SeaweedServer, ValkeyServer
from docmill.embedded.ports import free_port
from docmill.up.processes import DocmillProcess
from tests.contract.gemini_server import GeminiServer
from tests.contract.pinecone_server import PineconeServer

WORKERS = 2
PLAYED = Path(__file__).parent / "played"
SMALL_DISK = "48m"
LIMITS = {
    "OMP_NUM_THREADS": "1",
    "LOG_JSON": "true",
    # Far shorter than many a document takes: the broker delivers what it thinks is lost again and again.
    "BROKER_VISIBILITY_SECONDS": "3",
    "WORKER_MAX_TASKS_PER_CHILD": "5",
    "EXTRACT_PAGE_SECONDS": "8",
    "EXTRACT_MEMORY_BYTES": str(512 << 20),
}


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The condition's first true value; AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


class Installation:
    """Servers, web, two workers of one child each, and housekeeping, under a home of their own.

    `production` has it work with Gemini and Pinecone, played by the contract servers `gemini` and `pinecone`, instead
    of the local model and pgvector; `settings` are environment variables of all its processes.
    """

    def __init__(self, home: Path, *, production: bool = False, **settings: str) -> None:
        self.home = home
        self.postgres, self.valkey, self.s3 = PostgresServer(home), ValkeyServer(home), SeaweedServer(home)
        self.gemini = GeminiServer() if production else None
        self.pinecone = PineconeServer(delay=0.3) if production else None
        self.url = f"http://127.0.0.1:{free_port()}"
        self.processes: dict[str, DocmillProcess] = {}
        self.environ: dict[str, str] = {}
        self.has_small_disk = False
        self.ended_by_themselves: list[str] = []
        self._wanted: set[str] = set()
        self._settings = settings
        self._http: httpx.Client | None = None

    def start(self) -> None:
        for folder in ("run", "logs", "tmp"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self.has_small_disk = _mounted(self.temp)
        for server in (self.postgres, self.valkey, self.s3):
            server.start()
        self.environ = self._environ()
        key = self.home / "api-key"
        subprocess.run([sys.executable, "-m", "docmill.up.prepare", str(key)], env=self.environ, check=True)
        self._http = httpx.Client(base_url=self.url, headers=_authorized(key.read_text().strip()), timeout=60)
        port = int(self.url.rpartition(":")[2])
        self._add("web", "web", "--port", str(port))
        self._add("housekeeping", "housekeeping", "--name", "housekeeping@faults")
        for number in range(WORKERS):
            self.add_worker(f"worker-{number}")
        wait_until(self.answers, 60, "web answers")
        wait_until(self._workers_are_ready, 60, "the workers are ready")
        threading.Thread(target=self._supervise, daemon=True).start()

    def _workers_are_ready(self) -> bool:
        said = {str(event["event"]) for event in self.log_events()}
        return all(f"worker-{number}@faults ready." in said for number in range(WORKERS))

    def _supervise(self) -> None:
        """Start again what ended by itself, as `docmill up` and a service manager do."""
        while self.processes:
            for name in list(self._wanted):
                if not self.processes[name].running and name in self._wanted:
                    self.processes[name].begin()
                    self.ended_by_themselves.append(name)
            time.sleep(0.5)

    def _environ(self) -> dict[str, str]:
        """Without the played clock and readers, which are docmill's processes' own."""
        endpoints = Endpoints(
            database_url=self.postgres.service_url,
            database_owner_url=self.postgres.owner_url,
            redis_url=self.valkey.url,
            s3_endpoint_url=self.s3.url,
            s3_access_key=self.s3.access_key,
            s3_secret_key=self.s3.secret_key,
        ).environ()
        environ = (
            endpoints
            | {"UPLOADS_WITHOUT_LIMITS": "true"}
            | LIMITS
            | self._settings
            | {"DOCMILL_TEMP_DIR": str(self.temp)}
        )
        if self.gemini and self.pinecone:
            environ |= {"EMBEDDER": "gemini", "GEMINI_API_KEY": self.gemini.key, "GEMINI_BASE_URL": self.gemini.url}
            environ |= {"VECTOR_STORE": "pinecone", "PINECONE_API_KEY": self.pinecone.key}
            environ |= {"PINECONE_CONTROLLER_HOST": self.pinecone.url, "PINECONE_INDEX": "faults"}
            # Limited, so that the governor works, and hardly slower for it.
            environ |= {"GEMINI_REQUESTS_PER_MINUTE": "12000", "GEMINI_TOKENS_PER_MINUTE": "3000000"}
        return own_environ(environ)

    @property
    def seen_whole(self) -> dict[str, str]:
        """The environment for whoever checks: the database as its superuser sees it, every tenant's rows included."""
        return self.environ | {"DATABASE_URL": self.postgres.url}

    @property
    def temp(self) -> Path:
        """Where uploads and downloads lie while they are worked on: a disk of its own, where that can be had."""
        return self.home / "tmp"

    def another_tenant(self, name: str) -> httpx.Client:
        """A client with the key of a new user."""
        command = [sys.executable, "-m", "docmill"]
        subprocess.run([*command, "user", "create", name], env=self.environ, check=True, capture_output=True)
        made = subprocess.run(
            [*command, "apikey", "create", "--user", name], env=self.environ, check=True, capture_output=True, text=True
        )
        return httpx.Client(base_url=self.url, headers=_authorized(made.stdout.strip()), timeout=60)

    def stop(self) -> None:
        self._wanted.clear()
        processes = list(self.processes.values())
        for process in processes:
            process.ask_to_stop()
        for process in processes:
            process.stop()
        self.processes = {}
        for server in (self.s3, self.valkey, self.postgres):
            server.stop()
        for played in (self.gemini, self.pinecone):
            if played:
                played.stop()
        if self.has_small_disk:
            subprocess.run(["umount", "--lazy", str(self.temp)], check=True)

    def add_worker(self, name: str, **environ: str) -> None:
        """Start one more worker; `environ` is its own."""
        self._add(name, "worker", "--name", f"{name}@faults", "--concurrency", "1", own=environ)

    def _add(self, name: str, *arguments: str, own: Mapping[str, str] | None = None) -> None:
        """Begin a process with the command that containers have as their entry point."""
        command = [sys.executable, "-m", "docmill", *arguments]
        path = os.pathsep.join([str(PLAYED), str(PLAYED.parents[2])])
        environ = self.environ | {"PYTHONPATH": path, "FAULTS_CLOCK": str(self._clock)} | dict(own or {})
        self.processes[name] = DocmillProcess(name, self.home, command, environ)
        self.start_again(name)

    def answers(self) -> bool:
        try:
            return self.http.get("/healthz").is_success
        except httpx.HTTPError:
            return False

    @property
    def http(self) -> httpx.Client:
        assert self._http is not None
        return self._http

    # --- what users do ---

    def upload(self, name: str, content: bytes, tenant: httpx.Client | None = None) -> str:
        """Upload; the document's id. Asked again while the system is down: nothing was accepted then."""
        while True:
            try:
                answer = (tenant or self.http).post("/api/ingest/", files={"file": (name, content)})
            except httpx.HTTPError:
                time.sleep(0.2)
                continue
            if answer.status_code in (200, 202):
                return str(answer.json()["document_id"])
            assert answer.status_code in (500, 503, 507), answer.text
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
            children: list[psutil.Process] = psutil.Process(process.pid or 0).children()
        except psutil.Error:
            return []
        return children

    def worker_children(self) -> list[psutil.Process]:
        """The prefork children of all workers: they work on the documents."""
        workers = [process for name, process in self.processes.items() if name.startswith("worker")]
        return [child for worker in workers for child in self._children(worker)]

    def kill_children(self, with_signal: int = signal.SIGKILL) -> None:
        """End every worker's prefork child; their workers replace them."""
        for child in self.worker_children():
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(with_signal)

    def starve_children(self) -> None:
        """Leave every worker's child hardly any memory."""
        for child in self.worker_children():
            with contextlib.suppress(psutil.NoSuchProcess):
                limit = child.memory_info().vms + (4 << 20)
                child.rlimit(psutil.RLIMIT_AS, (limit, limit))

    def kill_extractors(self) -> None:
        """kill -9 the boxes alone."""
        for worker_child in self.worker_children():
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in worker_child.children():
                    if "docmill.pipeline.extract.sandbox.child" in child.cmdline():
                        child.kill()

    def kill_worker(self, name: str) -> None:
        """kill -9 a worker and its children at once."""
        self._wanted.discard(name)
        process = self.processes[name]
        # The worker first, lest it see its children die and say so.
        for victim in [psutil.Process(process.pid or 0), *self._children(process)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        wait_until(lambda: not process.running, 10, f"{name} is gone")

    def terminate_worker(self, name: str) -> None:
        """SIGTERM, as a deploy does; returns when it has ended by itself."""
        self._wanted.discard(name)
        process = self.processes[name]
        os.kill(process.pid or 0, signal.SIGTERM)
        wait_until(lambda: not process.running, 90, f"{name} ends after SIGTERM")

    def kill(self, name: str) -> None:
        """kill -9 of a process that has no children."""
        self._wanted.discard(name)
        self.processes[name].kill()

    def start_again(self, name: str) -> None:
        self.processes[name].begin()
        self._wanted.add(name)

    @contextmanager
    def frozen_workers(self) -> Iterator[None]:
        """No worker runs, and none is gone, as when a machine stands still."""
        workers = [process for name, process in self.processes.items() if name.startswith("worker")]
        frozen = [*self.worker_children(), *(psutil.Process(worker.pid) for worker in workers if worker.running)]
        for one in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.suspend()
        try:
            yield
        finally:
            for one in frozen:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.resume()

    @contextmanager
    def broker_without_memory(self) -> Iterator[None]:
        """The broker refuses whatever would need memory."""
        with redis.Redis.from_url(self.valkey.url) as broker:
            broker.config_set("maxmemory", 1)
            try:
                yield
            finally:
                broker.config_set("maxmemory", 0)

    def lose_broker(self) -> None:
        """The broker ends, and begins anew without its data."""
        self.valkey.kill()
        shutil.rmtree(self.valkey.data)
        self.valkey.start()

    def flush_broker(self) -> None:
        with redis.Redis.from_url(self.valkey.url) as broker:
            broker.flushall()

    def enqueue_twice(self, document_id: str) -> None:
        """Put the document's message on the queue once more."""
        code = (
            "import django; django.setup();"
            "from docmill.documents.models import Document;"
            "from docmill.documents.enqueueing import enqueue_document;"
            f"[enqueue_document(Document.objects.get(id='{document_id}')) for _ in range(4)]"
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

    def restart_web(self) -> None:
        """kill -9 of web, and start it again."""
        self.kill("web")
        self.start_again("web")
        wait_until(self.answers, 60, "web answers")

    def cut_connections(self) -> None:
        """End every session of the database in the middle of whatever it does."""
        with self.database() as database:
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )

    @contextmanager
    def clock_off(self, seconds: float) -> Iterator[None]:
        """The clock of docmill's processes is that much ahead (or behind)."""
        self._clock.write_text(str(seconds))
        try:
            yield
        finally:
            self._clock.write_text("0")

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """There is no room for temporary files. Only where `has_small_disk`."""
        ballast = self.temp / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 16)):
                pass
        try:
            yield
        finally:
            ballast.unlink()

    @property
    def _clock(self) -> Path:
        return self.home / "run" / "clock"

    # --- what is read past docmill ---

    def database(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.postgres.url, autocommit=True)

    def log_events(self, *names: str) -> Iterator[dict[str, Any]]:
        """What docmill's processes (these, or all) have logged: `event`, `timestamp`, and what belongs to the event."""
        for name in names or self.processes:
            for line in (self.home / "logs" / f"{name}.log").read_text(errors="replace").splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    if isinstance(event := json.loads(line), dict):
                        yield event


def _authorized(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _mounted(folder: Path) -> bool:
    """Mount a small disk of its own at a folder; False where this user may not."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=1777", "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


def poison(number: int, order: str) -> bytes:
    """A text file at which the extractor process does as tests/unit/hostile_reader.py says."""
    return f"POISON {number}\n{order}\n".encode()


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
