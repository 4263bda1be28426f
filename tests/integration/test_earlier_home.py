"""A home that an earlier docmill made comes up with this one, its documents found.

`data/home-0.1.tar.xz` is what `docmill backup` wrote (packed anew) before the code was laid out by the life of a
document: two completed documents of the user `local`, embedded with all-MiniLM-L6-v2.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from docmill.cli.background import BackgroundSystem, background_system, own_environ
from docmill.embedded.ports import free_port
from docmill.up.backup import restore
from docmill.up.home import Home
from tests.integration.tenant import Tenant

EARLIER = Path(__file__).parent / "data" / "home-0.1.tar.xz"
LIGHTHOUSE = b"# Lighthouse log\n\nThe keeper of Gull Rock trims the lamp at nine each evening.\n\n" + (
    b"The fog signal sounds twice a minute when the bar is hidden.\n"
)


@pytest.fixture(scope="module")
def earlier() -> Iterator[BackgroundSystem]:
    """The earlier home, running with this code."""
    with tempfile.TemporaryDirectory(prefix="docmill-test-") as folder:
        home = Home(Path(folder) / "home")
        restore(EARLIER, home)
        options = ("--concurrency", "1")
        with background_system(home.path, port=free_port(), options=options, environ=own_environ()) as started:
            yield started


@pytest.fixture(scope="module")
def owner(earlier: BackgroundSystem) -> Iterator[Tenant]:
    with Tenant(earlier.url, earlier.home.api_key() or "", revoke_key=lambda: None) as tenant:
        yield tenant


def test_its_documents_are_found_with_the_key_of_then(owner: Tenant) -> None:
    documents = owner.get("/api/documents/").json()["results"]
    assert {(one["filename"], one["status"]) for one in documents} == {
        ("lighthouse.md", "completed"),
        ("parts.txt", "completed"),
    }
    assert owner.search("Who trims the lamp?")[0]["filename"] == "lighthouse.md"
    assert owner.search("ERR-7781-QX")[0]["filename"] == "parts.txt"


def test_it_keeps_the_model_of_its_index(earlier: BackgroundSystem) -> None:
    running = earlier.home.running()
    assert running is not None
    with psycopg.connect(running.environ["DATABASE_URL"]) as session:
        rows = session.execute("SELECT model, active FROM api_vectorindex").fetchall()
    assert rows == [("all-MiniLM-L6-v2-int8", True)]


def test_its_originals_and_contents_are_known(owner: Tenant) -> None:
    again = owner.upload("log.md", LIGHTHOUSE)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    original = owner.get(f"/api/documents/{again.json()['document_id']}/content/")
    assert httpx.get(original.headers["location"]).content == LIGHTHOUSE


def test_new_documents_join_the_old_ones(owner: Tenant) -> None:
    assert owner.ingest("ferry.txt", b"The ferry to Gull Rock leaves at noon.")["status"] == "completed"
    found = {hit["filename"] for hit in owner.search("Gull Rock", top_k=5)}
    assert {"ferry.txt", "lighthouse.md"} <= found
