"""`docmill up`, as its user meets it: it mends itself, survives its own death, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from docmill.cli.background import BackgroundSystem, background_system, own_environ
from docmill.embedded.ports import free_port
from docmill.up.home import SUPERVISED
from tests.integration.files import docx

PARTS = ("postgres", "valkey", "s3", "web", "worker-1", "housekeeping", "flower")


@pytest.fixture(scope="module")
def up() -> Iterator[BackgroundSystem]:
    """A system of this module's own, for the tests kill it."""
    with tempfile.TemporaryDirectory(prefix="docmill-test-") as folder:
        options = ("--concurrency", "1")
        home = Path(folder) / "home"
        with background_system(home, port=free_port(), options=options, environ=own_environ()) as started:
            yield started


def process_of(system: BackgroundSystem, part: str) -> int:
    record = system.home.path / "run" / f"{part}.json"
    return int(json.loads(record.read_text())["pid"])


def left_running(system: BackgroundSystem) -> list[psutil.Process]:
    """Every process that works for this home: told by its command line or its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = str(system.home.path) in " ".join(process.cmdline())
            mine = mine or process.environ().get(SUPERVISED) == str(system.home.path)
        except psutil.Error:
            continue
        if mine and process.pid != os.getpid():
            found.append(process)
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def test_a_second_one_on_the_same_home_is_refused_and_told_where_the_first_runs(up: BackgroundSystem) -> None:
    command = [sys.executable, "-m", "docmill", "up", "--home", str(up.home.path), "--port", str(free_port())]
    second = subprocess.run(command, env=own_environ(), capture_output=True, text=True)
    assert second.returncode == 1
    assert up.url in second.stderr


def test_every_part_that_dies_is_started_again(up: BackgroundSystem) -> None:
    before = {part: process_of(up, part) for part in PARTS}
    for process in before.values():
        os.kill(process, signal.SIGKILL)
    wait_for(lambda: all(process_of(up, part) != before[part] for part in PARTS))
    with up.client as client:

        def is_well() -> bool:
            try:
                return bool(client.readiness()["status"] == "ok")
            except (RuntimeError, ValueError):
                return False

        wait_for(is_well)


def test_it_starts_again_at_once_after_its_own_kill_with_all_its_documents(
    up: BackgroundSystem, tmp_path: Path
) -> None:
    file = tmp_path / "lighthouse.docx"
    file.write_bytes(docx("The lighthouse keeper winds the clockwork every four hours."))
    with up.client as client:
        (ended,) = [
            state
            for state in client.follow([client.ingest(file)["document_id"]])
            if state["status"] in ("completed", "failed")
        ]
        assert ended["status"] == "completed", ended["error"]
    os.kill(up.pid, signal.SIGKILL)
    up.start()
    with up.client as client:
        assert client.search("How often is the clockwork wound?")[0]["filename"] == "lighthouse.docx"


def test_sigterm_ends_every_process_and_is_no_failure(up: BackgroundSystem) -> None:
    assert up.stop() == 0
    assert left_running(up) == []
