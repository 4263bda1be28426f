"""`docmill doctor`: look at each part as this process's settings name it, and say what to do where one fails.

Adds to the checks of `/readyz` what only a person wants to wait for: workers, a task's round trip, the sandbox, disk
space.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from docmill.api.health import Check, checks

TASK_SECONDS = 10.0
TEMP_BYTES_WANTED = 1 << 30
_ADVICE = {
    "secret key": "Make one, the same for all processes: docs/production.md says how.",
    "database": "Start the system with 'docmill up', or set DATABASE_URL to a PostgreSQL with pgvector"
    " and run 'docmill setup'.",
    "broker": "Start the system with 'docmill up', or set REDIS_URL (without a database number).",
    "results": "The result backend is database 1 of REDIS_URL: check that the server allows it.",
    "storage": "Check S3_BUCKET, S3_ENDPOINT_URL and the AWS_* variables; 'docmill setup' makes a missing bucket.",
    "storage access": "Let these credentials put, get and delete objects: docs/production.md has the policy.",
    "embedder": "Check EMBEDDER and, for Gemini, GEMINI_API_KEY.",
    "vector_store": "Check VECTOR_STORE and, for Pinecone, PINECONE_API_KEY and PINECONE_INDEX;"
    " run 'docmill setup-index'.",
    "index": "docs/production.md says how to change the embedder, the vector store or the index.",
    "workers": "Start at least one with 'docmill worker', on the same REDIS_URL.",
    "housekeeping": "Start one with 'docmill housekeeping': without it nobody finds documents that a worker lost.",
    "task round trip": "Workers must share REDIS_URL and the code's version with this process; see their logs.",
    "extractor": "Reinstall docmill on this machine; the log of the extractor is above.",
    "sandbox": "Each line above says what to do for its wall.",
    "temporary files": "Free some space, or point DOCMILL_TEMP_DIR at a larger disk.",
}


def diagnose() -> Iterator[Check]:
    """Every check, `message` ending with what to do where it failed."""
    import docmill.worker  # noqa: F401 (Celery cannot be imported by several threads at once)

    with ThreadPoolExecutor(len(_OWN)) as threads:
        own = [threads.submit(_look, name, look) for name, look in _OWN]
        for check in (*checks(), *(one.result() for one in own)):
            yield check if check.ok else Check(check.name, False, f"{check.message}\n→ {_ADVICE.get(check.name, '')}")


def _look(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except Exception as error:
        return Check(name, False, f"{type(error).__name__}: {error}".rstrip(": "))


def _storage_access() -> str:
    from docmill import adapters

    adapters.originals().check()  # some storages make a missing bucket when they are written to
    adapters.originals().probe()
    return "writes, reads and deletes"


def _queue_readers(queue: str) -> str:
    from docmill.worker import celery_app

    answers = celery_app.control.inspect(timeout=2).active_queues() or {}
    nodes = [node for node, queues in answers.items() if queue in (entry["name"] for entry in queues)]
    if not nodes:
        raise RuntimeError(f"no worker reads the queue '{queue}'")
    return ", ".join(sorted(nodes))


def _workers() -> str:
    return _queue_readers("documents")


def _housekeeping() -> str:
    return _queue_readers("housekeeping")


def _task_round_trip() -> str:
    from docmill.api.tasks import test_celery

    answer = test_celery.apply_async(args=("doctor",), expires=TASK_SECONDS).get(timeout=TASK_SECONDS)
    if answer != "doctor":
        raise RuntimeError(f"test_celery answered {answer!r}")
    return "answered"


def _extractor() -> str:
    from docmill import adapters

    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("docmill doctor")
        file.flush()
        with adapters.extractor().open(Path(file.name), "text/plain") as extraction:
            read = "".join(page.text for page in extraction)
    adapters.extractor().close()
    if "docmill doctor" not in read:
        raise RuntimeError(f"the extractor read {read!r}")
    return "reads in its sandbox"


def _sandbox() -> str:
    """The walls that stand. Raises for those that are missing, though best effort goes on without them."""
    from django.conf import settings

    from docmill import adapters

    found = adapters.walls()
    if found.missing:
        raise RuntimeError("\n".join((*found.sentences(), f"SANDBOX={settings.SANDBOX} (see SECURITY.md).")))
    return ", ".join(found.standing)


def _temporary_files() -> str:
    from django.conf import settings

    free = shutil.disk_usage(settings.TEMP_DIR).free
    if not os.access(settings.TEMP_DIR, os.W_OK):
        raise PermissionError(f"{settings.TEMP_DIR} cannot be written")
    if free < TEMP_BYTES_WANTED:
        raise RuntimeError(f"{free >> 20} MB free in {settings.TEMP_DIR}, less than {TEMP_BYTES_WANTED >> 20} MB")
    return f"{free >> 30} GB free in {settings.TEMP_DIR}"


def _secret_key() -> str:
    from django.conf import settings

    if settings.SECRET_KEY.startswith("insecure"):
        raise RuntimeError("SECRET_KEY is not set")
    return "set"


_OWN: list[tuple[str, Callable[[], str]]] = [
    ("secret key", _secret_key),
    ("storage access", _storage_access),
    ("workers", _workers),
    ("housekeeping", _housekeeping),
    ("task round trip", _task_round_trip),
    ("extractor", _extractor),
    ("sandbox", _sandbox),
    ("temporary files", _temporary_files),
]
