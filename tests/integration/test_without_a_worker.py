"""DOCMILL_ASYNC=false: the work is done within the request."""

import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from docmill.cli.background import BackgroundSystem, own_environ
from docmill.embedded.ports import free_port
from docmill.up.processes import web_command
from tests.integration.files import docx, pdf
from tests.integration.tenant import Tenant


@pytest.fixture(scope="module")
def web(system: BackgroundSystem) -> Iterator[str]:
    """The address of another web process on the same servers, which does the work itself."""
    running = system.home.running()
    assert running is not None
    port = free_port()
    environ = own_environ({**running.environ, "DOCMILL_ASYNC": "false"})
    process = subprocess.Popen(web_command("127.0.0.1", port), env=environ, executable=sys.executable)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
    try:
        while True:
            try:
                httpx.get(f"{url}/healthz").raise_for_status()
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def post(web: str, tenant: Tenant, filename: str, content: bytes) -> httpx.Response:
    headers = {"Authorization": tenant.headers["Authorization"]}
    return httpx.post(f"{web}/api/ingest/", files={"file": (filename, content)}, headers=headers, timeout=60)


def test_the_answer_comes_when_the_document_has_ended(web: str, tenant: Tenant) -> None:
    answer = post(web, tenant, "done.docx", docx("The lantern on the pier is lit at dusk."))
    assert answer.status_code == 201
    assert (answer.json()["async"], answer.json()["status"]) == (False, "completed")
    assert tenant.search("When is the lantern lit?")[0]["filename"] == "done.docx"


def test_a_document_that_fails_says_so_in_the_answer(web: str, tenant: Tenant) -> None:
    answer = post(web, tenant, "locked.pdf", pdf("locked", password="hush"))
    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["error"]["code"]) == ("failed", "encrypted")
