"""Every kind of fault of the long run, by name; each is called at a random moment and returns when it is over."""

import contextlib
import random
import time
from collections.abc import Callable
from functools import partial
from itertools import count

import httpx
import psutil

from tests.contract.wire import Fault, Faults
from tests.faults.installation import WORKERS, Installation, poison, prose, wait_until
from tests.faults.recovery import Recovery

POISONS = {
    "crashes its reader": "segfault",
    "hangs": "hang",
    "eats memory": "eat_memory",
    "kills its worker": "kill_worker",
}
Inject = Callable[[], None]


class Injections:
    """The faults for one installation. `accepted` gets the ids of what is uploaded here (True once deleted)."""

    def __init__(
        self, installation: Installation, recovery: Recovery, draw: random.Random, accepted: dict[str, bool]
    ) -> None:
        self._here = installation
        self._recovery = recovery
        self._draw = draw
        self._accepted = accepted
        self._number = count(draw.randrange(10**9))
        self.poisoned: set[str] = set()
        self.wrong: list[str] = []

    def by_name(self) -> dict[str, Inject]:
        return self._processes() | self._servers() | self._machine() | self._users() | self._parts()

    def _processes(self) -> dict[str, Inject]:
        here = self._here
        return {
            "kill -9 of every worker's child": self._in_work(
                self._recovery.timed("a killed child", here.kill_children)
            ),
            "kill -9 of one child": self._recovery.timed("a killed child", self._kill_one_child),
            "kill -9 of a whole worker": self._in_work(self._recovery.timed("a killed worker", self._kill_worker)),
            "SIGTERM of a worker": self._terminate_worker,
            "workers frozen for 5 s": self._freeze_workers,
            "workers' children out of memory": here.starve_children,
            "kill -9 of the extractors": here.kill_extractors,
            "kill -9 of web": here.restart_web,
            "housekeeping (beat) away for 10 s": self._kill_housekeeping,
        }

    def _servers(self) -> dict[str, Inject]:
        here = self._here
        return {
            "broker emptied": self._recovery.of_emptied_broker(here.flush_broker),
            "broker killed, back empty": self._recovery.of_emptied_broker(here.lose_broker),
            "broker without memory for 5 s": self._starve_broker,
            "broker killed, back after 3 s": lambda: here.restart(here.valkey, 3, kill=True),
            "broker away for 30 s": lambda: here.restart(here.valkey, 30, kill=False),
            "database killed, back after 2 s": lambda: here.restart(here.postgres, 2, kill=True),
            "database connections cut": here.cut_connections,
            "storage killed, back after 10 s": lambda: here.restart(here.s3, 10, kill=True),
        }

    def _machine(self) -> dict[str, Inject]:
        disk = {"disk for temporary files full for 5 s": self._fill_disk} if self._here.has_small_disk else {}
        return disk | {
            "clock an hour ahead for 8 s": lambda: self._shift_clock(3600),
            "clock an hour behind for 8 s": lambda: self._shift_clock(-3600),
        }

    def _users(self) -> dict[str, Inject]:
        poisons = {f"document that {what}": partial(self._upload_poison, order) for what, order in POISONS.items()}
        return poisons | {
            "message enqueued four times": self._enqueue_four_times,
            "document deleted while in work": self._delete,
            "document tried again and sent again while in work": self._meddle,
            "failed documents tried again": self._retry_failed,
            "same file ten times at once": self._upload_ten_times,
        }

    def _parts(self) -> dict[str, Inject]:
        if not self._here.pinecone or not self._here.gemini:
            return {"vector table refuses half of the records for 5 s": self._refuse_records}
        index, gemini = self._here.pinecone.indexes["faults"].faults, self._here.gemini.faults
        return {
            "embedder throttles (429, 2 s)": lambda: gemini.add(Fault(status=429, retry_after=2, times=6)),
            "embedder answers 500 for 5 s": lambda: self._for_a_while(gemini, Fault(status=500, times=None)),
            "embedder hangs for 20 s": lambda: gemini.add(Fault(seconds=20, cut=True, times=3)),
            "vector store takes half of each batch for 5 s": lambda: self._for_a_while(
                index, Fault(status=503, half=True, times=None, path="/vectors/upsert")
            ),
            "vector store answers 503 for 5 s": lambda: self._for_a_while(index, Fault(status=503, times=None)),
        }

    # --- processes ---

    def _in_work(self, inject: Inject) -> Inject:
        """The fault in the middle of a document's work: one for each worker comes for it."""

        def upload_and_inject() -> None:
            busy = [self._here.upload("busy.txt", prose(next(self._number), 800)) for _ in range(WORKERS)]
            self._accepted.update(dict.fromkeys(busy, False))
            with contextlib.suppress(AssertionError):  # then it hits what it hits
                wait_until(lambda: all(self._here.document(one).get("attempt") for one in busy), 20, "they are in work")
            inject()

        return upload_and_inject

    def _kill_one_child(self) -> None:
        if children := self._here.worker_children():
            with contextlib.suppress(psutil.NoSuchProcess):
                self._draw.choice(children).kill()

    def _kill_worker(self) -> None:
        name = self._draw.choice(["worker-0", "worker-1"])
        self._here.kill_worker(name)
        self._here.start_again(name)

    def _terminate_worker(self) -> None:
        name = self._draw.choice(["worker-0", "worker-1"])
        began = time.monotonic()
        self._here.terminate_worker(name)
        self._recovery.note("a worker's exit after SIGTERM", time.monotonic() - began)
        self._here.start_again(name)

    def _kill_housekeeping(self) -> None:
        self._here.kill("housekeeping")
        time.sleep(10)
        self._here.start_again("housekeeping")

    def _freeze_workers(self) -> None:
        with self._here.frozen_workers():
            time.sleep(5)

    def _starve_broker(self) -> None:
        with self._here.broker_without_memory():
            time.sleep(5)

    # --- the machine ---

    def _shift_clock(self, seconds: float) -> None:
        with self._here.clock_off(seconds):
            time.sleep(8)

    def _fill_disk(self) -> None:
        with self._here.full_disk():
            time.sleep(5)

    # --- users ---

    def _upload_poison(self, order: str) -> None:
        document_id = self._here.upload("poison.txt", poison(next(self._number), order))
        self._accepted[document_id] = False
        self.poisoned.add(document_id)

    def _enqueue_four_times(self) -> None:
        if document_id := self._some_document("processing"):
            self._here.enqueue_twice(document_id)

    def _delete(self) -> None:
        document_id = self._some_document("processing") or self._some_document("completed")
        while document_id:
            try:
                answer = self._here.http.delete(f"/api/documents/{document_id}/")
            except httpx.HTTPError:
                continue
            if answer.status_code in (204, 404):
                self._accepted[document_id] = True
                self._look_for(document_id)
                return
            time.sleep(0.2)

    def _look_for(self, document_id: str) -> None:
        """From the answer on a deleted document is not found."""
        with contextlib.suppress(httpx.HTTPError):
            found = self._here.http.post("/api/search/", json={"query": "What was noted in this case?", "top_k": 50})
            hits = found.json()["results"] if found.is_success else []
            if document_id in {hit["document_id"] for hit in hits}:
                self.wrong.append(f"{document_id} was found after it was deleted")

    def _meddle(self) -> None:
        """Its owner asks for another try of what is in work, and sends it once more: the first is refused, the second
        is the same document."""
        name, content = "meddled.txt", prose(next(self._number), 400)
        document_id = self._here.upload(name, content)
        self._accepted[document_id] = False
        with contextlib.suppress(AssertionError, httpx.HTTPError):
            wait_until(lambda: self._here.document(document_id).get("attempt"), 20, "it is in work")
            asked = self._here.http.post(f"/api/documents/{document_id}/retry/")
            after = self._here.document(document_id)
            if asked.status_code == 202 and after.get("error") is None and after.get("attempt") == 1:
                self.wrong.append(f"{document_id} was tried again while it was in work")
        if (again := self._here.upload(name, content)) != document_id:
            self.wrong.append(f"{document_id} became {again} when it was sent again")

    def _retry_failed(self) -> None:
        with contextlib.suppress(httpx.HTTPError):
            failed = self._here.http.get("/api/documents/?status=failed&limit=100").raise_for_status().json()
            for document in failed["results"]:
                self._here.http.post(f"/api/documents/{document['document_id']}/retry/")

    def _upload_ten_times(self) -> None:
        for document_id in self._here.upload_at_once("same.txt", prose(next(self._number), 10), 10):
            self._accepted.setdefault(document_id, False)

    def _some_document(self, status: str) -> str | None:
        query = (
            "SELECT d.id::text FROM api_document d JOIN auth_user u ON u.id = d.user_id WHERE u.username = 'local'"
            " AND status = %s AND deleted_at IS NULL ORDER BY claimed_at IS NULL, random() LIMIT 1"
        )
        with self._here.database() as database:
            row = database.execute(query, (status,)).fetchone()
        return row[0] if row else None

    # --- the parts ---

    def _for_a_while(self, faults: Faults, fault: Fault) -> None:
        faults.add(fault)
        time.sleep(5)
        faults.replace([])

    def _refuse_records(self) -> None:
        """A rule that no record with an odd number keeps, as a table might have by mistake."""
        with self._here.database() as database:
            ((table,),) = database.execute(
                "SELECT tablename FROM pg_tables WHERE tablename LIKE 'vectors\\_%%'"
            ).fetchall()
            rule = "CHECK (ordinal % 2 = 0) NOT VALID"
            database.execute(f'ALTER TABLE "{table}" ADD CONSTRAINT refuse {rule}')
            time.sleep(5)
            database.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT refuse')
