"""Flower shows every tenant's tasks, so it asks who looks, answers its own hosts, and never shows a secret."""

import json
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from docmill.cli.background import BackgroundSystem, own_environ
from docmill.embedded.ports import free_port
from docmill.up.processes import node_name
from docmill.worker.flower import spelled_out

WORKER = node_name("worker-1")
PAGES = ("/", "/workers", f"/worker/{WORKER}", "/tasks", "/broker", "/api/workers?refresh=1", "/api/tasks", "/metrics")


@pytest.fixture(scope="module")
def flower(system: BackgroundSystem) -> Iterator[httpx.Client]:
    """A visitor who has not logged in."""
    process = psutil.Process(json.loads((system.home.path / "run" / "flower.json").read_text())["pid"])
    with httpx.Client(base_url=f"http://127.0.0.1:{process.cmdline()[-1]}", timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def login(system: BackgroundSystem) -> httpx.BasicAuth:
    return httpx.BasicAuth("docmill", system.home.flower_password_file.read_text().strip())


@pytest.mark.parametrize("page", [*PAGES, f"/api/worker/shutdown/{WORKER}"])
def test_without_a_login_nothing_is_shown_or_done(flower: httpx.Client, page: str) -> None:
    method = "POST" if "shutdown" in page else "GET"
    assert flower.request(method, page).status_code == 401
    assert flower.request(method, page, auth=("docmill", "guessed")).status_code == 401


def test_the_login_of_the_home_opens_it_and_no_page_shows_a_secret(
    flower: httpx.Client, login: httpx.BasicAuth, system: BackgroundSystem
) -> None:
    running = system.home.running()
    assert running is not None
    secrets = [urlsplit(running.environ[name]).password for name in ("REDIS_URL", "DATABASE_URL")]
    secrets += [running.environ[name] for name in ("SECRET_KEY", "AWS_SECRET_ACCESS_KEY")]
    for page in PAGES:
        shown = flower.get(page, auth=login)
        assert shown.status_code == 200, page
        assert [secret for secret in secrets if not secret or secret in shown.text] == [], page


def test_a_foreign_host_is_refused_even_with_the_login(flower: httpx.Client, login: httpx.BasicAuth) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", ""):
        assert flower.get("/broker", auth=login, headers={"Host": host}).status_code == 400


def test_in_production_it_does_not_start_without_a_login() -> None:
    environ = own_environ()
    environ.pop("FLOWER_BASIC_AUTH", None)
    command = [sys.executable, "-m", "docmill", "flower", "--port", str(free_port())]
    refused = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert "FLOWER_BASIC_AUTH" in refused.stderr


def test_a_password_is_struck_as_it_is_written_and_as_it_is_meant() -> None:
    assert set(spelled_out(["redis://:p%40ssword@host/0", "a-long-key", "short"])) == {
        b"p%40ssword",
        b"a-long-key",
        b"p@ssword",
    }
