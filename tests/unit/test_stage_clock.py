"""Stages end in time: those that notice with a reason, those that do not by the kernel."""

import signal
import subprocess
import sys

import pytest

from docmill.documents import stage_clock
from docmill.documents.stage_clock import StageClock
from docmill.pipeline.errors import PermanentError

LIMITS = {"extracting": 20.0, "embedding": 10.0}


class Time:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    fake = Time()
    monkeypatch.setattr(stage_clock, "time", fake)
    return fake


@pytest.fixture
def clock(time: Time) -> StageClock:
    """A clock without the kernel's alarm, which would end this process."""
    clock = StageClock(LIMITS, margin=60)
    clock._has_alarm = False
    return clock


def test_a_stage_beyond_its_limit_ends_as_timeout_with_its_name(time: Time, clock: StageClock) -> None:
    clock.enter("embedding")
    time.now += 9.9
    clock.check()
    time.now += 0.2
    with pytest.raises(PermanentError, match="'embedding' took longer than its limit of 10 s") as caught:
        clock.check()
    assert caught.value.code == "timeout"


def test_each_stage_has_its_own_time(time: Time, clock: StageClock) -> None:
    clock.enter("extracting")
    time.now += 19
    clock.enter("embedding")
    time.now += 9
    clock.check()


def test_waiting_for_quota_is_not_counted_and_waits_side_by_side_count_once(time: Time, clock: StageClock) -> None:
    clock.enter("embedding")
    clock.excuse(30)
    time.now += 1
    clock.excuse(29)
    time.now += 38
    clock.check()
    time.now += 2
    with pytest.raises(PermanentError):
        clock.check()


def test_code_that_never_gives_python_a_turn_is_ended_by_the_kernel() -> None:
    program = (
        "import re; from docmill.documents.stage_clock import StageClock\n"
        "StageClock({'chunking': 0.1}, margin=0.1).enter('chunking')\n"
        "re.match('(a+)+$', 'a' * 60 + 'b')"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == -signal.SIGALRM


def test_a_stopped_clock_ends_nothing(time: Time, clock: StageClock) -> None:
    clock.enter("embedding")
    clock.stop()
    time.now += 1000
    clock.check()
