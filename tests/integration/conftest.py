"""One whole docmill, started as a user would, shared by all integration tests; each test has tenants of its own."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from docmill.cli.background import BackgroundSystem, background_system, own_environ
from docmill.documents.models import ApiKey
from docmill.embedded.ports import free_port
from tests.database import models_work_on
from tests.integration.tenant import Tenant


@pytest.fixture(scope="session")
def system() -> Iterator[BackgroundSystem]:
    """A running `docmill up` in a temporary home."""
    with tempfile.TemporaryDirectory(prefix="docmill-test-") as folder:
        home = Path(folder) / "home"
        with background_system(
            home, port=free_port(), environ=own_environ({"SWEEP_SECONDS": "1", "BODY_IDLE_SECONDS": "8"})
        ) as started:
            yield started


def superuser_url(system: BackgroundSystem) -> str:
    """The same database as its superuser sees it, whom the service never is."""
    run, at = system.home.path / "run", httpx.URL(database_url(system))
    return f"postgresql://docmill:{(run / 'postgres.password').read_text().strip()}@{at.host}:{at.port}{at.path}"


def database_url(system: BackgroundSystem) -> str:
    """Where a running system's database answers."""
    running = system.home.running()
    assert running is not None
    return running.environ["DATABASE_URL"]


@pytest.fixture(scope="session")
def database(system: BackgroundSystem, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Django's models in this process work on the shared system's database."""
    with django_db_blocker.unblock(), models_work_on(database_url(system)):
        yield


@pytest.fixture
def new_tenant(system: BackgroundSystem, database: None) -> Iterator[Callable[[], Tenant]]:
    """Makes tenants that own nothing yet."""
    made: list[Tenant] = []

    def make() -> Tenant:
        user = User.objects.create_user(f"tenant-{uuid4()}")
        key, secret = ApiKey.create(user)

        def revoke() -> None:
            ApiKey.objects.filter(id=key.id).update(revoked_at=timezone.now())

        made.append(Tenant(system.url, secret, revoke))
        return made[-1]

    yield make
    for tenant in made:
        tenant.close()


@pytest.fixture
def tenant(new_tenant: Callable[[], Tenant]) -> Tenant:
    return new_tenant()


@pytest.fixture
def stranger(new_tenant: Callable[[], Tenant]) -> Tenant:
    """Another tenant."""
    return new_tenant()
