"""A broker that comes back is found soon, however long it was away."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery
from kombu import Connection

from docmill.embedded.ports import free_port
from docmill.worker import celery_app
from docmill.worker.beat import SteadyScheduler
from docmill.worker.consumer import SteadyConsumer
from docmill.worker.reconnecting import LONGEST_PAUSE, looking_often


class AwayError(Exception):
    """Enough tries were seen."""


def pauses_of(connect: Callable[[Callable[..., None]], object], tries: int) -> list[float]:
    """The pauses between so many tries to connect, none of them waited for."""
    seen: list[float] = []

    def note(error: BaseException, pause: float) -> None:
        seen.append(pause)
        if len(seen) == tries:
            raise AwayError

    with pytest.raises(AwayError):
        connect(note)
    return seen


def test_the_pause_between_two_looks_stays_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda seconds: None)
    connection = looking_often(Connection(f"redis://127.0.0.1:{free_port()}/0"))
    pauses = pauses_of(connection.ensure_connection, tries=20)
    assert max(pauses) <= LONGEST_PAUSE[1]
    assert pauses[0] <= 1


class Consumer(SteadyConsumer):
    def __init__(self) -> None:
        """Without a worker around it."""


def test_workers_and_beat_look_often() -> None:
    made: list[Any] = []
    connection = Connection(f"redis://127.0.0.1:{free_port()}/0")
    consumer = Consumer()
    consumer.app = celery_app
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("celery.worker.consumer.Consumer.ensure_connected", lambda self, conn: made.append(conn))
        consumer.ensure_connected(connection)
    scheduler = SteadyScheduler(celery_app, lazy=True)
    for one in (*made, scheduler.connection):
        assert one.ensure_connection.keywords["interval_max"] <= LONGEST_PAUSE[1]


def test_what_is_in_hand_is_let_go_with_the_lost_connection() -> None:
    consumer = Consumer()
    consumer.app = Celery(set_as_current=False)
    consumer.app.conf.worker_enable_prefetch_count_reduction = False
    consumer.connection = Connection("memory://")
    name = uuid.uuid4().hex
    queue = consumer.connection.SimpleQueue(name)
    queue.put("a retry that is not due yet")
    queue.get(timeout=5)
    queue.channel.do_restore = True  # as on Redis
    consumer.on_connection_error_after_connected(ConnectionError("the broker is gone"))
    with Connection("memory://") as again:
        assert again.SimpleQueue(name).qsize() == 0
