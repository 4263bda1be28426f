"""The whole system on Gemini, Pinecone and S3: real worker processes, the official SDKs, the contract servers.

One system serves all tests. A document that fails for good takes four attempts, which run beside the first tests; the
last test moves to another index, after which the system's own processes refuse to work.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from celery import Celery
from django.contrib.auth.models import User
from pytest_django import DjangoDbBlocker

from docmill.cli.background import BackgroundSystem, background_system, own_environ
from docmill.documents.models import ApiKey
from docmill.embedded.ports import free_port
from docmill.up.processes import node_name, web_command, worker_command
from tests.contract.gemini_server import GeminiServer
from tests.contract.pinecone_server import PineconeServer
from tests.contract.sentry_server import SentryServer
from tests.contract.wire import Fault
from tests.database import models_work_on
from tests.integration.conftest import database_url
from tests.integration.tenant import Tenant

SAMPLES = Path(__file__).parents[2] / "docmill" / "samples"
OPTIONS = ("--workers", "1", "--concurrency", "1")
QUESTION = "Where does the heron stand?"
UNLUCKY = Fault(status=500, times=None, body="The wreck lies off the northern shoal.")


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
def stack(environ: dict[str, str]) -> Iterator[BackgroundSystem]:
    with tempfile.TemporaryDirectory(prefix="docmill-test-") as folder:
        home = Path(folder) / "home"
        with background_system(home, port=free_port(), options=OPTIONS, environ=environ) as started:
            yield started


@pytest.fixture(scope="module")
def tenant(stack: BackgroundSystem) -> Iterator[Tenant]:
    """The tenant that the first start made."""
    key = stack.home.api_key()
    assert key is not None
    with Tenant(stack.url, key, lambda: None) as one:
        yield one


@pytest.fixture(scope="module", autouse=True)
def unlucky(tenant: Tenant, gemini: GeminiServer) -> str:
    """The id of a document whose text Gemini never embeds, uploaded before all others."""
    gemini.faults.replace([UNLUCKY])
    document_id: str = tenant.upload("unlucky.txt", UNLUCKY.body.encode()).json()["document_id"]
    return document_id


@pytest.fixture(autouse=True)
def _no_other_faults(gemini: GeminiServer, pinecone: PineconeServer) -> Iterator[None]:
    yield
    gemini.faults.replace([UNLUCKY])
    pinecone.indexes["production"].faults.replace([])


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def _stored(pinecone: PineconeServer, document_id: str = "", index: str = "production") -> set[str]:
    """The ids that an index holds, of one document or of all, whichever tenant's."""
    held = pinecone.indexes[index]
    return {one for name in list(held.namespaces) for one in held.metadata(name) if one.startswith(document_id)}


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


def test_a_document_goes_from_upload_to_search(tenant: Tenant, gemini: GeminiServer, pinecone: PineconeServer) -> None:
    document = tenant.ingest("ferry-handbook.pdf", (SAMPLES / "ferry-handbook.pdf").read_bytes())
    assert (document["status"], document["error"]) == ("completed", None)

    ids = _stored(pinecone, document["document_id"])
    assert ids == {f"{document['document_id']}#{number}" for number in range(document["chunks_total"])}

    hits = tenant.search("How long does the last evening boat wait for the train?", top_k=3)
    assert "twenty minutes" in " ".join(hit["text"] for hit in hits)
    assert {"RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY"} <= set(gemini.tasks)
    assert set(filter(None, gemini.titles)) == {"Sandmere Island Ferry: Crew Handbook"}, (
        "the title that its author gave"
    )

    assert tenant.delete(f"/api/documents/{document['document_id']}/").status_code == 204
    found = tenant.search("How long does the last evening boat wait for the train?")
    assert document["document_id"] not in {hit["document_id"] for hit in found}
    _until(lambda: not _stored(pinecone, document["document_id"]))


def test_tenants_have_namespaces_of_their_own(
    stack: BackgroundSystem, tenant: Tenant, pinecone: PineconeServer, django_db_blocker: DjangoDbBlocker
) -> None:
    document = tenant.ingest("mine.txt", _text(3))
    index = pinecone.indexes["production"]
    (namespace,) = [name for name in index.namespaces if f"{document['document_id']}#0" in index.metadata(name)]
    assert namespace.startswith("tenant-")
    with django_db_blocker.unblock(), models_work_on(database_url(stack)):
        key = ApiKey.create(User.objects.create_user(f"tenant-{uuid4()}"))[1]
    with Tenant(stack.url, key, lambda: None) as stranger:
        assert stranger.search("Paragraph 1") == []


def test_throttling_is_waited_out_without_a_retry(
    tenant: Tenant, gemini: GeminiServer, pinecone: PineconeServer
) -> None:
    gemini.faults.add(Fault(status=429, retry_after=1, times=2))
    pinecone.indexes["production"].faults.add(
        Fault(status=429, retry_after=0.2, times=5, path="/vectors/upsert"),
        Fault(status=429, retry_after=0.2, times=5, path="/query"),
    )
    document = tenant.ingest("throttled.txt", _text(40))
    assert (document["status"], document["attempt"], document["retries"]) == ("completed", 1, 0)


