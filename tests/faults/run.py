"""The long fault run: documents stream in while processes, servers, clocks, disks and services fail at random moments.

    python -m tests.faults.run [--documents 500] [--faults 60] [--seed N] [--only local | production] [--kinds PART]
        [--logs DIR]

Half of the documents and faults go to an installation with the local model and pgvector, half to one with Gemini and
Pinecone, played by the contract servers. Every kind of fault comes at least once in each. Ends with tables and the
line `faults ok: …`, or with what was violated and exit status 1. A seed replays the same documents and the same faults
in the same order; their moments depend on the machine.
"""

import argparse
import collections
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

from tests.faults.checker import enqueued_too_often, misnumbered, misplaced, violations, wrongly_found
from tests.faults.injections import Injections
from tests.faults.installation import Installation, prose
from tests.faults.recovery import Recovery

SIZES = (5, 20, 60, 200, 600)
"""Sentences of a document: from one chunk to more than a hundred."""
WEIGHTS = (30, 30, 20, 14, 6)
SETTLE_SECONDS = 150.0
_FAULT_SECONDS = 7.0  # about what one takes; uploads are spread over all of them
_STRANGERS = 6  # every so manieth document is another tenant's
_QUERIES = 15


class Run:
    """Uploads in one thread, faults in another, on one installation."""

    def __init__(self, installation: Installation, documents: int, faults: int, seed: int, kinds: str = "") -> None:
        self.installation, self.documents, self.seed = installation, documents, seed
        self.draw = random.Random(seed)
        self.accepted: dict[str, bool] = {}
        self.queries: dict[str, str] = {}
        self.injected: collections.Counter[str] = collections.Counter()
        self.recovery = Recovery(installation)
        self.injections = Injections(installation, self.recovery, random.Random(seed + 1), self.accepted)
        self.kinds = [(name, inject) for name, inject in self.injections.by_name().items() if kinds in name]
        self.faults = max(faults, len(self.kinds))
        self.children: set[int] = set()
        self._over = threading.Event()

    def go(self) -> list[str]:
        """Upload, inject, wait until the dust settles; what is violated then."""
        stranger = self.installation.another_tenant("stranger")
        threads = [
            threading.Thread(target=self._upload_all, args=(stranger,), daemon=True),
            threading.Thread(target=self._count_children, daemon=True),
        ]
        for thread in threads:
            thread.start()
        for number in range(self.faults):
            if number % len(self.kinds) == 0:
                self.draw.shuffle(self.kinds)
            name, inject = self.kinds[number % len(self.kinds)]
            time.sleep(self.draw.uniform(0.5, 3))
            print(f"{len(self.accepted):4d} uploaded  {number + 1:3d} {name}", flush=True)
            inject()
            self.injected[name] += 1
        threads[0].join()
        found = self._settled()
        self._over.set()
        return [*found, *self.injections.wrong, *self.recovery.beyond_bounds(), *self._afterwards(stranger)]

    def _upload_all(self, stranger: httpx.Client) -> None:
        draw = random.Random(self.seed + 2)
        for number in range(self.documents):
            text = prose(self.seed * 100_000 + number, draw.choices(SIZES, WEIGHTS)[0])
            tenant = stranger if number % _STRANGERS == 0 else None
            document_id = self.installation.upload(f"document-{number}.txt", text, tenant)
            self.accepted.setdefault(document_id, False)
            self.queries[document_id] = text.decode().partition(".")[0]
            time.sleep(_FAULT_SECONDS * self.faults / self.documents)

    def _count_children(self) -> None:
        while not self._over.wait(0.5):
            self.children |= {child.pid for child in self.installation.worker_children()}

    def _settled(self) -> list[str]:
        """What is still violated when nothing has changed for a while."""
        unfinished = None
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            found = violations(self.installation.seen_whole, self.accepted)
            stuck = sum("stuck" in sentence for sentence in found)
            # While documents still end one after the other the bound has not begun.
            if stuck != unfinished:
                unfinished, deadline = stuck, time.monotonic() + SETTLE_SECONDS
                print(f"     {stuck} still in work", flush=True)
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(2)

    def _afterwards(self, stranger: httpx.Client) -> list[str]:
        here, events = self.installation, list(self.installation.log_events())
        deleted = [self.queries[one] for one, gone in self.accepted.items() if gone and one in self.queries]
        others = [query for one, query in self.queries.items() if not self.accepted[one]]
        queries = deleted[:_QUERIES] + self.draw.sample(others, min(_QUERIES, len(others)))
        poison = [f"{one} is poison and was completed" for one in self.injections.poisoned & self._completed()]
        return [
            *poison,
            *wrongly_found(here.http, queries, here.seen_whole, self.accepted, "local"),
            *wrongly_found(stranger, queries, here.seen_whole, self.accepted, "stranger"),
            *misplaced(here.seen_whole),
            *misnumbered(here.seen_whole, events),
            *enqueued_too_often(events),
        ]

    def _completed(self) -> set[str]:
        with self.installation.database() as database:
            return {row[0] for row in database.execute("SELECT id::text FROM api_document WHERE status = 'completed'")}

    def report(self) -> None:
        """What was injected, how documents ended, how long recovery took."""
        with self.installation.database() as database:
            query = (
                "SELECT status, coalesce(error->>'code', ''), count(*) FROM api_document GROUP BY 1, 2 ORDER BY 1, 2"
            )
            ended = database.execute(query).fetchall()
            (most,) = database.execute("SELECT max(attempt) FROM api_document").fetchone() or (0,)
        events = collections.Counter(event["event"] for event in self.installation.log_events())
        print("\n| fault | times |\n|---|---:|")
        for name, count in sorted(self.injected.items()):
            print(f"| {name} | {count} |")
        print("\n| documents ended | code | number |\n|---|---|---:|")
        for status, code, count in ended:
            print(f"| {status} | {code} | {count} |")
        print(f"| deleted | | {sum(self.accepted.values())} |")
        print("\n| standstill after | times | median s | longest s | bound s |\n|---|---:|---:|---:|---:|")
        print("\n".join(self.recovery.lines()))
        print(f"\n{self.recovery.left_out} documents had been enqueued within the minute before the broker was emptied")
        print(
            f"\nattempts {events['attempt_started']}, most of one document {most}; retries {events['retry_planned']};"
            f" enqueued again {events['enqueued_again']}; given back {events['document_given_back']};"
            f" worker children seen {len(self.children)} (each ends after 5 tasks); processes that ended by themselves"
            f" {len(self.installation.ended_by_themselves)}\n"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--only", choices=["local", "production"])
    parser.add_argument("--kinds", default="", help="Only faults whose name holds this.")
    parser.add_argument("--logs", type=Path, help="A folder that gets the logs of all processes.")
    asked = parser.parse_args()
    print(f"seed {asked.seed}: replay with make faults SEED={asked.seed} DOCUMENTS={asked.documents}")
    stacks = [asked.only] if asked.only else ["local", "production"]
    wrong: list[str] = []
    accepted = faults = 0
    for number, stack in enumerate(stacks):
        print(f"\n{stack}: {'Gemini and Pinecone' if stack == 'production' else 'the local model and pgvector'}")
        with tempfile.TemporaryDirectory(prefix="docmill-faults-") as folder:
            installation = Installation(Path(folder) / "home", production=stack == "production")
            try:
                installation.start()
                share = asked.documents // len(stacks), asked.faults // len(stacks)
                run = Run(installation, *share, asked.seed * 2 + number, asked.kinds)
                wrong += run.go()
                run.report()
                accepted, faults = accepted + len(run.accepted), faults + run.faults
            finally:
                installation.stop()
                if asked.logs:
                    shutil.copytree(installation.home / "logs", asked.logs / stack, dirs_exist_ok=True)
    if wrong:
        sys.exit("\n".join(["", f"faults failed with seed {asked.seed}:", *wrong]))
    print(f"faults ok: {accepted} documents, {faults} faults, seed {asked.seed}: none lost, stuck or twice")


if __name__ == "__main__":
    main()
