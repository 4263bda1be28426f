"""The sandbox: a document may crash, hang, bloat or flood its extractor; it fails alone, and the next one is read."""

import dataclasses
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from docmill.documents.models import Document as Row
from docmill.documents.ocr_fanout import FanoutExtractor
from docmill.pipeline.errors import DocmillError, HandedOverError, PermanentError, TransientError
from docmill.pipeline.extract.sandbox import walls
from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.process import ExtractorProcess
from docmill.pipeline.extract.sandbox.walls import Wall
from docmill.pipeline.extract.sandbox.workspace import Workspace

pytestmark = pytest.mark.sandbox

LIMITS = SandboxLimits(
    page_seconds=20, total_seconds=40, memory_bytes=1 << 30, max_pages=1000, small_file_memory_bytes=1 << 30
)
Box = Callable[..., ExtractorProcess]
Document = Callable[..., Path]


@pytest.fixture
def box() -> Iterator[Box]:
    made: list[ExtractorProcess] = []

    def make(**limits: Any) -> ExtractorProcess:
        made.append(ExtractorProcess(dataclasses.replace(LIMITS, **limits), reader="tests.unit.hostile_reader"))
        return made[-1]

    yield make
    for process in made:
        process.close()


@pytest.fixture
def document(tmp_path: Path) -> Document:
    def make(*orders: str) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.txt"
        path.write_text("\n".join(orders))
        return path

    return make


def texts(process: ExtractorProcess, path: Path) -> list[str]:
    with process.open(path, "text/plain") as extraction:
        return [page.text for page in extraction]


def failure(process: ExtractorProcess, path: Path) -> DocmillError:
    with pytest.raises(DocmillError) as caught:
        texts(process, path)
    return caught.value


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def pid_of(process: ExtractorProcess) -> int:
    assert process.pid
    return process.pid


def workspace_of(process: ExtractorProcess) -> Workspace:
    assert process._running
    return process._running._workspace


def is_gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_pages_come_in_order_with_the_documents_title(box: Box, document: Document) -> None:
    with box().open(document("pages_total 2", "page one", "page two"), "text/plain") as extraction:
        assert (extraction.title, extraction.pages_total) == ("a hostile document", 2)
        assert [(page.number, page.text) for page in extraction] == [(1, "one"), (2, "two")]


def test_one_process_reads_many_documents(box: Box, document: Document) -> None:
    process = box()
    assert texts(process, document("who")) == texts(process, document("who"))


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ("segfault", "extractor_crashed"),
        ("abort", "extractor_crashed"),
        ("exit", "extractor_crashed"),
        ("raise an odd exception", "corrupt"),
        ("nest", "too_complex"),
        ("forge", "extractor_crashed"),
        ("write_garbage", "too_much_text"),
        ("eat_memory", "memory_limit"),
        ("hang", "timeout"),
        ("spin", "timeout"),
        ("flood_stderr", "timeout"),
        ("one_large_page 60000000", "too_much_text"),
        ("endless x", "too_many_pages"),
        ("pages_total 1001", "too_many_pages"),
    ],
)
def test_a_hostile_document_fails_alone(box: Box, document: Document, order: str, code: str) -> None:
    process = box(
        page_seconds=1 if code == "timeout" else 20,
        memory_bytes=400 << 20 if code == "memory_limit" else 1 << 30,
        max_characters=10_000_000,
    )
    error = failure(process, document(*([order] if order.startswith("pages") else ["page first", order]), "page last"))
    assert isinstance(error, PermanentError)
    assert error.code == code
    assert texts(process, document("page fine")) == ["fine"]


def test_pages_before_the_crash_were_handed_over(box: Box, document: Document) -> None:
    seen: list[str] = []
    with (
        pytest.raises(PermanentError),
        box().open(document("page one", "page two", "segfault"), "text/plain") as extraction,
    ):
        seen.extend(page.text for page in extraction)
    assert seen == ["one", "two"]


def test_a_kill_from_outside_is_not_blamed_on_the_document(box: Box, document: Document) -> None:
    error = failure(box(), document("page one", "die_like_oom_killed"))
    assert isinstance(error, TransientError)
    assert error.code == "extractor_crashed"


def test_a_process_that_died_between_documents_is_replaced_silently(box: Box, document: Document) -> None:
    process = box()
    process.start()
    pid = pid_of(process)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid))
    assert texts(process, document("page fine")) == ["fine"]


