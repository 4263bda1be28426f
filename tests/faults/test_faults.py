"""No document lost, none stuck, none twice: the short form of `make faults`."""

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults.checker import violations
from tests.faults.installation import WORKERS, Installation, poison, prose, wait_until

LONG, SHORT = 1200, 10  # sentences: some seconds of work, and none


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Installation, dict[str, bool]]]:
    """An installation, and the ids of all that it accepted (True once deleted); checked at the end of all."""
    accepted: dict[str, bool] = {}
    with tempfile.TemporaryDirectory(prefix="docmill-faults-") as folder:
        installation = Installation(Path(folder) / "home")
        try:
            installation.start()
            yield installation, accepted
            wait_until(lambda: not violations(installation.seen_whole, accepted), 60, "the dust settles")
        finally:
            installation.stop()


class Uploads:
    def __init__(self, installation: Installation, accepted: dict[str, bool], seed: int) -> None:
        self.installation, self.accepted, self.seed = installation, accepted, seed

    def __call__(self, sentences: int) -> str:
        self.seed += 1
        document_id = self.installation.upload(f"case-{self.seed}.txt", prose(self.seed, sentences))
        self.accepted[document_id] = False
        return document_id


@pytest.fixture
def installation(running: tuple[Installation, dict[str, bool]]) -> Installation:
    return running[0]


@pytest.fixture
def upload(running: tuple[Installation, dict[str, bool]], request: pytest.FixtureRequest) -> Uploads:
    """Uploads a new text of so many sentences; its id."""
    return Uploads(*running, seed=sum(map(ord, request.node.name)) * 1000)


def check(running: tuple[Installation, dict[str, bool]]) -> None:
    installation, accepted = running
    wait_until(lambda: not violations(installation.seen_whole, accepted), 30, "nothing is violated")


def is_claimed(installation: Installation, document_id: str) -> bool:
    query = "SELECT claimed_at IS NOT NULL FROM api_document WHERE id = %s"
    with installation.database() as database:
        ((claimed,),) = database.execute(query, (document_id,)).fetchall()
    return bool(claimed)


def crashes(installation: Installation, document_id: str) -> Any:
    with installation.database() as database:
        query = "SELECT crashes FROM api_document WHERE id = %s"
        ((count,),) = database.execute(query, (document_id,)).fetchall()
    return count


def test_a_killed_child_frees_its_document(installation: Installation, upload: Uploads) -> None:
    document_id = upload(LONG)
    installation.wait_for_work(document_id)
    installation.kill_children()
    document = installation.wait_for_end(document_id)
    assert (document["status"], document["attempt"]) == ("completed", 2)
    assert document["vectors_reused"] > 0, "what was embedded before the crash is not embedded again"
    assert crashes(installation, document_id) == 1


@pytest.mark.long
def test_a_killed_worker_frees_its_document(installation: Installation, upload: Uploads) -> None:
    document_id = upload(LONG)
    installation.wait_for_work(document_id)
    for name in ("worker-0", "worker-1"):
        installation.kill_worker(name)
        installation.start_again(name)
    document = installation.wait_for_end(document_id)
    assert (document["status"], document["attempt"]) == ("completed", 2)


