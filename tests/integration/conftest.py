"""One whole docmill, started as a user would, shared by all integration tests; each test has tenants of its own."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import environ
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.utils import timezone

from docmill.cli.background import BackgroundSystem, background_system, own_environ
from docmill.documents.models import ApiKey
from docmill.embedded.ports import free_port
from tests.integration.tenant import Tenant


@pytest.fixture(scope="session")
def system() -> Iterator[BackgroundSystem]:
    """A running `docmill up` in a temporary home."""
    with tempfile.TemporaryDirectory(prefix="docmill-test-") as folder:
        home = Path(folder) / "home"
        with background_system(home, port=free_port(), environ=own_environ({"SWEEP_SECONDS": "1"})) as started:
            yield started


@contextmanager
def models_work_on(system: BackgroundSystem) -> Iterator[None]:
    """Django's models in this process work on a running system's database."""
    running = system.home.running()
    assert running is not None
    url, wrapper = running.environ["DATABASE_URL"], connections["default"]
    before = dict(wrapper.settings_dict), settings.DATABASE_URL
    connections.close_all()
    wrapper.settings_dict.update(environ.Env.db_url_config(url))
    settings.DATABASE_URL = url
    try:
        yield
    finally:
        connections.close_all()
        wrapper.settings_dict.update(before[0])
        settings.DATABASE_URL = before[1]


@pytest.fixture(scope="session")
def database(system: BackgroundSystem, django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """Django's models in this process work on the shared system's database."""
    with django_db_blocker.unblock(), models_work_on(system):
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
