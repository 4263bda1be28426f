"""The sweep finds every document that nobody works on, and enqueues it once a minute at most."""

import pytest

from docmill.documents import lifecycle
from docmill.documents.locks import document_lock
from docmill.documents.models import Document
from docmill.documents.recovery import PARENT_SPEAKS_WITHIN, Sweep, enqueue_left_open
from docmill.pipeline.errors import TransientError
from docmill.worker.queues import ABANDONED, BEGUN, NEW
from tests.lifecycle.clock import Clock
from tests.lifecycle.house import House


@pytest.fixture
def sweep(house: House) -> Sweep:
    return Sweep()


def enqueued(house: House, sweep: Sweep) -> list[tuple[str, str]]:
    """What one round enqueues: pairs of a document's id and a queue."""
    count = sweep.run()["enqueued"]
    messages = house.broker.taken()
    assert len(messages) == count
    return [(message.args[2], message.queue) for message in messages]


def retried(house: House) -> Document:
    """A document whose message for the planned retry is lost."""
    house.originals.trouble = TransientError("storage_unavailable")
    document = house.work_on(house.document())
    house.originals.trouble = None
    return document


def test_what_a_dead_worker_left_is_enqueued_once_its_parent_has_had_time_to_speak(
    house: House, sweep: Sweep, clock: Clock
) -> None:
    document = house.left_open()
    assert enqueued(house, sweep) == []
    clock.passes(PARENT_SPEAKS_WITHIN - 0.1)
    assert enqueued(house, sweep) == []
    clock.passes(0.1)
    assert enqueued(house, sweep) == [(str(document.id), ABANDONED)]


def test_a_document_that_a_worker_holds_is_not_enqueued(house: House, sweep: Sweep, clock: Clock) -> None:
    document = house.left_open()
    with document_lock(document.id):
        sweep.run()
        clock.passes(3600)
        assert enqueued(house, sweep) == []
    sweep.run()
    clock.passes(PARENT_SPEAKS_WITHIN)
    assert enqueued(house, sweep) == [(str(document.id), ABANDONED)]


def test_a_worker_that_starts_enqueues_what_dead_ones_left_at_once(house: House) -> None:
    document = house.left_open()
    house.document()
    assert enqueue_left_open() == 1
    assert [message.args[2] for message in house.broker.taken()] == [str(document.id)]


def test_a_retry_whose_message_was_lost_is_enqueued_ten_seconds_after_it_was_due(
    house: House, sweep: Sweep, clock: Clock
) -> None:
    document = retried(house)
    clock.passes(2 + 9.9)
    assert enqueued(house, sweep) == []
    clock.passes(0.2)
    assert enqueued(house, sweep) == [(str(document.id), BEGUN)]


def test_as_many_documents_are_enqueued_as_messages_were_lost_the_oldest_first(
    house: House, sweep: Sweep, clock: Clock
) -> None:
    documents = []
    for _ in range(3):
        documents.append(house.document())
        clock.passes(1)
    house.broker.send_task("docmill.api.tasks.process_document", ("key", 1, "id"), NEW)
    clock.passes(10)
    assert sweep.run()["enqueued"] == 2
    sent = house.broker.taken()[1:]
    assert [(message.args[2], message.queue) for message in sent] == [(str(one.id), NEW) for one in documents[:2]]


def test_a_fresh_document_is_left_to_its_own_message(house: House, sweep: Sweep, clock: Clock) -> None:
    document = house.document()
    clock.passes(9.9)
    assert enqueued(house, sweep) == []
    clock.passes(0.2)
    assert enqueued(house, sweep) == [(str(document.id), NEW)]


def test_a_document_given_back_goes_before_what_is_new(house: House, sweep: Sweep, clock: Clock) -> None:
    document = house.document()
    house.extractor.after_page = lambda number: house.tells_the_worker_to_stop()
    house.work_on(document)
    clock.passes(11)
    assert enqueued(house, sweep) == [(str(document.id), BEGUN)]


def test_a_message_carries_all_that_its_task_wants(house: House, sweep: Sweep, clock: Clock) -> None:
    document = house.document()
    clock.passes(11)
    sweep.run()
    (message,) = house.broker.taken()
    assert message.args == (document.s3_key, document.user_id, str(document.id))
    assert message.task_id == str(document.task_id)


def test_a_document_is_enqueued_once_a_minute_at_most(house: House, sweep: Sweep, clock: Clock) -> None:
    house.document()
    clock.passes(11)
    assert len(enqueued(house, sweep)) == 1
    clock.passes(59)
    assert enqueued(house, sweep) == []
    assert enqueued(house, Sweep()) == [], "nor by another process"
    clock.passes(2)
    assert len(enqueued(house, sweep)) == 1


def test_clocks_that_jump_to_and_fro_enqueue_nothing_twice(house: House, sweep: Sweep, clock: Clock) -> None:
    house.document()
    clock.passes(11)
    assert len(enqueued(house, sweep)) == 1
    for jump in (3600, -7200, 3600):
        clock.is_set(jump)
        clock.passes(5)
        assert enqueued(house, sweep) == []


def test_a_worker_that_begins_makes_the_next_message_possible_at_once(house: House, sweep: Sweep, clock: Clock) -> None:
    document = house.document()
    clock.passes(11)
    sweep.run()
    house.broker.taken()
    lifecycle.claim(document.id)
    sweep.run()
    clock.passes(PARENT_SPEAKS_WITHIN)
    assert enqueued(house, sweep) == [(str(document.id), ABANDONED)]


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_jumps_leaves_no_document_waiting(house: House, sweep: Sweep, clock: Clock, jump: float) -> None:
    waiting, retry, open_ = house.document(), retried(house), house.left_open()
    clock.is_set(jump)
    sent = dict(enqueued(house, sweep))
    clock.passes(PARENT_SPEAKS_WITHIN)
    sent |= dict(enqueued(house, sweep))
    assert sent == {str(waiting.id): NEW, str(retry.id): BEGUN, str(open_.id): ABANDONED}


def test_what_was_enqueued_before_a_clock_was_set_back_is_enqueued_again(
    house: House, sweep: Sweep, clock: Clock
) -> None:
    document = house.document()
    clock.passes(11)
    sweep.run()
    house.broker.taken()
    clock.is_set(-3600)
    assert enqueued(house, Sweep()) == [(str(document.id), NEW)], "another process has no memory of the first"


def test_a_broker_that_is_down_costs_no_minute(house: House, sweep: Sweep, clock: Clock) -> None:
    document = retried(house)
    clock.passes(13)
    house.broker.down = True
    assert enqueued(house, sweep) == []
    assert house.seen(document).enqueued_at is None
    house.broker.down = False
    assert enqueued(house, sweep) == [(str(document.id), BEGUN)]


def test_messages_are_not_taken_for_lost_while_the_broker_is_down(house: House, sweep: Sweep, clock: Clock) -> None:
    house.document()
    clock.passes(11)
    house.broker.down = True
    assert sweep.abandoned(clock.now()) == []


def test_a_document_that_a_worker_begins_meanwhile_is_not_enqueued(house: House, sweep: Sweep, clock: Clock) -> None:
    document = house.document()
    clock.passes(11)

    def a_worker_begins() -> None:
        lifecycle.claim(document.id)

    house.broker.on_count = a_worker_begins
    assert enqueued(house, sweep) == []


def test_what_ended_or_was_deleted_is_not_enqueued(house: House, sweep: Sweep, clock: Clock) -> None:
    house.completed()
    house.work_on(house.document(""))
    lifecycle.mark_deleted(house.document())
    clock.passes(3600)
    assert enqueued(house, sweep) == []
