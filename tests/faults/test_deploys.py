"""A system that is stopped in the middle of a document loses nothing, and goes on with it when it starts again."""

import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from docmill.cli.background import background_system, own_environ
from docmill.embedded.ports import free_port
from tests.faults.installation import prose, wait_until
from tests.integration.conftest import superuser_url


@pytest.mark.long
def test_docmill_up_gives_its_document_back_when_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_bytes(prose(11, 6000))
    with (
        tempfile.TemporaryDirectory(prefix="docmill-faults-") as folder,
        background_system(
            Path(folder) / "home", port=free_port(), options=("--concurrency", "1"), environ=own_environ()
        ) as up,
    ):
        with up.client as client:
            document_id = client.ingest(tmp_path / "long.txt")["document_id"]
            wait_until(lambda: client.document(document_id)["chunks_done"], 60, "the document is in work")
        began = time.monotonic()
        assert up.stop() == 0
        assert time.monotonic() - began < 30
        up.start()
        with up.client as client:
            wait_until(lambda: client.document(document_id)["status"] != "processing", 180, "the document ends")
            document = client.document(document_id)
        assert (document["status"], document["attempt"]) == ("completed", 2)
        assert document["vectors_reused"] > 0
        running = up.home.running()
        assert running is not None
        with psycopg.connect(superuser_url(up)) as database:
            assert database.execute("SELECT crashes FROM api_document").fetchall() == [(0,)], "a stop is no crash"
