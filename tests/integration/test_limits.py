"""No client takes the service from the others: limits a key, an address, a tenant and a day, told in headers."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from django.contrib.auth.models import User

from docmill.cli.background import BackgroundSystem, background_system, own_environ
from docmill.documents.models import ApiKey
from docmill.embedded.ports import free_port
from tests.database import models_work_on
from tests.integration.files import docx
from tests.integration.tenant import Tenant
from tests.integration.test_bad_input import assert_problem
from tests.integration.test_up import process_of

LIMITS = {
    "LIMIT_REQUESTS_PER_MINUTE": "200",
    "LIMIT_ADDRESS_REQUESTS_PER_MINUTE": "1500",
    "LIMIT_WRONG_KEYS_PER_MINUTE": "5",
    "LIMIT_DOCUMENTS_PER_DAY": "3",
    "LIMIT_BYTES_PER_DAY": "300000",
    "LIMIT_PAGES_PER_DAY": "2",
}


@pytest.fixture(scope="module")
def limited(django_db_blocker: pytest.FixtureRequest) -> Iterator[BackgroundSystem]:
    """A system with low limits."""
    with tempfile.TemporaryDirectory(prefix="docmill-test-") as folder:
        options = ("--concurrency", "1")
        environ = own_environ(LIMITS)
        with (
            background_system(Path(folder) / "home", port=free_port(), options=options, environ=environ) as started,
            django_db_blocker.unblock(),  # type: ignore[attr-defined]
            models_work_on(database_of(started)),
        ):
            yield started


def database_of(system: BackgroundSystem) -> str:
    running = system.home.running()
    assert running is not None
    return running.environ["DATABASE_URL"]


def new_tenant(system: BackgroundSystem) -> Tenant:
    _, secret = ApiKey.create(User.objects.create_user(f"tenant-{uuid4()}"))
    return Tenant(system.url, secret, lambda: None)


def text(words: str) -> bytes:
    return docx(f"{words} {uuid4()}")


def test_a_key_is_told_how_much_is_left_and_then_when_to_come_again(limited: BackgroundSystem) -> None:
    tenant, other = new_tenant(limited), new_tenant(limited)
    first = tenant.get("/api/documents/")
    assert first.headers["RateLimit-Policy"] == '"key";q=200;w=60'
    assert first.headers["RateLimit"].startswith('"key";r=199;t=')
    answers = [tenant.get("/api/documents/") for _ in range(201)]
    assert [answer.status_code for answer in answers[:190]] == [200] * 190
    refused = answers[-1]
    assert_problem(refused, 429, "too_many_requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert ";r=0;" in refused.headers["RateLimit"]
    assert other.get("/api/documents/").status_code == 200


def test_documents_a_day_are_counted_and_known_ones_are_free(limited: BackgroundSystem) -> None:
    tenant, other = new_tenant(limited), new_tenant(limited)
    same = text("one")
    assert [tenant.upload(f"{n}.docx", content).status_code for n, content in enumerate((same, same))] == [202, 200]
    assert tenant.upload("2.docx", text("two")).status_code == 202
    assert tenant.upload("3.docx", text("three")).status_code == 202
    refused = tenant.upload("4.docx", text("four"))
    assert_problem(refused, 429, "too_many_requests")
    assert 3600 < int(refused.headers["Retry-After"]) <= 86400
    assert refused.headers["RateLimit-Policy"] == '"documents";q=3;w=86400'
    assert tenant.upload("0.docx", same).status_code == 200
    assert other.upload("1.docx", text("another")).status_code == 202


def test_bytes_and_pages_a_day_are_counted(limited: BackgroundSystem) -> None:
    tenant, reader = new_tenant(limited), new_tenant(limited)
    large = tenant.upload("large.txt", os.urandom(150_001).hex().encode())
    assert_problem(large, 429, "too_many_requests")
    assert "bytes" in large.json()["detail"]
    for _ in range(2):
        reader.ingest("page.docx", text("a page"))
    refused = reader.upload("page.docx", text("a page"))
    assert_problem(refused, 429, "too_many_requests")
    assert "pages" in refused.json()["detail"]


def test_wrong_keys_slow_an_address_down_and_right_ones_go_on(limited: BackgroundSystem) -> None:
    right = new_tenant(limited)
    wrong = httpx.Client(base_url=limited.url, headers={"Authorization": "Bearer dm_guess"})
    answers = [wrong.get("/api/documents/") for _ in range(4)] + [
        wrong.post("/api/ingest/", content=b"x") for _ in range(4)
    ]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert right.get("/api/documents/").status_code == 200
    assert httpx.get(f"{limited.url}/api/documents/").status_code == 401, "no key is no wrong key"


def test_without_redis_reads_go_on_and_uploads_wait(limited: BackgroundSystem) -> None:
    tenant = new_tenant(limited)
    valkey = process_of(limited, "valkey")
    os.kill(valkey, signal.SIGSTOP)
    try:
        assert tenant.get("/api/documents/").status_code == 200
        refused = tenant.upload("a.docx", text("a"))
        assert_problem(refused, 503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
    finally:
        os.kill(valkey, signal.SIGCONT)
    deadline = time.monotonic() + 30
    while tenant.upload("a.docx", text("b")).status_code != 202:
        assert time.monotonic() < deadline


def test_an_address_has_a_limit_of_its_own(limited: BackgroundSystem) -> None:
    with httpx.Client(base_url=limited.url) as anybody:
        answers = [anybody.get("/api/schema/" if n < 2 else "/nothing") for n in range(1550)]
        assert "RateLimit" in answers[0].headers or answers[0].status_code == 429
        assert_problem(answers[-1], 429, "too_many_requests")
        assert anybody.get("/healthz").status_code == 200