def test_what_was_embedded_before_a_retry_is_not_embedded_again(tenant: Tenant, gemini: GeminiServer) -> None:
    """The first call fails for good while those behind it succeed; the retry pays for the first call's texts only."""
    seen = len(gemini.texts)
    gemini.faults.add(Fault(status=503, times=3, body="winter of 1000."))
    document = tenant.ingest("interrupted.txt", _text(210))
    assert (document["status"], document["retries"]) == ("completed", 1)
    assert document["chunks_total"] > 200, "more than two calls"
    mine = [text for text, title in zip(gemini.texts[seen:], gemini.titles[seen:], strict=True) if title]
    assert len(mine) == len(set(mine)) == document["chunks_total"]


def test_trouble_with_the_index_is_retried_and_nothing_is_doubled(tenant: Tenant, pinecone: PineconeServer) -> None:
    pinecone.indexes["production"].faults.add(Fault(status=503, times=4, path="/vectors/upsert"))
    document = tenant.ingest("index-down.txt", _text(30))
    assert (document["status"], document["retries"]) == ("completed", 1)
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


def test_sentry_hears_nothing_of_retries_that_succeed_or_of_faulty_documents(
    tenant: Tenant, gemini: GeminiServer, sentry: SentryServer
) -> None:
    gemini.faults.add(Fault(status=500, times=3))
    lucky = tenant.ingest("lucky.txt", _text(4, changed=1))
    assert (lucky["status"], lucky["retries"]) == ("completed", 1)
    truncated = tenant.ingest("truncated.pdf", (SAMPLES / "ferry-handbook.pdf").read_bytes()[:3000])
    assert truncated["error"]["code"] == "corrupt"
    told = {event["tags"]["document"] for event in sentry.events}
    assert told.isdisjoint({lucky["document_id"], truncated["document_id"]})


WRONG = {
    "GEMINI_API_KEY": "",
    "PINECONE_API_KEY": "no",
    "S3_BUCKET": "nobodys-bucket",
    "EMBEDDING_DIMENSIONS": "1536",
}


@pytest.fixture(scope="module")
def doctors(stack: BackgroundSystem, environ: dict[str, str]) -> list[tuple[int, str]]:
    """The exit status and the words, in one line, of `docmill doctor` with the right settings and with wrong ones."""
    running = stack.home.running()
    assert running is not None
    command, right = [sys.executable, "-m", "docmill", "doctor"], environ | dict(running.environ)
    asked = [subprocess.Popen(command, env=one, stdout=subprocess.PIPE, text=True) for one in (right, right | WRONG)]
    said = [process.communicate(timeout=60)[0] for process in asked]
    return [(process.returncode, " ".join(words.split())) for process, words in zip(asked, said, strict=True)]


def test_doctor_finds_everything_in_order(doctors: list[tuple[int, str]]) -> None:
    status, said = doctors[0]
    assert status == 0, said
    assert "FAIL" not in said


def test_doctor_names_each_wrong_setting_and_the_fix(doctors: list[tuple[int, str]]) -> None:
    status, said = doctors[1]
    assert status == 1
    assert "GEMINI_API_KEY is not set" in said
    assert "Pinecone refused the key in PINECONE_API_KEY" in said
    assert "The bucket nobodys-bucket does not exist: run 'docmill setup'" in said
    assert "The index in use is pinecone:production with gemini-embedding-001 (768 dimensions)" in said
    assert "run 'docmill reindex'" in said.replace("Run", "run")


def _broker(stack: BackgroundSystem) -> Celery:
    running = stack.home.running()
    assert running is not None
    return Celery(broker=f"{running.environ['REDIS_URL']}/0", set_as_current=False)


def test_deleting_a_document_that_waits_for_a_throttled_part_frees_its_worker(
    stack: BackgroundSystem, tenant: Tenant, pinecone: PineconeServer
) -> None:
    index = pinecone.indexes["production"]
    index.faults.add(Fault(status=429, retry_after=60, times=None, path="/vectors/upsert"))
    before = index.calls["POST /vectors/upsert"]
    accepted = tenant.upload("waiting.txt", _text(5, changed=4)).json()
    inspect = _broker(stack).control.inspect(timeout=0.5)

    def active() -> list[str]:
        answers = inspect.active() or {}
        return [task["id"] for tasks in answers.values() for task in tasks]

    _until(lambda: index.calls["POST /vectors/upsert"] > before and accepted["task_id"] in active())
    assert tenant.delete(f"/api/documents/{accepted['document_id']}/").status_code == 204
    _until(lambda: accepted["task_id"] not in active(), seconds=15)
    assert tenant.get(f"/api/documents/{accepted['document_id']}/").status_code == 404


