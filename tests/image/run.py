"""`make image-test`: the image in the layout that we run, as containers, on this machine.

Web, four workers with four children each, housekeeping, Flower, and the servers, each a container of its own, with a
read-only root, no capabilities, no new privileges and a memory limit. Samples are uploaded and found, a worker is
killed with documents in its hands, and a new version is rolled out under load. Last line: `image ok: …`.
"""

import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import httpx

from docmill.embedded.ports import free_port
from tests.image.build import CANNOT, ENVIRON, ROOT, CannotError, build, run, size

TAG = "localhost/docmill:test"
NEXT = "localhost/docmill:next"
PODMAN = ("podman", "--cgroup-manager", "cgroupfs", "--runtime", "runc")
WORKERS, CHILDREN = 4, 4
SAMPLES = sorted((ROOT / "docmill" / "samples").glob("*.[pd]*"))
QUESTION = ("How many hens may a tenant keep?", "Up to six hens")
UNDER_LOAD = 40
"""Small documents that are uploaded while a worker is killed, and again while a new version is rolled out."""
PAUSE = 0.5
"""Seconds between two uploads: load, not an attack."""
PATIENCE = 300.0
"""Seconds for a container to get ready, or a document to end, on a machine that is busy with others."""

SERVER = """
import signal, sys
from pathlib import Path
from docmill.embedded import PostgresServer, SeaweedServer, ValkeyServer, Endpoints
kind = sys.argv[1]
server = {"postgres": PostgresServer, "valkey": ValkeyServer, "s3": SeaweedServer}[kind](Path("/data"))
for folder in ("run", "logs"):
    (Path("/data") / folder).mkdir(exist_ok=True)
server.start()
ends = {"postgres": {"database_url": server.url}, "valkey": {"redis_url": server.url}}.get(kind) or {
    "s3_endpoint_url": server.url, "s3_access_key": server.access_key, "s3_secret_key": server.secret_key}
import json
print("ENDS " + json.dumps(Endpoints(**ends).environ()), flush=True)
signal.sigwait([signal.SIGTERM, signal.SIGINT])
server.stop()
"""
"""The servers come from the same image: it carries them, and no registry has to be reached."""


def podman(*arguments: str) -> str:
    return run(*PODMAN, *arguments, quiet=True)


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(0.2)


class Containers:
    """Containers of one run, removed at its end."""

    def __init__(self) -> None:
        self.mark = f"docmill-{uuid.uuid4().hex[:6]}"
        self.environ: dict[str, str] = {}
        self.names: list[str] = []

    def start(self, name: str, *command: str, tag: str = TAG, memory: str = "2g", entrypoint: str = "") -> None:
        """A container in the background, with all the walls that a careful operator puts up."""
        full = f"{self.mark}-{name}"
        options = ["--name", full, "--detach", "--network", "host", "--memory", memory]
        options += ["--read-only", "--tmpfs", "/tmp:mode=1777", "--volume", f"{full}:/data:U"]
        options += ["--cap-drop", "all", "--security-opt", "no-new-privileges"]
        options += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
        options += [part for pair in self.environ.items() for part in ("--env", "=".join(pair))]
        options += ["--entrypoint", entrypoint] if entrypoint else []
        self.names.append(full)
        podman("run", *options, tag, *command)

    def once(self, *command: str) -> str:
        """A command in a container of its own; what it prints."""
        options = [part for pair in self.environ.items() for part in ("--env", "=".join(pair))]
        return podman(
            "run", "--rm", "--network", "host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096",
            "--cap-drop", "all", *options, TAG, *command,
        )  # fmt: skip

    def inside(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PODMAN, "exec", f"{self.mark}-{name}", *command], env=ENVIRON, capture_output=True, text=True, check=False
        )

    def is_healthy(self, name: str, *role: str) -> bool:
        return self.inside(name, "docmill", "health", *role).returncode == 0

    def logs(self, name: str) -> str:
        done = subprocess.run(
            [*PODMAN, "logs", f"{self.mark}-{name}"], env=ENVIRON, capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    def kill(self, name: str) -> None:
        podman("kill", "--signal", "KILL", f"{self.mark}-{name}")

    def stop(self, name: str) -> None:
        podman("stop", "--time", "35", f"{self.mark}-{name}")

    def remove_all(self) -> None:
        for name in reversed(self.names):
            subprocess.run(
                [*PODMAN, "rm", "--force", "--time", "5", name], env=ENVIRON, capture_output=True, check=False
            )
            subprocess.run([*PODMAN, "volume", "rm", "-f", name], env=ENVIRON, capture_output=True, check=False)


class Tenant:
    """Uploads through whichever web container is in service, as a load balancer would have it."""

    def __init__(self, key: str) -> None:
        self.urls: list[str] = []
        self.errors: list[str] = []
        self._http = httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=60)

    def call(self, method: str, path: str, **request: object) -> httpx.Response:
        answer = self._http.request(method, self.urls[-1] + path, **request)  # type: ignore[arg-type]
        if answer.status_code >= 500:
            self.errors.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def upload(self, name: str, content: bytes) -> str:
        answer = self.call("POST", "/api/ingest/", files={"file": (name, content)})
        return str(answer.raise_for_status().json()["document_id"])

    def completed(self, document_id: str) -> bool:
        document = self.call("GET", f"/api/documents/{document_id}/").json()
        assert document["status"] != "failed", document["error"]
        return bool(document["status"] == "completed")

    def finds(self, query: str, passage: str) -> bool:
        hits = self.call("POST", "/api/search/", json={"query": query, "top_k": 5}).raise_for_status().json()["results"]
        return any(passage in " ".join(hit["text"].split()) for hit in hits)


