"""A worker's parent speaks for a child that died: real Celery signals, the broker played."""

from collections.abc import Iterator
from typing import Any

import pytest
from billiard.exceptions import WorkerLostError
from celery.signals import task_failure

from docmill.worker import child_deaths
from docmill.worker.app import app
from docmill.worker.queues import ABANDONED, FAIL_TIMED_OUT, NEW, PROCESS_DOCUMENT, READ_PAGES
from tests.lifecycle.house import House

ARGS = ("documents/1/x/original", 1, "0f0e0d0c-0b0a-4908-8706-050403020100")
LOST = WorkerLostError("Worker exited prematurely: signal 9 (SIGKILL) Job: 0.")
ENDED_BY_ALARM = WorkerLostError("Worker exited prematurely: signal 14 (SIGALRM) Job: 0.")


@pytest.fixture(autouse=True)
def parent(house: House) -> Iterator[None]:
    """This process listens as a worker's parent does."""
    child_deaths._listen()
    yield
    task_failure.disconnect(child_deaths._say_so)


def dies(exception: BaseException, *, queue: str = NEW, task: str = PROCESS_DOCUMENT) -> None:
    """What a Celery worker's parent sends when the child that had a message of this queue is lost: the signal, with
    the message's request on the task's stack (celery.worker.request.Request.on_failure)."""
    sender: Any = app.tasks[task]
    args = ARGS if task == PROCESS_DOCUMENT else (ARGS[2],)
    sender.push_request(delivery_info={"routing_key": queue}, id="the-task", args=args)
    try:
        task_failure.send(sender=sender, task_id="the-task", exception=exception, args=args, kwargs={}, traceback=None)
    finally:
        sender.pop_request()


def test_a_killed_childs_document_goes_before_all_others(house: House) -> None:
    dies(LOST)
    (message,) = house.broker.taken()
    assert (message.task, message.args, message.queue) == (PROCESS_DOCUMENT, ARGS, ABANDONED)
    assert message.task_id == "the-task"


def test_a_document_that_kills_a_second_child_is_left_to_the_sweep(house: House) -> None:
    dies(LOST, queue=ABANDONED)
    assert house.broker.taken() == []


@pytest.mark.parametrize("queue", [NEW, ABANDONED])
def test_a_child_ended_by_its_stages_alarm_fails_its_document(house: House, queue: str) -> None:
    dies(ENDED_BY_ALARM, queue=queue)
    (message,) = house.broker.taken()
    assert (message.task, message.args, message.queue) == (FAIL_TIMED_OUT, (ARGS[2],), ABANDONED)


def test_a_task_that_fails_by_itself_has_lost_no_child(house: House) -> None:
    dies(ValueError("a bug"))
    assert house.broker.taken() == []


def test_a_child_that_read_pages_for_others_leaves_no_document(house: House) -> None:
    dies(LOST, task=READ_PAGES)
    assert house.broker.taken() == []


def test_a_broker_that_is_down_does_not_end_the_parent(house: House) -> None:
    house.broker.down = True
    dies(LOST)