def test_sentry_hears_once_of_a_document_that_fails_for_good(
    tenant: Tenant, gemini: GeminiServer, pinecone: PineconeServer, sentry: SentryServer, unlucky: str
) -> None:
    """Three retries, one event; it names the document and repeats neither its text nor a key."""
    document = tenant.wait(unlucky)
    assert (document["status"], document["error"]["code"]) == ("failed", "embedder_unavailable")
    _until(lambda: any(event["tags"]["document"] == unlucky for event in sentry.events))
    (event,) = [event for event in sentry.events if event["tags"]["document"] == unlucky]
    assert event["tags"].pop("tenant").isdecimal()
    assert event["tags"] == {
        "document": unlucky,
        "stage": "embedding",
        "attempt": "4",
        "task_id": document["task_id"],
        "code": "embedder_unavailable",
    }
    sent = b"\n".join(sentry.raw).decode()
    assert "wreck" not in sent and "shoal" not in sent and "Story" not in sent
    assert gemini.key not in sent and pinecone.key not in sent
    assert "embedder_unavailable: Gemini answered 500" in sent


def _reindex(stack: BackgroundSystem, environ: dict[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "docmill", "reindex", "--home", str(stack.home.path)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@contextmanager
def _started_again(stack: BackgroundSystem, environ: dict[str, str]) -> Iterator[str]:
    """A web process and a worker on the same servers with other settings; the address of the first. The system's own
    worker is stopped, and does not come back: it refuses to start."""
    running, port = stack.home.running(), free_port()
    assert running is not None
    commands = [web_command("127.0.0.1", port), worker_command("new@%h", 1)]
    everything = {**running.environ, **environ}
    processes = [subprocess.Popen(command, env=everything) for command in commands]

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/healthz").is_success
        except httpx.HTTPError:
            return False

    try:
        _broker(stack).control.shutdown([node_name("worker-1")])
        _until(lambda: any("worker-1: ended with 1" in line for line in stack.lines()))
        _until(answers, seconds=60)
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def test_another_index_comes_into_use_while_documents_come_go_and_are_found(
    stack: BackgroundSystem, tenant: Tenant, environ: dict[str, str], gemini: GeminiServer, pinecone: PineconeServer
) -> None:
    """Last in this module: the system's own processes keep the old settings and refuse to work from then on."""
    new = environ | {"EMBEDDING_DIMENSIONS": "1536", "PINECONE_INDEX": "next"}
    known = [tenant.ingest(f"{number}.txt", _note(number)) for number in range(4)]

    # It stops where a part refuses, says so, and goes on from there when run again.
    gemini.faults.replace([Fault(status=403, times=None, body="Note 3.1 ")])
    stopped = _reindex(stack, new)
    said, _ = stopped.communicate(timeout=120)
    assert stopped.returncode == 1
    assert "GEMINI_API_KEY" in said and "run 'docmill reindex' again" in " ".join(said.split())
    gemini.faults.replace([])
    assert tenant.search(QUESTION), "the old index still answers"
    assert 0 < len(_stored(pinecone, index="next")) < len(_stored(pinecone))

    # Held at one document, so that others come and go meanwhile.
    gemini.faults.replace([Fault(seconds=3.0, body="Note 3.1 ")])
    running = _reindex(stack, new)
    _until(lambda: not gemini.faults.left())
    late = tenant.ingest("late.txt", _note(77))
    assert tenant.search("What does note 77.3 say?", top_k=1)[0]["document_id"] == late["document_id"]
    assert tenant.delete(f"/api/documents/{known[0]['document_id']}/").status_code == 204
    assert running.poll() is None, "all this was meanwhile"
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 0, said
    assert "in use: pinecone:next with gemini-embedding-001 (1536 dimensions)" in " ".join(said.split())
    embedded = [text for text, size in zip(gemini.texts, gemini.dimensions, strict=True) if size == 1536]
    notes = [text for text in embedded if "heron" in text]
    assert len(notes) == len(set(notes)) > 0, "nothing is paid for twice"

    # The old processes refuse rather than answer wrongly, and leave new documents alone.
    refused = tenant.post("/api/search/", json={"query": QUESTION})
    assert (refused.status_code, refused.json()["code"]) == (503, "index_mismatch")
    waiting = tenant.upload("waiting.txt", _note(99)).json()["document_id"]

    with _started_again(stack, new) as url, Tenant(url, stack.home.api_key() or "", lambda: None) as again:
        assert again.wait(waiting)["status"] == "completed"
        for number, document_id in ((77, late["document_id"]), (99, waiting)):
            assert again.search(f"What does note {number}.3 say?", top_k=1)[0]["document_id"] == document_id
        documents = again.get("/api/documents/").json()["results"]
    completed = [one for one in documents if one["status"] == "completed"]
    assert {known[1]["document_id"], late["document_id"], waiting} <= {one["document_id"] for one in completed}
    wanted = {f"{one['document_id']}#{ordinal}" for one in completed for ordinal in range(one["chunks_total"])}
    _until(lambda: _stored(pinecone, index="next") == wanted)