def start_servers(containers: Containers) -> None:
    for kind in ("postgres", "valkey", "s3"):
        containers.start(kind, "-c", SERVER, kind, entrypoint="/opt/docmill/bin/python")
    for kind in ("postgres", "valkey", "s3"):

        def ends(kind: str = kind) -> bool:
            line = next((one for one in containers.logs(kind).splitlines() if one.startswith("ENDS ")), "")
            containers.environ |= json.loads(line[5:]) if line else {}
            return bool(line)

        wait_until(ends, f"{kind} answers: {containers.logs(kind)[-2000:]}")
        print(f"{kind}: ready", flush=True)


def start_web(containers: Containers, tenant: Tenant, name: str, tag: str = TAG) -> None:
    """Start a web container and send new requests to it when it answers."""
    port = free_port()
    containers.start(name, "web", "--port", str(port), tag=tag, memory="1g")
    wait_until(
        lambda: containers.is_healthy(name, "web", "--port", str(port)), f"{name}: {containers.logs(name)[-2000:]}"
    )
    tenant.urls.append(f"http://127.0.0.1:{port}")


def start_workers(containers: Containers, version: str, tag: str = TAG) -> list[str]:
    names = [f"worker-{number}-{version}" for number in range(1, WORKERS + 1)]
    for name in names:
        containers.start(name, "worker", "--concurrency", str(CHILDREN), "--name", f"{name}@%h", tag=tag, memory="4g")
    for name in names:
        wait_until(lambda name=name: containers.is_healthy(name, "worker"), f"{name}: {containers.logs(name)[-2000:]}")  # type: ignore[misc]
    return names


@contextlib.contextmanager
def load(tenant: Tenant, what: str) -> Iterator[list[str]]:
    """Upload small documents, one after the other, while the block runs; all must complete."""
    ids: list[str] = []
    failed: list[BaseException] = []
    done = threading.Event()

    def go() -> None:
        for number in itertools.count():
            if done.is_set() and number >= UNDER_LOAD:
                return
            text = f"# {what} {number}\n\nParcel {what}-{number} lies in the shed by the weir.\n" * 20
            try:
                ids.append(tenant.upload(f"{what}-{number}.md", text.encode()))
            except BaseException as error:
                failed.append(error)
                return
            done.wait(PAUSE)

    uploads = threading.Thread(target=go)
    uploads.start()
    try:
        yield ids
    finally:
        done.set()
        uploads.join()
    assert not failed, failed
    for document_id in ids:
        wait_until(lambda document_id=document_id: tenant.completed(document_id), f"{what}: {document_id}")  # type: ignore[misc]
    print(f"{what}: {len(ids)} documents, all completed", flush=True)


