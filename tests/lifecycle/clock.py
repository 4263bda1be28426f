"""The time of a test: it passes when the test says so."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """The wall's clock and the one that nobody sets, in place of the modules `time` and `timezone.now`."""

    def __init__(self) -> None:
        self._wall = datetime(2031, 5, 4, 12, tzinfo=UTC)
        self._monotonic = 1000.0
        self.on_sleep: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def passes(self, seconds: float) -> None:
        """Time goes by."""
        self._wall += timedelta(seconds=seconds)
        self._monotonic += seconds

    def is_set(self, seconds: float) -> None:
        """Somebody sets the wall's clock forward, or back."""
        self._wall += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        self.passes(seconds)
        self.on_sleep()
