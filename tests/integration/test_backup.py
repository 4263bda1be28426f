"""A home in one file: stopped, backed up, restored elsewhere, it goes on as if nothing had been."""

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from docmill.cli.background import BackgroundSystem, background_system, own_environ
from docmill.embedded.ports import free_port
from tests.integration.tenant import Tenant


@pytest.fixture
def folder() -> Iterator[Path]:
    """Somewhere short: pytest's own folders belong to one user only."""
    with tempfile.TemporaryDirectory(prefix="docmill-test-") as path:
        yield Path(path)


def docmill(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "docmill", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))


def tenant_of(system: BackgroundSystem) -> Tenant:
    return Tenant(system.url, system.home.api_key() or "", revoke_key=lambda: None)


def a_system(home: Path) -> AbstractContextManager[BackgroundSystem]:
    return background_system(home, port=free_port(), options=("--concurrency", "1"), environ=own_environ())


def test_a_restored_home_has_documents_vectors_and_keys(folder: Path) -> None:
    with a_system(folder / "first") as running:
        owner = tenant_of(running)
        uploaded = owner.ingest("harbour.txt", b"The lamp of the harbour was lit at dusk by the pilot.")
        key = running.home.api_key()
        refused = docmill("backup", folder / "too-early.tar.gz", "--home", folder / "first")
        assert refused.returncode == 1
        assert "already runs" in refused.stderr
    made = docmill("backup", folder / "kept.tar.gz", "--home", folder / "first")
    assert made.returncode == 0, made.stderr
    assert (folder / "kept.tar.gz").stat().st_mode & 0o077 == 0, "it holds keys"
    assert docmill("restore", folder / "kept.tar.gz", "--home", folder / "second").returncode == 0
    with a_system(folder / "second") as running:
        assert running.home.api_key() == key
        owner = tenant_of(running)
        assert owner.search("Who lit the lamp?")[0]["document_id"] == uploaded["document_id"]
        original = owner.get(f"/api/documents/{uploaded['document_id']}/content/")
        assert b"lit at dusk" in httpx.get(original.headers["location"]).content
        assert owner.ingest("garden.txt", b"The garden was dug by the engineer.")["status"] == "completed"


def test_only_a_backup_is_restored_and_only_to_a_new_home(folder: Path) -> None:
    (folder / "used").mkdir()
    (folder / "used" / "file").touch()
    with tarfile.open(folder / "other.tar.gz", "w:gz") as archive:
        archive.add(folder / "used", "../used")
    (folder / "noise.tar.gz").write_bytes(b"noise")
    for name, home, said in (
        ("other.tar.gz", "used", "is not empty"),
        ("other.tar.gz", "new", "is no backup"),
        ("noise.tar.gz", "new", "damaged or no backup"),
    ):
        refused = docmill("restore", folder / name, "--home", folder / home)
        assert refused.returncode == 1
        assert said in refused.stderr
    assert not (folder / "new").exists()
    assert {path.name for path in folder.iterdir()} == {"used", "other.tar.gz", "noise.tar.gz"}
