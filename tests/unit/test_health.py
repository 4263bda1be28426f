"""`docmill health`: a process that looks for messages lives, however long its documents take."""

import os
import time
from pathlib import Path

import pytest
from pytest_django import Settings

from docmill.cli.processes import health_of_web
from docmill.embedded.ports import free_port
from docmill.worker import heartbeat
from docmill.worker.heartbeat import LOST_AFTER, sign_of_life, trouble_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.TEMP_DIR = tmp_path
    monkeypatch.setattr(heartbeat, "messages_waiting", lambda queues: 0)
    return tmp_path


def touched(role: str, seconds_ago: float) -> None:
    sign_of_life(role).touch()
    moment = time.time() - seconds_ago
    os.utime(sign_of_life(role), (moment, moment))


@pytest.mark.parametrize("role", list(LOST_AFTER))
def test_a_process_that_looked_for_messages_lately_lives(role: str) -> None:
    touched(role, LOST_AFTER[role] / 2)
    assert trouble_of(role) == ""


@pytest.mark.parametrize("role", list(LOST_AFTER))
def test_a_process_that_has_not_looked_for_long_does_not(role: str) -> None:
    assert "begun" in trouble_of(role)
    touched(role, LOST_AFTER[role] * 2)
    assert role in trouble_of(role)


def test_a_worker_that_waits_for_its_broker_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    touched("worker", LOST_AFTER["worker"] * 2)
    monkeypatch.setattr(heartbeat, "messages_waiting", lambda queues: None)
    assert trouble_of("worker") == ""


def test_a_web_process_that_does_not_answer_is_not_healthy() -> None:
    assert "does not answer" in health_of_web(free_port())