def test_a_small_file_that_takes_much_memory_is_too_complex(box: Box, document: Document) -> None:
    process = box(small_file_memory_bytes=300 << 20)
    assert failure(process, document("eat_memory")).code == "too_complex"
    large = document("eat_memory", "x" * LIMITS.small_file_bytes)
    assert failure(process, large).code == "memory_limit"
    assert texts(process, document("page fine")) == ["fine"]


def test_native_code_that_aborts_for_lack_of_memory_is_told_from_a_crash(box: Box, document: Document) -> None:
    """As pdfium does, without a word on standard error."""
    process = box(memory_bytes=400 << 20)
    assert failure(process, document("eat_memory_and_abort")).code == "memory_limit"
    assert failure(process, document("abort")).code == "extractor_crashed"


def test_another_tenant_gets_another_process_and_folder(box: Box, document: Document) -> None:
    process, who = box(), document("who")

    def seen_by(tenant: int) -> list[str]:
        with process.open(who, "text/plain", tenant=tenant) as extraction:
            return [page.text for page in extraction] + [str(workspace_of(process).path)]

    first, same, other, again = seen_by(1), seen_by(1), seen_by(2), seen_by(1)
    assert first == same
    assert not set(first) & set(other)
    assert again[0] not in (first[0], other[0]), "a process does not come back to its tenant"
    assert not Path(first[1]).exists()


def test_what_an_extractor_says_unasked_makes_it_unusable(box: Box, document: Document) -> None:
    process = box()
    assert texts(process, document("page one", "speak_later")) == ["one"]
    before = pid_of(process)
    wait_until(lambda: bool(select.select([process._running._frames], [], [], 0)[0]))  # type: ignore[union-attr]
    assert texts(process, document("page fine")) == ["fine"]
    assert pid_of(process) != before


def test_an_extractor_that_closes_its_pipes_and_stays_is_ended(box: Box, document: Document) -> None:
    process = box()
    assert failure(process, document("close_pipes")).code == "extractor_crashed"
    assert texts(process, document("page fine")) == ["fine"]


def test_a_missing_essential_wall_is_refused_where_all_are_required(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wall that no system has stands for one that this system lacks."""
    wall = Wall("what nobody can", "Do what nobody can.")
    monkeypatch.setattr(walls, "WALLS", {**walls.WALLS, "the moon": wall})
    strict, lenient = (ExtractorProcess(LIMITS, walls_required=required) for required in (True, False))
    with pytest.raises(DocmillError, match="Do what nobody can") as refused:
        strict.open(document("page one"), "text/plain")
    assert refused.value.code == "sandbox_incomplete"
    with lenient.open(document("one"), "text/plain") as extraction:
        assert [page.text for page in extraction] == ["one"]
    strict.close()
    lenient.close()


def test_only_files_are_lent_to_an_extractor(box: Box, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert failure(box(), tmp_path / "fifo").code == "corrupt"


def test_an_error_of_the_document_keeps_the_process(box: Box, document: Document) -> None:
    process = box()
    before = texts(process, document("who"))
    assert failure(process, document("encrypted")).code == "encrypted"
    assert texts(process, document("who")) == before


def test_too_many_characters_over_all_pages(box: Box, document: Document) -> None:
    process = box(max_characters=2500)
    assert failure(process, document("endless xx")).code == "too_much_text"


def test_a_process_that_grew_is_replaced(box: Box, document: Document) -> None:
    process = box(keep_memory_bytes=200 << 20)
    before = texts(process, document("who"))
    assert texts(process, document("grow 300000000")) == ["grown"]
    assert texts(process, document("who")) != before


def test_a_process_is_replaced_after_so_many_documents(box: Box, document: Document) -> None:
    process = box(keep_documents=2)
    pids = [texts(process, document("who"))[0] for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_what_libraries_print_does_not_break_the_pages(box: Box, document: Document) -> None:
    assert texts(box(), document("flood_stdout")) == ["after the flood"]


def test_leaving_a_document_early_ends_its_process(box: Box, document: Document) -> None:
    process = box()
    with process.open(document("page one", "hang"), "text/plain") as extraction:
        next(iter(extraction))
        pid = pid_of(process)
    assert is_gone(pid)
    assert texts(process, document("page fine")) == ["fine"]


class WorkerToldToStop:
    """Says to go on once, then to let the document go."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.asked > 1:
            raise HandedOverError


@pytest.mark.parametrize("order", ["hang", "spin", "flood_stderr"])
def test_a_document_is_let_go_while_its_page_is_read(box: Box, document: Document, order: str) -> None:
    process, worker = box(), WorkerToldToStop()
    extractor = FanoutExtractor(process, Row(), worker, has_helpers=False)
    process.start()
    pid = pid_of(process)
    seen: list[str] = []
    with pytest.raises(HandedOverError), extractor.open(document("page one", order), "text/plain") as extraction:
        seen.extend(page.text for page in extraction)
    assert worker.asked == 2
    assert seen == ["one"]
    assert is_gone(pid), "what was in the middle of a document reads no other"
    assert texts(process, document("page fine")) == ["fine"]


def test_a_document_is_let_go_before_its_first_page(box: Box, document: Document) -> None:
    process = box()
    process.start()
    pid = pid_of(process)
    with pytest.raises(HandedOverError):
        process.open(document("hang_at_once"), "text/plain", go_on=WorkerToldToStop())
    assert is_gone(pid)
    assert texts(process, document("page fine")) == ["fine"]


def test_a_document_is_let_go_while_it_is_looked_through(box: Box, document: Document) -> None:
    """The survey of the hostile reader never ends."""
    process = box()
    process.start()
    pid = pid_of(process)
    extractor = FanoutExtractor(process, Row(), WorkerToldToStop(), has_helpers=True)
    with pytest.raises(HandedOverError), extractor.open(document("page one"), "application/pdf"):
        pass
    assert is_gone(pid)
    assert texts(process, document("page fine")) == ["fine"]


def test_time_spent_asking_whether_to_go_on_is_not_the_documents(box: Box, document: Document) -> None:
    """The question takes longer than the page may; a document that goes on in time is read."""
    path = document("wait_for_word", "page fine")
    process = box(page_seconds=3, total_seconds=3)
    process.start()

    def slow_to_answer() -> None:
        (workspace_of(process).readable / "document.word").touch()
        until = time.monotonic() + 4
        wait_until(lambda: time.monotonic() > until)

    with process.open(path, "text/plain", go_on=slow_to_answer) as extraction:
        assert [page.text for page in extraction] == ["got word", "fine"]


def test_a_slow_consumer_is_not_timed_and_holds_the_extractor_back(box: Box, document: Document) -> None:
    path = document("count_pages_written")
    process = box(page_seconds=1.2, total_seconds=1.3)
    with process.open(path, "text/plain") as extraction:
        pages = iter(extraction)
        next(pages)
        # Longer than both limits: only waiting for the extractor counts.
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 1.4)
        for _ in range(50):
            next(pages)
        written = len((workspace_of(process).writable / "count").read_text())
    assert written < 1000, "the extractor ran ahead of its consumer"