def walls(containers: Containers, worker: str) -> str:
    """The sandbox's walls, as they stand inside a worker's container."""
    program = (
        "import django; django.setup(); from docmill import adapters;"
        "print(', '.join(adapters.extractor().start())); adapters.extractor().close()"
    )
    done = containers.inside(worker, "env", "DJANGO_SETTINGS_MODULE=docmill.config.settings", "python", "-c", program)
    assert done.returncode == 0, done.stderr
    standing = done.stdout.strip().splitlines()[-1]
    assert {"memory", "privileges"} <= set(standing.split(", ")), standing
    return standing


def test_the_image() -> str:
    """The whole of it; the last line to print."""
    containers = Containers()
    with tempfile.TemporaryDirectory(prefix="docmill-image-"):
        try:
            return _test_the_image(containers)
        finally:
            containers.remove_all()


def _test_the_image(containers: Containers) -> str:
    began = time.monotonic()
    start_servers(containers)
    containers.environ |= {"SECRET_KEY": uuid.uuid4().hex * 2, "FLOWER_BASIC_AUTH": f"staff:{uuid.uuid4().hex}"}
    containers.once("setup")
    containers.once("user", "create", "anna")
    tenant = Tenant(containers.once("apikey", "create", "--user", "anna").strip())
    started = time.monotonic()
    start_web(containers, tenant, "web-old")
    start_seconds = time.monotonic() - started
    workers = start_workers(containers, "old")
    containers.start("housekeeping-old", "housekeeping")
    containers.start("flower", "flower", "--port", str(free_port()), memory="512m")
    wait_until(lambda: containers.is_healthy("housekeeping-old", "housekeeping"), "housekeeping")
    print(f"web, {WORKERS} workers with {CHILDREN} children each, housekeeping, Flower: ready", flush=True)
    print(f"walls of the sandbox inside a container: {walls(containers, workers[0])}", flush=True)

    ids = [tenant.upload(path.name, path.read_bytes()) for path in SAMPLES]
    for document_id in ids:
        wait_until(lambda document_id=document_id: tenant.completed(document_id), f"sample {document_id}")  # type: ignore[misc]
    assert tenant.finds(*QUESTION), "the samples are found"
    print(f"{len(ids)} samples: completed and found", flush=True)

    with load(tenant, "killed") as uploaded:
        wait_until(lambda: len(uploaded) > UNDER_LOAD // 4, "documents are on their way")
        containers.kill(workers[0])
    containers.start("worker-again", "worker", "--concurrency", str(CHILDREN), "--name", "worker-again@%h", memory="4g")

    podman("tag", TAG, NEXT)
    with load(tenant, "rolled") as uploaded:
        wait_until(lambda: len(uploaded) > UNDER_LOAD // 4, "documents are on their way")
        containers.once("setup")
        start_web(containers, tenant, "web-new", NEXT)
        containers.stop("web-old")
        for old, new in zip((*workers[1:], "worker-again"), range(1, WORKERS + 1), strict=True):
            name = f"worker-{new}-new"
            containers.start(
                name, "worker", "--concurrency", str(CHILDREN), "--name", f"{name}@%h", tag=NEXT, memory="4g"
            )
            wait_until(lambda name=name: containers.is_healthy(name, "worker"), name)  # type: ignore[misc]
            containers.stop(old)
        containers.stop("housekeeping-old")
        containers.start("housekeeping-new", "housekeeping", tag=NEXT)
    assert tenant.errors == [], tenant.errors
    assert tenant.finds("Where does parcel rolled-3 lie?", "shed by the weir")
    megabytes = size(TAG) / 1e6
    seconds = time.monotonic() - began
    return (
        f"image ok: {megabytes:.0f} MB, web answers {start_seconds:.1f} s after its start; a killed worker and a new"
        f" version under load lost nothing and no request met a 5xx ({seconds:.0f} s)"
    )


def main() -> None:
    try:
        build("docmill", TAG)
    except CannotError as error:
        print(f"image skipped: {error}")
        sys.exit(CANNOT)
    print(test_the_image())


if __name__ == "__main__":
    main()
