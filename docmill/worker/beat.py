"""A beat schedule that a clock set back does not silence."""

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from celery.beat import PersistentScheduler
from celery.schedules import schedstate, schedule

from docmill.worker.reconnecting import looking_often


class Every(schedule):
    """Every so many seconds. A last run that lies in the future, because the clock was set back since, makes it due;
    Celery's own schedule would wait until the clock gets there again."""

    def is_due(self, last_run_at: datetime) -> Any:
        """(whether it is due, seconds until the next look)."""
        if self.maybe_make_aware(last_run_at) > self.now() + timedelta(seconds=1):
            return schedstate(is_due=True, next=self.seconds)
        return super().is_due(last_run_at)


class SteadyScheduler(PersistentScheduler):
    """Beat's scheduler, which asks the schedule anew at every tick: times that it noted by a clock that was set back
    since would have it sleep until the clock gets there again."""

    @cached_property
    def connection(self) -> Any:
        """Celery waits ever longer for a broker that is away as beat starts."""
        return looking_often(super().connection)

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Run what is due; seconds until the next tick."""
        self._heap = None
        seconds: float = super().tick(*arguments, **options)
        return seconds
