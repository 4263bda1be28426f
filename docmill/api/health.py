"""Is each part there? One list of checks for /readyz and `docmill doctor`."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from docmill import adapters
from docmill.api.auth import key_in_force
from docmill.documents.vector_index import verify_index
from docmill.pipeline.errors import DocmillError


@dataclass(frozen=True, slots=True)
class Check:
    """What was found of one part; `message` says what is wrong and what to do."""

    name: str
    ok: bool
    message: str


def checks() -> list[Check]:
    """Check every dependency, all at once, each within seconds."""
    with ThreadPoolExecutor(len(_CHECKS)) as threads:
        return list(threads.map(_run, _CHECKS))


def healthz(request: HttpRequest) -> JsonResponse:
    """The process lives."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Every dependency is checked; 503 names those that are down. A missing wall of the sandbox is a warning. What was
    found, which may name hosts, is shown for a key of a member of staff only."""
    found = checks()
    down = [check.name for check in found if not check.ok]
    in_full = _asked_by_staff(request)
    body = {
        "status": "ok" if not down else "unavailable",
        "down": down,
        "warnings": adapters.walls().sentences(),
        "checks": {check.name: "ok" if check.ok else check.message if in_full else "down" for check in found},
    }
    return JsonResponse(body, status=503 if down else 200)


def _asked_by_staff(request: HttpRequest) -> bool:
    try:
        key = key_in_force(request.headers.get("Authorization", "").encode("latin-1", "replace"))
    except DatabaseError:
        return False
    return key is not None and key.user.is_staff


def _run(check: tuple[str, Callable[[], None]]) -> Check:
    name, look = check
    try:
        look()
    except DocmillError as error:
        return Check(name, False, error.message)
    except Exception as error:
        return Check(name, False, f"{type(error).__name__}: {error}".strip())
    finally:
        connection.close()
    return Check(name, True, "ok")


def _database() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise DocmillError("database_unavailable", "Migrations are missing: run 'docmill setup'.")


def _redis(url: str) -> Callable[[], None]:
    def look() -> None:
        with redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as server:
            server.ping()

    return look


def _storage() -> None:
    adapters.originals().check()


class _EmbedderCheck:
    """One answer of the embedder is a sign of life for a minute: each may cost money and quota."""

    GOOD_FOR = 60.0
    """Seconds."""

    def __init__(self) -> None:
        self._answered_at = float("-inf")

    def __call__(self) -> None:
        if time.monotonic() - self._answered_at < self.GOOD_FOR:
            return
        vector = adapters.embedder().embed_query("ready")
        if vector.shape != (adapters.embedder().dimension,):
            raise DocmillError("embedder_rejected", f"The embedder answered with shape {vector.shape}.")
        self._answered_at = time.monotonic()


def _vector_store() -> None:
    adapters.vector_store().check()


def _index() -> None:
    try:
        verify_index()
    except DocmillError as error:
        if error.code == "index_mismatch":  # of a store that is down `vector_store` tells
            raise


_CHECKS: list[tuple[str, Callable[[], None]]] = [
    ("database", _database),
    ("broker", _redis(settings.BROKER_URL)),
    ("results", _redis(settings.RESULTS_URL)),
    ("storage", _storage),
    ("embedder", _EmbedderCheck()),
    ("vector_store", _vector_store),
    ("index", _index),
]
