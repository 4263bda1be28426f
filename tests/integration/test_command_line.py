"""The command line that scripts rely on, against a running system."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from docmill.cli.background import BackgroundSystem, own_environ
from tests.integration.files import docx, pdf


def docmill(system: BackgroundSystem, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the system's home, as its owner would in another terminal."""
    environ = own_environ({"DOCMILL_HOME": str(system.home.path), "NO_COLOR": "1"})
    return subprocess.run([sys.executable, "-m", "docmill", *words], env=environ, capture_output=True, text=True)


def test_ingest_search_and_status_speak_json(system: BackgroundSystem, tmp_path: Path) -> None:
    file = tmp_path / "observatory.docx"
    file.write_bytes(docx("The observatory opens its dome to visitors every second Thursday."))
    ingested = docmill(system, "ingest", str(file), "--wait", "--json")
    assert ingested.returncode == 0, ingested.stderr
    assert "completed" in ingested.stdout
    found = json.loads(docmill(system, "search", "When does the dome open to visitors?", "--json").stdout)
    best = found["results"][0] if isinstance(found, dict) else found[0]
    assert best["filename"] == "observatory.docx"
    status = docmill(system, "status", best["document_id"])
    assert status.returncode == 0
    assert "completed" in status.stdout


def test_a_document_that_fails_is_an_exit_status_of_1(system: BackgroundSystem, tmp_path: Path) -> None:
    file = tmp_path / "locked.pdf"
    file.write_bytes(pdf("locked", password="hush"))
    refused = docmill(system, "ingest", str(file), "--wait")
    assert refused.returncode == 1
    assert "encrypted" in refused.stdout + refused.stderr


def test_a_new_users_key_is_printed_alone_and_works(system: BackgroundSystem) -> None:
    name = f"user-{os.getpid()}"
    assert docmill(system, "user", "create", name).returncode == 0
    created = docmill(system, "apikey", "create", "--user", name)
    key = created.stdout.strip()
    assert created.stdout == f"{key}\n"
    environ = own_environ({"DOCMILL_URL": system.url, "DOCMILL_API_KEY": key})
    command = [sys.executable, "-m", "docmill", "status"]
    assert subprocess.run(command, env=environ, capture_output=True).returncode == 0


def test_the_doctor_finds_a_running_system_well(system: BackgroundSystem) -> None:
    looked = docmill(system, "doctor")
    assert looked.returncode == 0, looked.stdout + looked.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EMBEDDING_DIMENSIONS", "many"),
        ("GEMINI_REQUESTS_PER_MINUTE", ""),
        ("DATABASE_URL", "db.example.com"),
        ("SENTRY_DSN", "abc"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(variable: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docmill", "doctor"],
        capture_output=True, text=True, env=own_environ({variable: value}), check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"docmill: {variable} " in done.stderr
    assert "Traceback" not in done.stderr
