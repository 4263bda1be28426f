"""From the local model and pgvector to Gemini and Pinecone, while documents come in and searches go on."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from docmill.embedded.ports import free_port
from docmill.up.background import background_system, own_environ
from tests.contract.gemini_server import GeminiServer
from tests.contract.pinecone_server import PineconeServer
from tests.contract.wire import Fault
from tests.integration.tenant import Tenant

OPTIONS = ("--workers", "1", "--concurrency", "1")
QUESTION = "Where does the heron stand?"


def text(number: int) -> bytes:
    sentences = [f"Note {number}.{line} says that the heron stands by weir {number}." for line in range(12)]
    return "\n\n".join(sentences).encode()


def reindex(home: Path, environ: dict[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "docmill", "reindex", "--home", str(home)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_another_model_and_store_come_into_use_without_losing_a_document_or_an_answer() -> None:
    with (
        GeminiServer() as gemini,
        PineconeServer(delay=0.3) as pinecone,
        tempfile.TemporaryDirectory(prefix="docmill-test-") as folder,
    ):
        home, port = Path(folder) / "home", free_port()
        old = own_environ({"SWEEP_SECONDS": "1"})
        new = old | {
            "EMBEDDER": "gemini",
            "GEMINI_API_KEY": gemini.key,
            "GEMINI_BASE_URL": gemini.url,
            "VECTOR_STORE": "pinecone",
            "PINECONE_API_KEY": pinecone.key,
            "PINECONE_CONTROLLER_HOST": pinecone.url,
        }
        with background_system(home, port=port, options=OPTIONS, environ=old) as system:
            key = system.home.api_key()
            assert key is not None
            with Tenant(system.url, key, lambda: None) as tenant:
                known = [tenant.ingest(f"{number}.txt", text(number)) for number in range(6)]

                # It stops where a part refuses, says so, and goes on from there when run again.
                gemini.faults.add(Fault(), Fault(), Fault(status=403, times=None))
                stopped = reindex(home, new)
                said, _ = stopped.communicate(timeout=120)
                assert stopped.returncode == 1
                assert "GEMINI_API_KEY" in said and "run 'docmill reindex' again" in " ".join(said.split())
                assert tenant.search(QUESTION), "the old index still answers"
                gemini.faults.replace([Fault(seconds=1.0, times=None)])
                embedded = len(gemini.texts)
                assert embedded > 0

                # Slowly now: meanwhile documents come, go, and are found.
                running = reindex(home, new)
                late = tenant.ingest("late.txt", text(77))
                assert tenant.search("What does note 77.3 say?", top_k=1)[0]["document_id"] == late["document_id"]
                assert tenant.delete(f"/api/documents/{known[0]['document_id']}/").status_code == 204
                while running.poll() is None:
                    answer = tenant.post("/api/search/", json={"query": QUESTION})
                    if answer.status_code != 200:
                        break
                    time.sleep(0.1)
                gemini.faults.replace([])
                said, _ = running.communicate(timeout=120)
                assert running.returncode == 0, said
                assert "in use: pinecone with gemini-embedding-001" in " ".join(said.split())
                assert len(gemini.texts) == len(set(gemini.texts)), "nothing is paid for twice"

                # The old processes refuse rather than answer wrongly, and leave new documents alone.
                refused = tenant.post("/api/search/", json={"query": QUESTION})
                assert (refused.status_code, refused.json()["code"]) == (503, "index_mismatch")
                waiting = tenant.upload("waiting.txt", text(99)).json()

        with (
            background_system(home, port=port, options=OPTIONS, environ=new) as system,
            Tenant(system.url, key, lambda: None) as tenant,
        ):
            assert tenant.wait(waiting["document_id"])["status"] == "completed"
            hits = tenant.search("What does note 77.3 say?", top_k=1)
            assert hits[0]["document_id"] == late["document_id"]

            documents = tenant.get("/api/documents/").json()["results"]
            wanted = {
                f"{document['document_id']}#{ordinal}"
                for document in documents
                for ordinal in range(document["chunks_total"])
            }
            assert len(documents) == 7
            index = pinecone.indexes["docmill"]
            deadline = time.monotonic() + 30
            while (stored := {one for name in list(index.namespaces) for one in index.metadata(name)}) != wanted:
                assert time.monotonic() < deadline, stored ^ wanted
                time.sleep(0.2)
