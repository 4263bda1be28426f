"""Housekeeping goes on whatever the clock says."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine
from celery import Celery

from docmill.worker.beat import Every, SteadyScheduler


def test_a_clock_that_was_set_back_makes_it_due() -> None:
    every = Every(5)
    due, again_in = every.is_due(every.now() + timedelta(hours=1))
    assert due
    assert again_in == 5


def test_it_is_due_once_in_its_seconds() -> None:
    every = Every(3600)
    assert not every.is_due(every.now()).is_due
    assert every.is_due(every.now() - timedelta(hours=1)).is_due


class Beat(SteadyScheduler):
    """Counts what it would send."""

    sent = 0

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        self.sent += 1


def test_beat_goes_on_at_once_when_the_clock_is_set_back(tmp_path: Path) -> None:
    app = Celery(broker="memory://", set_as_current=False)
    app.conf.beat_schedule = {"sweep": {"task": "sweep", "schedule": Every(5)}}
    now = datetime.now(UTC)
    with time_machine.travel(now, tick=False) as clock:
        beat = Beat(app, schedule_filename=str(tmp_path / "beat"))
        assert 0 < beat.tick() <= 5 and beat.sent == 0
        clock.shift(6)
        beat.tick()
        assert beat.sent == 1
        clock.shift(-3600)
        beat.tick()
        assert beat.sent == 2
        assert 0 < beat.tick() <= 5
        beat.close()
