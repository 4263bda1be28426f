"""The long fault run: documents stream in while parts are killed, starved and cut off at random moments.

    python -m tests.faults.run [--documents 500] [--faults 60] [--seed N]

Ends with tables of what was injected and the line `faults ok: …`, or with what was violated and exit status 1. A seed
replays the same documents and the same faults in the same order; their moments depend on the machine.
"""

import argparse
import collections
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg

from tests.faults.checker import violations
from tests.faults.installation import Installation, prose

SIZES = (5, 20, 60, 200, 600)
WEIGHTS = (30, 30, 20, 14, 6)
SETTLE_SECONDS = 300.0
_FAULT_SECONDS = 4.0  # about what one takes; uploads are spread over all of them


class Run:
    """One run: uploads in one thread, faults in another."""

    def __init__(self, installation: Installation, documents: int, faults: int, seed: int) -> None:
        self.installation, self.documents, self.faults = installation, documents, faults
        self.draw = random.Random(seed)
        self.seed = seed
        self.accepted: dict[str, bool] = {}
        self.injected: collections.Counter[str] = collections.Counter()
        self.recovery: dict[str, list[float]] = collections.defaultdict(list)
        self.uploaded = threading.Event()

    def injections(self) -> dict[str, Callable[[], None]]:
        """Every kind of fault by name."""
        here = self.installation
        return {
            "kill -9 of every worker's child": self._timed("child", here.kill_children),
            "kill -9 of a whole worker": self._timed("worker", self._kill_worker),
            "SIGTERM of a worker": self._terminate_worker,
            "kill -9 of the boxes": here.kill_extractors,
            "broker emptied": here.flush_broker,
            "broker killed, back after 3 s": lambda: here.restart(here.valkey, 3, kill=True),
            "database killed, back after 2 s": lambda: here.restart(here.postgres, 2, kill=True),
            "database connections cut": self._cut_connections,
            "storage away for 5 s": lambda: here.restart(here.s3, 5, kill=False),
            "housekeeping away for 10 s": self._kill_housekeeping,
            "message rung four times": self._ring_twice,
            "document deleted": self._delete,
            "same file ten times at once": self._upload_ten_times,
            "failed documents tried again": self._retry_failed,
        }

    def go(self) -> list[str]:
        """Upload, inject, wait until the dust settles; what is violated then."""
        uploads = threading.Thread(target=self._upload_all, daemon=True)
        uploads.start()
        kinds = list(self.injections().items())
        for number in range(self.faults):
            if number % len(kinds) == 0:
                self.draw.shuffle(kinds)
            name, inject = kinds[number % len(kinds)]
            time.sleep(self.draw.uniform(0.5, 3))
            print(f"{len(self.accepted):4d} uploaded  {number + 1:3d} {name}", flush=True)
            inject()
            self.injected[name] += 1
        uploads.join()
        return self._settled()

    def _upload_all(self) -> None:
        for number in range(self.documents):
            size = self.draw.choices(SIZES, WEIGHTS)[0]
            document_id = self.installation.upload(f"document-{number}.txt", prose(self.seed * 100_000 + number, size))
            self.accepted.setdefault(document_id, False)
            time.sleep(_FAULT_SECONDS * self.faults / self.documents)

    def _settled(self) -> list[str]:
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            found = violations(self.installation.environ, self.accepted)
            stuck = [sentence for sentence in found if "stuck" in sentence]
            # While documents still end one after the other the bound has not begun.
            if len(stuck) != getattr(self, "_stuck", -1):
                self._stuck, deadline = len(stuck), time.monotonic() + SETTLE_SECONDS
                print(f"     {len(stuck)} still in work", flush=True)
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(2)

    def _some_document(self, status: str) -> str | None:
        query = "SELECT id::text FROM api_document WHERE status = %s AND deleted_at IS NULL ORDER BY random() LIMIT 1"
        with psycopg.connect(self.installation.environ["DATABASE_URL"]) as database:
            row = database.execute(query, (status,)).fetchone()
        return row[0] if row else None

    def _timed(self, what: str, kill: Callable[[], None]) -> Callable[[], None]:
        """Kill, and measure until a document that was in work then is claimed by a later attempt, or has ended."""
        # One that was rung for within the minute waits for it to pass, so it says nothing of the bound.
        held = (
            "SELECT id::text, attempt FROM api_document WHERE claimed_at IS NOT NULL AND status = 'processing'"
            " AND (rung_at IS NULL OR rung_at < now() - interval '60 seconds')"
        )
        later = "SELECT status, attempt, claimed_at FROM api_document WHERE id = %s"

        def inject() -> None:
            with psycopg.connect(self.installation.environ["DATABASE_URL"], autocommit=True) as database:
                before = database.execute(held).fetchall()
                began = time.monotonic()
                kill()
                for document_id, attempt in before:
                    while time.monotonic() - began < 60:
                        row = database.execute(later, (document_id,)).fetchone()
                        if row is None or row[0] != "processing" or row[1] > attempt:
                            break
                        time.sleep(0.1)
                    if row is not None and row[1] > attempt:
                        self.recovery[what].append(time.monotonic() - began)

        return inject

    def _kill_worker(self) -> None:
        name = self.draw.choice(["worker-0", "worker-1"])
        self.installation.kill_worker(name)
        self.installation.start_again(name)

    def _terminate_worker(self) -> None:
        name = self.draw.choice(["worker-0", "worker-1"])
        began = time.monotonic()
        self.installation.terminate_worker(name)
        self.recovery["SIGTERM to exit"].append(time.monotonic() - began)
        self.installation.start_again(name)

    def _kill_housekeeping(self) -> None:
        self.installation.processes["housekeeping"].kill()
        time.sleep(10)
        self.installation.start_again("housekeeping")

    def _cut_connections(self) -> None:
        with psycopg.connect(self.installation.environ["DATABASE_URL"], autocommit=True) as database:
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )

    def _ring_twice(self) -> None:
        if document_id := self._some_document("processing"):
            self.installation.ring_twice(document_id)

    def _delete(self) -> None:
        document_id = self._some_document("processing") or self._some_document("completed")
        while document_id:
            try:
                answer = self.installation.http.delete(f"/api/documents/{document_id}/")
            except httpx.HTTPError:
                continue
            if answer.status_code in (204, 404):
                self.accepted[document_id] = True
                return
            time.sleep(0.2)

    def _upload_ten_times(self) -> None:
        content = prose(self.draw.randrange(10**9), 10)
        for document_id in self.installation.upload_at_once("same.txt", content, 10):
            self.accepted.setdefault(document_id, False)

    def _retry_failed(self) -> None:
        failed = self.installation.http.get("/api/documents/?status=failed&limit=100").json()["results"]
        for document in failed:
            self.installation.http.post(f"/api/documents/{document['document_id']}/retry/")

    def report(self) -> None:
        """What was injected, how documents ended, how long recovery took."""
        with psycopg.connect(self.installation.environ["DATABASE_URL"]) as database:
            query = (
                "SELECT status, coalesce(error->>'code', ''), count(*) FROM api_document GROUP BY 1, 2 ORDER BY 1, 2"
            )
            ended = database.execute(query).fetchall()
            (most,) = database.execute("SELECT max(attempt) FROM api_document").fetchone() or (0,)
        print("\n| fault | times |\n|---|---|")
        for name, count in sorted(self.injected.items()):
            print(f"| {name} | {count} |")
        print("\n| documents ended | code | number |\n|---|---|---|")
        for status, code, count in ended:
            print(f"| {status} | {code} | {count} |")
        print(f"| deleted | | {sum(self.accepted.values())} |\n\nmost attempts of one document: {most}")
        for what, seconds in self.recovery.items():
            print(f"{what}: median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s of {len(seconds)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    asked = parser.parse_args()
    print(f"seed {asked.seed}: replay with make faults SEED={asked.seed} DOCUMENTS={asked.documents}")
    with tempfile.TemporaryDirectory(prefix="docmill-faults-") as folder:
        installation = Installation(Path(folder) / "home")
        try:
            installation.start()
            run = Run(installation, asked.documents, asked.faults, asked.seed)
            found = run.go()
            run.report()
        finally:
            installation.stop()
    if found:
        sys.exit("\n".join(["", f"faults failed with seed {asked.seed}:", *found]))
    print(
        f"faults ok: {len(run.accepted)} documents, {asked.faults} faults, seed {asked.seed}: none lost, stuck or twice"
    )


if __name__ == "__main__":
    main()
