"""A long scan is read by several workers: whoever is lost, and whatever else comes in, it keeps what was read."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.checker import violations
from tests.faults.installation import Installation, wait_until
from tests.integration.files import scan

PAGES = 12
SETTINGS: dict[str, Any] = {
    "SCAN_TURN_SECONDS": "1",
    "EXTRACT_MEMORY_BYTES": str(2 << 30),
    "EXTRACT_PAGE_SECONDS": "60",
}


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Installation, dict[str, bool]]]:
    """An installation with two workers of one child each, and the ids of all that it accepted (True once deleted)."""
    accepted: dict[str, bool] = {}
    with tempfile.TemporaryDirectory(prefix="docmill-faults-") as folder:
        installation = Installation(Path(folder) / "home", **SETTINGS)
        try:
            installation.start()
            yield installation, accepted
            wait_until(lambda: not violations(installation.seen_whole, accepted), 60, "the dust settles")
        finally:
            installation.stop()


class Scans:
    """Long scans, each page with a sentence of its own, and what is known of their reading."""

    def __init__(self, installation: Installation, accepted: dict[str, bool], name: str) -> None:
        self.installation, self.accepted, self.name = installation, accepted, name
        self.uploaded = 0

    def upload(self, pages: int = PAGES) -> str:
        self.uploaded += 1
        sentences = [f"{self.name} {self.uploaded}: the tide at mark {100 + page} was low." for page in range(pages)]
        return self._accepted(f"{self.name}-{self.uploaded}.pdf", scan(*sentences))

    def upload_small(self) -> str:
        self.uploaded += 1
        return self._accepted(
            f"{self.name}-{self.uploaded}.txt", f"{self.name} {self.uploaded}, a short note.".encode()
        )

    def _accepted(self, filename: str, content: bytes) -> str:
        document_id = self.installation.upload(filename, content)
        self.accepted[document_id] = False
        return document_id

    def pages_read(self, document_id: str) -> int:
        query = "SELECT count(*) FROM api_scannedpage WHERE document_id = %s AND content IS NOT NULL"
        with self.installation.database() as database:
            ((count,),) = database.execute(query, (document_id,)).fetchall()
        return int(count)

    def wait_for_pages(self, document_id: str, count: int) -> None:
        wait_until(lambda: self.pages_read(document_id) >= count, 60, f"{count} pages are read")

    def begun(self, document_id: str) -> list[dict[str, Any]]:
        """What was logged when workers took the scan up, in order."""
        events = [e for e in self.installation.log_events() if e["event"] == "fanned_out"]
        return sorted((e for e in events if e["document_id"] == document_id), key=lambda e: str(e["timestamp"]))

    def holder_and_helper(self, document_id: str) -> tuple[str, str]:
        """The names of the worker that holds the scan and of the other one."""
        workers = ["worker-0", "worker-1"]
        last = self.begun(document_id)[-1]
        holder = next(name for name in workers if last["timestamp"] in self._log(name))
        workers.remove(holder)
        return holder, workers[0]

    def _log(self, name: str) -> str:
        return (self.installation.home / "logs" / f"{name}.log").read_text()

    def check_read(self, document_id: str) -> None:
        """Every page is in the text, once and in order."""
        chunks = self.installation.http.get(f"/api/documents/{document_id}/chunks/").json()["results"]
        text = " ".join(chunk["text"] for chunk in chunks)
        places = [text.find(f"mark {100 + page}") for page in range(PAGES)]
        assert -1 not in places and places == sorted(places), text


@pytest.fixture
def scans(running: tuple[Installation, dict[str, bool]], request: pytest.FixtureRequest) -> Scans:
    return Scans(*running, name=request.node.name.removeprefix("test_").split("_")[1])


@pytest.fixture
def installation(running: tuple[Installation, dict[str, bool]]) -> Installation:
    return running[0]


def test_a_lost_helper_is_not_missed(installation: Installation, scans: Scans) -> None:
    document_id = scans.upload()
    scans.wait_for_pages(document_id, 3)
    _, helper = scans.holder_and_helper(document_id)
    installation.kill_worker(helper)
    document = installation.wait_for_end(document_id)
    installation.start_again(helper)
    assert (document["status"], document["attempt"], document["pages_ocr"]) == ("completed", 1, PAGES)
    scans.check_read(document_id)


def test_a_dead_holder_costs_no_page_that_was_read(installation: Installation, scans: Scans) -> None:
    document_id = scans.upload()
    scans.wait_for_pages(document_id, 4)
    holder, _ = scans.holder_and_helper(document_id)
    installation.kill_worker(holder)
    installation.start_again(holder)
    document = installation.wait_for_end(document_id)
    assert (document["status"], document["attempt"]) == ("completed", 2)
    first, second = scans.begun(document_id)
    assert first["unread"] == PAGES
    assert second["unread"] <= PAGES - 4, "what was read before is not read again"
    scans.check_read(document_id)


def test_a_deleted_scan_is_let_go_by_all(installation: Installation, scans: Scans) -> None:
    document_id = scans.upload(60)
    scans.wait_for_pages(document_id, 2)
    assert installation.http.delete(f"/api/documents/{document_id}/").is_success
    scans.accepted[document_id] = True
    others = [scans.upload_small() for _ in range(2)]
    assert {installation.wait_for_end(one, 20)["status"] for one in others} == {"completed"}
    query = "SELECT count(*) FROM api_document WHERE id = %s"

    def is_purged() -> bool:
        with installation.database() as database:
            return database.execute(query, (document_id,)).fetchone() == (0,)

    wait_until(is_purged, 30, "its rows are gone")


def test_a_small_document_does_not_wait_behind_long_scans(installation: Installation, scans: Scans) -> None:
    long_ones = [scans.upload(16), scans.upload(16)]  # one for each child
    for one in long_ones:
        scans.wait_for_pages(one, 1)
    small = scans.upload_small()
    assert installation.wait_for_end(small, 30)["status"] == "completed"
    assert [installation.document(one)["status"] for one in long_ones] == ["processing"] * 2
    gave_way = [event for event in installation.log_events() if event["event"] == "gave_way"]
    assert {event["document_id"] for event in gave_way} & set(long_ones)
    for one in long_ones:
        document = installation.wait_for_end(one)
        assert (document["status"], document["pages_ocr"], document["last_error"]) == ("completed", 16, None)
        assert scans.begun(one)[-1]["unread"] < 16
