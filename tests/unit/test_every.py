"""Housekeeping goes on whatever the clock says."""

from datetime import timedelta

from docmill.config.every import Every


def test_a_clock_that_was_set_back_makes_it_due() -> None:
    every = Every(5)
    due, again_in = every.is_due(every.now() + timedelta(hours=1))
    assert due
    assert again_in == 5


def test_it_is_due_once_in_its_seconds() -> None:
    every = Every(3600)
    assert not every.is_due(every.now()).is_due
    assert every.is_due(every.now() - timedelta(hours=1)).is_due
