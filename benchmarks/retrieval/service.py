"""docmill itself: a running system, each paragraph uploaded as a document, questions asked over HTTP."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.retrieval.peers import DEEP, Ranker
from benchmarks.retrieval.question_sets import QuestionSet
from docmill.cli.background import BackgroundSystem, background_system, own_environ
from docmill.cli.client import ENDED, Client
from docmill.embedded.ports import free_port

_AT_ONCE = 4
_ASK_EVERY = 1.0


@contextmanager
def running_docmill(model: str) -> Iterator[BackgroundSystem]:
    """`docmill up` in a temporary home with that local model."""
    with tempfile.TemporaryDirectory(prefix="docmill-bench-") as folder:
        environ = own_environ({"LOCAL_MODEL": model})
        with background_system(Path(folder) / "home", port=free_port(), environ=environ) as system:
            yield system


def database_url(system: BackgroundSystem) -> str:
    """The system's PostgreSQL."""
    running = system.home.running()
    assert running is not None
    return running.environ["DATABASE_URL"]


def docmill(system: BackgroundSystem, questions: QuestionSet) -> Ranker:
    """A tenant of its own with the set's paragraphs; a question's hits in the order that the search answers.

    Raises RuntimeError when a paragraph cannot be ingested.
    """
    client = Client(system.url, _key(system, questions.name))
    numbers: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(_AT_ONCE) as threads:

        def upload(number: int) -> None:
            file = Path(folder, f"{number}.txt")
            file.write_text(questions.paragraphs[number], encoding="utf-8")
            numbers[client.ingest(file)["document_id"]] = number

        list(threads.map(upload, range(len(questions.paragraphs))))
    _wait_for(client, list(numbers))
    return lambda question: [numbers[hit["document_id"]] for hit in client.search(question, top_k=DEEP)]


def _wait_for(client: Client, documents: Sequence[str]) -> None:
    for document_id in documents:
        while (document := client.document(document_id))["status"] not in ENDED:
            time.sleep(_ASK_EVERY)
        if document["status"] != "completed":
            raise RuntimeError(f"{document['filename']} failed: {document['error']}")


def _key(system: BackgroundSystem, user: str) -> str:
    command = [sys.executable, "-m", "docmill"]
    home = ["--home", str(system.home.path)]
    subprocess.run([*command, "user", "create", user, *home], check=True, capture_output=True)
    made = subprocess.run(
        [*command, "apikey", "create", "--user", user, *home], check=True, capture_output=True, text=True
    )
    return made.stdout.strip()