def test_no_secret_reaches_the_extractor(box: Box, document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (names,) = texts(box(), document("environment"))
    assert not {"DATABASE_URL", "AWS_SECRET_ACCESS_KEY"} & set(names.split("\n"))


def test_the_extractor_cannot_reach_the_network(box: Box, document: Document) -> None:
    process = box()
    if "network" not in process.start().standing:
        pytest.skip("this system does not let a process leave the network")
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert texts(process, document(f"connect {server.getsockname()[1]}")) != ["connected"]


def test_files_that_a_document_leaves_behind_are_removed(box: Box, document: Document) -> None:
    process = box()
    (workspace,) = texts(process, document("leave_file"))
    assert (Path(workspace) / "left-behind").exists()
    process.close()
    assert not Path(workspace).exists()


def test_another_thread_gets_a_process_of_its_own(box: Box, document: Document) -> None:
    process, seen = box(), []
    before = texts(process, document("who"))
    thread = threading.Thread(target=lambda: seen.extend(texts(process, document("who"))))
    thread.start()
    thread.join()
    assert len(seen) == 1 and seen != before


WORKER = """
import sys
from pathlib import Path
from docmill.pipeline.extract.sandbox.process import ExtractorProcess
process = ExtractorProcess(reader="tests.unit.hostile_reader")
process.start()
print(process.pid, flush=True)
for page in process.open(Path(sys.argv[1]), "text/plain"):
    print(page.text, flush=True)
"""


def test_a_killed_worker_takes_its_extractor_along_and_leaves_no_files(
    box: Box, document: Document, tmp_path: Path
) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(document("leave_file", "spin"))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    pid, workspace = int(worker.stdout.readline()), Path(worker.stdout.readline().strip())
    worker.kill()
    worker.wait()
    worker.stdout.close()
    wait_until(lambda: is_gone(pid))
    assert workspace.exists()  # nobody was left to remove it …
    tempfile.tempdir = str(tmp_path)
    try:
        assert texts(box(), document("page fine")) == ["fine"]
    finally:
        tempfile.tempdir = None
    assert not workspace.exists()  # … so the next extractor does
