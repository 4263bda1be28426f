"""The whole system on Gemini, Pinecone and S3: real worker processes, the official SDKs, the contract servers.

The home begins with the local model and pgvector and moves in the first test, so that one start serves both.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from celery import Celery

from docmill.embedded.ports import free_port
from docmill.up.background import BackgroundSystem, background_system, own_environ
from tests.contract.gemini_server import GeminiServer
from tests.contract.pinecone_server import PineconeServer
from tests.contract.sentry_server import SentryServer
from tests.contract.wire import Fault
from tests.integration.tenant import Tenant

SAMPLES = Path(__file__).parents[2] / "docmill" / "samples"
OPTIONS = ("--workers", "1", "--concurrency", "2")
QUESTION = "Where does the heron stand?"


@dataclass
class Place:
    """Where the system lives, and what was uploaded before it moved: ids of a document found, and of one waiting."""

    home: Path
    port: int
    late: str = ""
    waiting: str = ""


@pytest.fixture(scope="module")
def gemini() -> Iterator[GeminiServer]:
    with GeminiServer() as server:
        yield server


@pytest.fixture(scope="module")
def pinecone() -> Iterator[PineconeServer]:
    with PineconeServer(delay=0.5) as server:
        yield server


@pytest.fixture(scope="module")
def sentry() -> Iterator[SentryServer]:
    with SentryServer() as server:
        yield server


@pytest.fixture(scope="module")
def environ(gemini: GeminiServer, pinecone: PineconeServer, sentry: SentryServer) -> dict[str, str]:
    return own_environ(
        {
            "EMBEDDER": "gemini",
            "GEMINI_API_KEY": gemini.key,
            "GEMINI_BASE_URL": gemini.url,
            "VECTOR_STORE": "pinecone",
            "PINECONE_API_KEY": pinecone.key,
            "PINECONE_INDEX": "production",
            "PINECONE_CONTROLLER_HOST": pinecone.url,
            "SENTRY_DSN": sentry.dsn,
            "SWEEP_SECONDS": "1",
        }
    )


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="docmill-test-") as folder:
        yield Place(Path(folder) / "home", free_port())


@pytest.fixture(scope="module")
def stack(environ: dict[str, str], place: Place) -> Iterator[BackgroundSystem]:
    with background_system(place.home, port=place.port, options=OPTIONS, environ=environ) as started:
        yield started


@pytest.fixture
def tenant(stack: BackgroundSystem) -> Iterator[Tenant]:
    """The tenant that the first start made."""
    key = stack.home.api_key()
    assert key is not None
    with Tenant(stack.url, key, lambda: None) as one:
        yield one


@pytest.fixture(autouse=True)
def _no_faults(gemini: GeminiServer, pinecone: PineconeServer) -> Iterator[None]:
    yield
    gemini.faults.replace([])


def _docmill(stack: BackgroundSystem, *arguments: str, environ: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-m", "docmill", *arguments, "--home", str(stack.home.path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ or own_environ(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def _stored(pinecone: PineconeServer, document_id: str) -> set[str]:
    """The ids that the index holds for a document, whichever tenant's."""
    index = pinecone.indexes["production"]
    return {one for name in list(index.namespaces) for one in index.metadata(name) if one.startswith(document_id)}


def _text(paragraphs: int, changed: int | None = None) -> bytes:
    """Paragraphs of about a hundred tokens, no sentence twice, one of them in other words."""
    words = ["harbour", "lantern", "meadow", "orchard", "quarry", "ribbon", "saddle", "thicket", "velvet", "walnut"]

    def sentence(paragraph: int, number: int) -> str:
        verb = "forgets" if paragraph == changed else "remembers"
        return f"Story {number} of the {words[(paragraph + number) % 10]} {verb} the winter of {1000 + paragraph * 7}."

    return "\n\n".join(
        " ".join(sentence(paragraph, number) for number in range(8)) for paragraph in range(paragraphs)
    ).encode()