@pytest.mark.parametrize("loss", ["children", pytest.param("workers", marks=pytest.mark.long)])
def test_a_document_that_lost_its_worker_goes_before_all_that_wait(
    installation: Installation, upload: Uploads, loss: str
) -> None:
    in_work = [upload(2 * LONG) for _ in range(WORKERS)]
    waiting = [upload(LONG // 4) for _ in range(2 * WORKERS)]
    for document_id in in_work:
        installation.wait_for_work(document_id)
    if loss == "children":
        installation.kill_children()
    else:
        for number in range(WORKERS):
            installation.kill_worker(f"worker-{number}")
        for number in range(WORKERS):
            installation.start_again(f"worker-{number}")
    ended = [installation.wait_for_end(one) for one in [*in_work, *waiting]]
    assert {one["status"] for one in ended} == {"completed"}
    for number in range(WORKERS):
        events = [e for e in installation.log_events(f"worker-{number}") if e["event"] == "attempt_started"]
        begun = [(event["document_id"] in in_work, event["attempt"]) for event in events]
        first = begun.index((True, 1))
        assert begun[first + 1] == (True, 2), "a place that became free is not given to others"


@pytest.mark.long
def test_a_document_that_loses_two_workers_fails_with_that_reason(installation: Installation, upload: Uploads) -> None:
    document_id = upload(LONG)
    for attempt in (1, 2):
        installation.wait_for_work(document_id, attempt, chunks_done=0)
        installation.kill_children()
    document = installation.wait_for_end(document_id, 180)
    assert document["error"]["code"] == "worker_crashed"


@pytest.mark.long
def test_a_worker_told_to_stop_gives_its_document_back_within_30_seconds(
    installation: Installation, upload: Uploads
) -> None:
    document_id = upload(5 * LONG)
    installation.wait_for_work(document_id)
    for name in ("worker-0", "worker-1"):
        installation.terminate_worker(name)
        installation.start_again(name)
    wait_until(lambda: is_claimed(installation, document_id), 60, "it is in work again")
    assert installation.document(document_id)["attempt"] >= 2, "it was given back"
    assert crashes(installation, document_id) == 0, "a stop is no crash"
    installation.kill_children()
    document = installation.wait_for_end(document_id, 240)
    assert (document["status"], crashes(installation, document_id)) == ("completed", 1)
    lost = {event["document_id"] for event in installation.log_events() if event["event"] == "child_lost"}
    assert document_id in lost, "a document that was given back is no secret to the parent of its next child"


def test_a_document_that_kills_its_worker_fails_alone(installation: Installation, upload: Uploads) -> None:
    poisonous = installation.upload("poison.txt", poison(1, "kill_worker"))
    upload.accepted[poisonous] = False
    harmless = upload(SHORT)
    document = installation.wait_for_end(poisonous)
    assert (document["error"]["code"], document["attempt"]) == ("worker_crashed", 2)
    assert installation.wait_for_end(harmless)["status"] == "completed"


def test_a_child_ended_by_its_stages_alarm_leaves_a_timeout(installation: Installation, upload: Uploads) -> None:
    document_id = upload(LONG)
    installation.wait_for_work(document_id)
    installation.kill_children(signal.SIGALRM)
    document = installation.wait_for_end(document_id)
    assert document["error"]["code"] == "timeout"
    assert f"'{document['error']['stage']}'" in document["error"]["message"]


@pytest.mark.long
def test_a_worker_that_takes_no_message_ends_itself(
    installation: Installation, upload: Uploads, tmp_path: Path
) -> None:
    deaf = tmp_path / "deaf"
    for name in ("worker-0", "worker-1"):
        installation.terminate_worker(name)
    installation.add_worker("worker-deaf", WORKER_WATCHDOG_SECONDS="3", FAULTS_DEAF=str(deaf))
    installation.wait_for_end(upload(SHORT))
    deaf.touch()
    document_ids = [upload(SHORT) for _ in range(3)]  # it may hear one more
    wait_until(lambda: "worker-deaf" in installation.ended_by_themselves, 60, "the deaf worker ends")
    installation.kill_worker("worker-deaf")
    assert any(event["event"] == "worker_consumes_nothing" for event in installation.log_events())
    for name in ("worker-0", "worker-1"):
        installation.start_again(name)
    assert {installation.wait_for_end(document_id)["status"] for document_id in document_ids} == {"completed"}


def test_an_upload_that_finds_the_disk_full_is_told_so(installation: Installation) -> None:
    if not installation.has_small_disk:
        pytest.skip("needs the right to mount a small disk")
    with installation.full_disk():
        answer = installation.http.post("/api/ingest/", files={"file": ("notes.txt", prose(5, LONG))})
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")


@pytest.mark.long
def test_a_document_that_finds_the_disk_full_is_tried_again(installation: Installation, upload: Uploads) -> None:
    if not installation.has_small_disk:
        pytest.skip("needs the right to mount a small disk")
    before = [upload(LONG) for _ in range(2)]  # a worker each
    document_id = upload(3 * LONG)  # larger than what these leave when they end
    for one in before:
        installation.wait_for_work(one)
    with installation.full_disk():
        wait_until(lambda: installation.document(document_id)["last_error"], 90, "the document has trouble")
    assert installation.wait_for_end(document_id)["status"] == "completed"
    assert installation.document(document_id)["last_error"]["code"] == "disk_full"
    assert {installation.wait_for_end(one)["status"] for one in before} == {"completed"}


@pytest.mark.long
@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_clock_that_jumps_leaves_no_document_waiting(
    installation: Installation, upload: Uploads, seconds: int
) -> None:
    before = _enqueued(installation)
    document_ids = [upload(LONG // 2) for _ in range(3)]
    installation.flush_broker()
    with installation.clock_off(seconds):
        wait_until(lambda: _enqueued(installation) > before, 30, "the sweep goes on")
    assert {installation.wait_for_end(one)["status"] for one in document_ids} == {"completed"}


@pytest.mark.long
def test_clocks_that_jump_to_and_fro_enqueue_nothing_twice(installation: Installation, upload: Uploads) -> None:
    document_id = upload(LONG)
    installation.wait_for_work(document_id)
    before = _enqueued(installation)
    for name in ("worker-0", "worker-1"):
        installation.kill_worker(name)
    wait_until(lambda: _enqueued(installation) > before, 30, "the sweep enqueues")
    for seconds in (3600, 0, -3600, 0):
        with installation.clock_off(seconds):
            _wait_for_sweeps(installation, 3)
    assert _enqueued(installation) == before + 1
    for name in ("worker-0", "worker-1"):
        installation.start_again(name)
    assert installation.wait_for_end(document_id)["status"] == "completed"


def _sweeps(installation: Installation) -> int:
    events = installation.log_events("housekeeping")
    return sum("tasks.sweep" in event["event"] and "succeeded" in event["event"] for event in events)


def _wait_for_sweeps(installation: Installation, count: int) -> None:
    before = _sweeps(installation)
    wait_until(lambda: _sweeps(installation) >= before + count, 30, "it sweeps by that clock")


def _enqueued(installation: Installation) -> int:
    return sum(event["event"] == "enqueued_again" for event in installation.log_events())


def test_an_emptied_broker_loses_nothing(installation: Installation, upload: Uploads) -> None:
    document_ids = [upload(SHORT * 4) for _ in range(6)]
    installation.flush_broker()
    assert {installation.wait_for_end(document_id)["status"] for document_id in document_ids} == {"completed"}


def test_an_upload_is_accepted_while_the_broker_is_down(installation: Installation, upload: Uploads) -> None:
    installation.valkey.kill()
    answer = installation.http.post("/api/ingest/", files={"file": ("down.txt", prose(6, SHORT))})
    installation.valkey.start()
    assert answer.status_code == 202, answer.text
    document_id = answer.json()["document_id"]
    upload.accepted[document_id] = False
    assert installation.wait_for_end(document_id)["status"] == "completed"


@pytest.mark.long
def test_workers_outlive_their_broker_with_a_retry_in_hand(installation: Installation, upload: Uploads) -> None:
    with workers_without_storage(installation, upload) as document_id:
        wait_until(lambda: planned_retry(installation, document_id)[1] >= 2, 30, "a retry is planned")
        ended = len(installation.ended_by_themselves)
        installation.restart(installation.valkey, 0, kill=True)
    assert installation.wait_for_end(document_id)["status"] == "completed"
    assert installation.ended_by_themselves[ended:] == []


def test_a_message_delivered_many_times_is_worked_on_once(installation: Installation, upload: Uploads) -> None:
    document_id = upload(LONG // 4)
    installation.enqueue_twice(document_id)
    document = installation.wait_for_end(document_id)
    assert document["attempt"] == 1
    address = f"/api/tasks/{document['task_id']}/"
    task = wait_until(lambda: (t := installation.http.get(address).json())["state"] == "SUCCESS" and t, 20, "a result")
    assert task["result"]["status"] == "completed", "the result is the work's, not a superfluous message's"


def test_a_killed_and_restarted_database_loses_nothing(installation: Installation, upload: Uploads) -> None:
    document_id = upload(LONG)
    installation.wait_for_work(document_id)
    installation.restart(installation.postgres, 2, kill=True)
    document = installation.wait_for_end(document_id)
    assert document["status"] == "completed"


@pytest.mark.long
def test_storage_away_for_ten_seconds_is_waited_for(installation: Installation, upload: Uploads) -> None:
    first = upload(SHORT)
    installation.wait_for_end(first)
    document_id = upload(SHORT)
    installation.restart(installation.s3, 6, kill=False)
    assert installation.wait_for_end(document_id)["status"] == "completed"


def test_a_document_deleted_while_it_is_worked_on_is_gone(
    installation: Installation, upload: Uploads, running: tuple[Installation, dict[str, bool]]
) -> None:
    document_id = upload(LONG)
    installation.wait_for_work(document_id)
    assert installation.http.delete(f"/api/documents/{document_id}/").status_code == 204
    upload.accepted[document_id] = True
    check(running)


def test_the_same_file_ten_times_at_once_is_one_document(installation: Installation, upload: Uploads) -> None:
    found = set(installation.upload_at_once("same.txt", prose(7, SHORT), 10))
    assert len(found) == 1
    upload.accepted[found.pop()] = False


def test_a_killed_box_is_tried_again(installation: Installation, upload: Uploads) -> None:
    document_id = upload(SHORT)
    installation.kill_extractors()
    assert installation.wait_for_end(document_id)["status"] == "completed"


@pytest.mark.long
def test_trouble_is_retried_after_2_4_and_8_seconds_and_then_fails(installation: Installation, upload: Uploads) -> None:
    with workers_without_storage(installation, upload) as document_id:
        seen: dict[int, float] = {}
        while (document := planned_retry(installation, document_id))[0] == "processing":
            _, retries, seconds = document
            if seconds is not None:
                seen[retries] = round(seconds, 1)
            time.sleep(0.05)
        ended = installation.wait_for_end(document_id)
    assert seen == {1: 2.0, 2: 4.0, 3: 8.0}
    assert (ended["error"]["code"], ended["retries"], ended["attempt"]) == ("storage_unavailable", 3, 4)
    assert ended["last_error"]["code"] == "storage_unavailable"


@contextmanager
def workers_without_storage(installation: Installation, upload: Uploads) -> Iterator[str]:
    """A document whose original the workers cannot get."""
    for name in ("worker-0", "worker-1"):
        installation.kill_worker(name)
    document_id = upload(SHORT)
    installation.s3.stop()
    try:
        for name in ("worker-0", "worker-1"):
            installation.start_again(name)
        yield document_id
    finally:
        installation.s3.start()


def planned_retry(installation: Installation, document_id: str) -> tuple[str, int, float | None]:
    """Status, retries, and the seconds between the writing of the row and its next retry."""
    seconds = "extract(epoch FROM next_retry_at - updated_at)::float"
    with installation.database() as database:
        row = database.execute(
            f"SELECT status, retries, {seconds} FROM api_document WHERE id = %s", (document_id,)
        ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]
