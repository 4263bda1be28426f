"""One real PostgreSQL for all; around it strict fakes, which each test gets anew with an empty database."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoDbBlocker

import docmill.api.tasks  # noqa: F401 (the broker's fake knows the registered tasks)
from docmill import adapters
from docmill.documents import attempt, ocr_fanout, recovery, reindexing, stage_clock
from docmill.embedded import servers
from docmill.worker import shutdown
from docmill.worker.app import app
from tests.database import models_work_on
from tests.lifecycle.clock import Clock
from tests.lifecycle.fakes import FakeChunker
from tests.lifecycle.house import House

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """An attempt sets this process's one alarm, so these tests' time is kept by a thread."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(60, method="thread"))


@pytest.fixture(scope="session")
def database_url(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A migrated database on a PostgreSQL of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="docmill-test-") as folder,
        servers(Path(folder) / "home", valkey=False, s3=False) as endpoints,
    ):
        with django_db_blocker.unblock(), models_work_on(endpoints.database_url):
            call_command("migrate", verbosity=0)
        yield endpoints.database_url


@pytest.fixture
def database(database_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Empty tables, with each write committed at once: locks are taken by sessions of their own."""
    with django_db_blocker.unblock(), models_work_on(database_url):
        yield
        with connection.cursor() as cursor:
            tables = connection.introspection.django_table_names(only_existing=True)
            kept = {"django_migrations", "django_content_type", "auth_permission"}
            cursor.execute("SET session_replication_role = replica")  # in any order
            cursor.execute(";".join(f"DELETE FROM {table}" for table in tables if table not in kept))


@pytest.fixture
def house(database: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> House:
    house = House(tmp_path)
    for what in ("DOCUMENTS", "BYTES", "PAGES", "TOKENS"):  # counted in Redis, which is not here
        monkeypatch.setattr(settings, f"LIMIT_{what}_PER_DAY", 0)
    parts = {
        "originals": lambda: house.originals,
        "extractor": lambda: house.extractor,
        "chunker": lambda options: FakeChunker(),
        "embedder": lambda: house.embedder,
        "vector_store": lambda: house.store,
    }
    for name, part in parts.items():
        monkeypatch.setattr(adapters, name, part)
    monkeypatch.setattr(app, "send_task", house.broker.send_task)
    monkeypatch.setattr(redis.Redis, "from_url", lambda *_, **__: house.broker)
    monkeypatch.setattr(shutdown, "_asked_at", bytearray(8))
    monkeypatch.setattr(timezone, "now", house.clock.now)
    for module in (attempt, ocr_fanout, recovery, reindexing, shutdown, stage_clock):
        monkeypatch.setattr(module, "time", house.clock)
    house.open()
    return house


@pytest.fixture
def clock(house: House) -> Clock:
    return house.clock
