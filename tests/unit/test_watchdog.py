"""A worker that takes nothing though messages wait and a child is idle is ended; every other is left alone."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state
from django.conf import settings

from docmill.worker import watchdog
from docmill.worker.queues import NEW

CHILDREN = 2


class Worker:
    """A worker's parent as the watchdog sees it, look by look."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.waiting: int | None = 1
        self.taken, self.in_hand = [0], set[int]()
        self.ended_at: list[int] = []
        self.looks = 0
        pool, queues = SimpleNamespace(num_processes=CHILDREN), SimpleNamespace(consume_from={NEW: None})
        parent: Any = SimpleNamespace(pool=pool, app=SimpleNamespace(amqp=SimpleNamespace(queues=queues)))
        self._dog: Any = watchdog.Watchdog(parent)
        patch.setattr(settings, "WORKER_WATCHDOG_SECONDS", 60.0)
        patch.setattr(state, "all_total_count", self.taken)
        patch.setattr(state, "reserved_requests", self.in_hand)
        patch.setattr(watchdog, "messages_waiting", lambda queues: self.waiting if NEW in queues else 0)
        patch.setattr(watchdog, "end_this_worker", self._end)

    def _end(self) -> None:
        self.ended_at.append(self.looks)
        self._dog._stopped = SimpleNamespace(wait=lambda seconds: True)

    def is_watched(self, looks: int, meanwhile: Callable[[int], None] = lambda look: None) -> list[int]:
        """After which of so many looks it was ended."""

        def wait(seconds: float) -> bool:
            assert seconds == 10.0, "six looks in the time that the setting names"
            self.looks += 1
            meanwhile(self.looks)
            return self.looks > looks

        self._dog._stopped = SimpleNamespace(wait=wait)
        self._dog._watch()
        return self.ended_at


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(monkeypatch)


def test_a_deaf_worker_is_ended_when_six_looks_in_a_row_saw_nothing_taken(worker: Worker) -> None:
    assert worker.is_watched(20) == [7], "the first look has nothing to compare with"


def test_a_worker_that_only_waits_is_left_alone(worker: Worker) -> None:
    worker.waiting = 0
    assert worker.is_watched(20) == []


def test_a_worker_whose_broker_is_away_is_left_alone(worker: Worker) -> None:
    worker.waiting = None
    assert worker.is_watched(20) == []


def test_a_busy_worker_is_left_alone(worker: Worker) -> None:
    worker.in_hand |= set(range(CHILDREN))
    assert worker.is_watched(20) == []


def test_a_worker_that_takes_now_and_then_is_left_alone(worker: Worker) -> None:
    def takes_one(look: int) -> None:
        worker.taken[0] += look % 5 == 0

    assert worker.is_watched(30, takes_one) == []


def test_one_child_that_is_busy_does_not_excuse_the_others(worker: Worker) -> None:
    worker.in_hand.add(1)
    assert worker.is_watched(20) == [7]