def _note(number: int) -> bytes:
    sentences = [f"Note {number}.{line} says that the heron stands by weir {number}." for line in range(12)]
    return "\n\n".join(sentences).encode()


def _reindex(place: Place, environ: dict[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "docmill", "reindex", "--home", str(place.home)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_another_model_and_store_come_into_use_while_documents_come_go_and_are_found(
    place: Place, environ: dict[str, str], gemini: GeminiServer
) -> None:
    old = own_environ({"SWEEP_SECONDS": "1"})
    with background_system(place.home, port=place.port, options=OPTIONS, environ=old) as system:
        key = system.home.api_key()
        assert key is not None
        with Tenant(system.url, key, lambda: None) as tenant:
            known = [tenant.ingest(f"{number}.txt", _note(number)) for number in range(6)]

            # It stops where a part refuses, says so, and goes on from there when run again.
            gemini.faults.add(Fault(), Fault(), Fault(status=403, times=None))
            stopped = _reindex(place, environ)
            said, _ = stopped.communicate(timeout=120)
            assert stopped.returncode == 1
            assert "GEMINI_API_KEY" in said and "run 'docmill reindex' again" in " ".join(said.split())
            assert tenant.search(QUESTION), "the old index still answers"
            assert gemini.texts

            # Slowly now, so that documents come and go meanwhile.
            gemini.faults.replace([Fault(seconds=1.0, times=None)])
            running = _reindex(place, environ)
            late = tenant.ingest("late.txt", _note(77))
            place.late = late["document_id"]
            assert tenant.search("What does note 77.3 say?", top_k=1)[0]["document_id"] == place.late
            assert tenant.delete(f"/api/documents/{known[0]['document_id']}/").status_code == 204
            gemini.faults.replace([])
            said, _ = running.communicate(timeout=120)
            assert running.returncode == 0, said
            assert "in use: pinecone:production with gemini-embedding-001" in " ".join(said.split())
            assert len(gemini.texts) == len(set(gemini.texts)), "nothing is paid for twice"

            # The old processes refuse rather than answer wrongly, and leave new documents alone.
            refused = tenant.post("/api/search/", json={"query": QUESTION})
            assert (refused.status_code, refused.json()["code"]) == (503, "index_mismatch")
            place.waiting = tenant.upload("waiting.txt", _note(99)).json()["document_id"]


def test_after_the_move_nothing_is_missing_and_nothing_left_over(
    place: Place, tenant: Tenant, pinecone: PineconeServer
) -> None:
    if not place.waiting:
        pytest.skip("nothing was moved")
    assert tenant.wait(place.waiting)["status"] == "completed"
    assert tenant.search("What does note 77.3 say?", top_k=1)[0]["document_id"] == place.late
    documents = tenant.get("/api/documents/").json()["results"]
    assert len(documents) == 7
    wanted = {f"{one['document_id']}#{ordinal}" for one in documents for ordinal in range(one["chunks_total"])}
    index = pinecone.indexes["production"]
    _until(lambda: {one for name in list(index.namespaces) for one in index.metadata(name)} == wanted)


def test_a_document_goes_from_upload_to_search(tenant: Tenant, gemini: GeminiServer, pinecone: PineconeServer) -> None:
    document = tenant.ingest("ferry-handbook.pdf", (SAMPLES / "ferry-handbook.pdf").read_bytes())
    assert (document["status"], document["error"]) == ("completed", None)

    ids = _stored(pinecone, document["document_id"])
    assert ids == {f"{document['document_id']}#{number}" for number in range(document["chunks_total"])}

    hits = tenant.search("How long does the last evening boat wait for the train?", top_k=3)
    assert "twenty minutes" in " ".join(hit["text"] for hit in hits)
    assert {"RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY"} <= set(gemini.tasks)
    assert "ferry-handbook.pdf" in gemini.titles

    assert tenant.delete(f"/api/documents/{document['document_id']}/").status_code == 204
    found = tenant.search("How long does the last evening boat wait for the train?")
    assert document["document_id"] not in {hit["document_id"] for hit in found}
    _until(lambda: not _stored(pinecone, document["document_id"]))


def test_tenants_have_namespaces_of_their_own(
    stack: BackgroundSystem, tenant: Tenant, pinecone: PineconeServer
) -> None:
    document = tenant.ingest("mine.txt", _text(3))
    index = pinecone.indexes["production"]
    (namespace,) = [name for name in index.namespaces if f"{document['document_id']}#0" in index.metadata(name)]
    assert namespace.startswith("tenant-")
    name = f"tenant-{uuid4()}"
    _docmill(stack, "user", "create", name)
    with Tenant(stack.url, _docmill(stack, "apikey", "create", "--user", name), lambda: None) as stranger:
        assert stranger.search("Paragraph 1") == []


def test_throttling_is_waited_out_without_a_retry(
    tenant: Tenant, gemini: GeminiServer, pinecone: PineconeServer
) -> None:
    gemini.faults.add(Fault(status=429, retry_after=1, times=3))
    pinecone.indexes["production"].faults.add(
        Fault(status=429, retry_after=0.3, times=5, path="/vectors/upsert"),
        Fault(status=429, retry_after=0.3, times=5, path="/query"),
    )
    document = tenant.ingest("throttled.txt", _text(40))
    assert (document["status"], document["attempt"], document["retries"]) == ("completed", 1, 0)


def test_what_was_embedded_before_a_retry_is_not_embedded_again(tenant: Tenant, gemini: GeminiServer) -> None:
    """The first call fails for good while those behind it succeed; the retry pays for the first call's texts only."""
    seen = len(gemini.texts)
    gemini.faults.add(Fault(status=503, times=3, body="winter of 1000."))
    document = tenant.ingest("interrupted.txt", _text(300))
    assert (document["status"], document["retries"]) == ("completed", 1)
    assert document["chunks_total"] >= 300
    mine = [text for text, title in zip(gemini.texts[seen:], gemini.titles[seen:], strict=True) if title]
    assert len(mine) == len(set(mine)) == document["chunks_total"]


def test_trouble_with_the_index_is_retried_and_nothing_is_doubled(tenant: Tenant, pinecone: PineconeServer) -> None:
    pinecone.indexes["production"].faults.add(Fault(status=503, times=6, path="/vectors/upsert"))
    document = tenant.ingest("index-down.txt", _text(30))
    assert document["status"] == "completed"
    assert len(_stored(pinecone, document["document_id"])) == document["chunks_total"]


def test_a_changed_document_embeds_only_the_chunks_that_changed(tenant: Tenant, gemini: GeminiServer) -> None:
    first = tenant.ingest("report.txt", _text(60))
    seen = len(gemini.texts)
    second = tenant.ingest("report.txt", _text(60, changed=30))
    embedded = len(gemini.texts) - seen
    assert second["vectors_reused"] + embedded == second["chunks_total"]
    assert 0 < embedded < second["chunks_total"] / 4
    assert first["vectors_reused"] == 0


def test_a_wrong_key_fails_at_once_and_says_which(tenant: Tenant, gemini: GeminiServer) -> None:
    right, gemini.key = gemini.key, "another"
    try:
        document = tenant.ingest("no-key.txt", _text(3, changed=1))
    finally:
        gemini.key = right
    assert (document["status"], document["retries"]) == ("failed", 0)
    assert (document["error"]["code"], document["error"]["stage"]) == ("embedder_auth", "embedding")
    assert "GEMINI_API_KEY" in document["error"]["message"]

    assert tenant.post(f"/api/documents/{document['document_id']}/retry/").status_code == 202
    assert tenant.wait(document["document_id"])["status"] == "completed"


def test_a_quota_spent_for_the_day_fails_with_a_sentence_that_says_so(tenant: Tenant, gemini: GeminiServer) -> None:
    gemini.faults.add(Fault(status=429, retry_after=1, quota="EmbedContentRequestsPerDayPerProjectPerModel"))
    document = tenant.ingest("spent.txt", _text(3, changed=2))
    assert document["error"]["code"] == "embedder_quota"
    assert "quota for the day is spent" in document["error"]["message"]


def test_sentry_hears_once_of_a_document_that_fails_for_good(
    tenant: Tenant, gemini: GeminiServer, pinecone: PineconeServer, sentry: SentryServer
) -> None:
    """Three retries, one event; it names the document and repeats neither its text nor a key."""
    sentry.events.clear()
    gemini.faults.add(Fault(status=500, times=None))
    document = tenant.ingest("unlucky.txt", _text(4, changed=3))
    assert (document["status"], document["error"]["code"]) == ("failed", "embedder_unavailable")
    _until(lambda: bool(sentry.events))
    (event,) = sentry.events
    assert event["tags"].pop("tenant").isdecimal()
    assert event["tags"] == {
        "document": document["document_id"],
        "stage": "embedding",
        "attempt": "4",
        "task_id": document["task_id"],
        "code": "embedder_unavailable",
    }
    sent = b"\n".join(sentry.raw).decode()
    assert "Story" not in sent and "winter" not in sent
    assert gemini.key not in sent and pinecone.key not in sent
    assert "embedder_unavailable: Gemini answered 500" in sent


def test_sentry_hears_nothing_of_retries_that_succeed_or_of_faulty_documents(
    tenant: Tenant, gemini: GeminiServer, sentry: SentryServer
) -> None:
    sentry.events.clear()
    gemini.faults.add(Fault(status=500, times=4))
    document = tenant.ingest("lucky.txt", _text(4, changed=1))
    assert (document["status"], document["retries"] > 0) == ("completed", True)
    truncated = (SAMPLES / "ferry-handbook.pdf").read_bytes()[:3000]
    assert tenant.ingest("truncated.pdf", truncated)["error"]["code"] == "corrupt"
    assert sentry.events == []


def test_doctor_finds_everything_in_order(stack: BackgroundSystem, environ: dict[str, str]) -> None:
    assert "FAIL" not in _docmill(stack, "doctor", environ=environ)


def test_doctor_names_each_wrong_setting_and_the_fix(stack: BackgroundSystem, environ: dict[str, str]) -> None:
    running = stack.home.running()
    assert running is not None
    wrong = {
        "GEMINI_API_KEY": "",
        "PINECONE_API_KEY": "no",
        "S3_BUCKET": "nobodys-bucket",
        "EMBEDDING_DIMENSIONS": "1536",
    }
    command = [sys.executable, "-m", "docmill", "doctor"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environ | dict(running.environ) | wrong, check=False
    )
    said = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "GEMINI_API_KEY is not set" in said
    assert "Pinecone refused the key in PINECONE_API_KEY" in said
    assert "The bucket nobodys-bucket does not exist: run 'docmill setup'" in said
    assert "The index in use is pinecone:production with gemini-embedding-001 (768 dimensions)" in said
    assert "run 'docmill reindex'" in said.replace("Run", "run")


def test_deleting_a_document_that_waits_for_quota_frees_its_worker(
    stack: BackgroundSystem, tenant: Tenant, gemini: GeminiServer
) -> None:
    """Last in this module: the installation is paused for a minute afterwards."""
    gemini.faults.add(Fault(status=429, retry_after=60))
    accepted = tenant.upload("waiting.txt", _text(5, changed=4)).json()
    running = stack.home.running()
    assert running is not None
    broker = Celery(broker=f"{running.environ['REDIS_URL']}/0", set_as_current=False)

    def active() -> list[str]:
        answers = broker.control.inspect(timeout=0.5).active() or {}
        return [task["id"] for tasks in answers.values() for task in tasks]

    refused = gemini.calls.total()
    _until(lambda: gemini.calls.total() >= refused and accepted["task_id"] in active())
    assert tenant.delete(f"/api/documents/{accepted['document_id']}/").status_code == 204
    _until(lambda: accepted["task_id"] not in active(), seconds=15)
    assert tenant.get(f"/api/documents/{accepted['document_id']}/").status_code == 404
