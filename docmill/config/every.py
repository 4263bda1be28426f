"""A beat schedule that a clock set back does not silence."""

from datetime import datetime, timedelta
from typing import Any

from celery.schedules import schedstate, schedule


class Every(schedule):
    """Every so many seconds. A last run that lies in the future, because the clock was set back since, makes it due;
    Celery's own schedule would wait until the clock gets there again."""

    def is_due(self, last_run_at: datetime) -> Any:
        """(whether it is due, seconds until the next look)."""
        if self.maybe_make_aware(last_run_at) > self.now() + timedelta(seconds=1):
            return schedstate(is_due=True, next=self.seconds)
        return super().is_due(last_run_at)
