"""The home directory of one installation, and what a running `docmill up` leaves there for the command line."""

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from docmill.embedded.process import birth, recorded_process
from docmill.embedded.secrets import write_private

HOME_VARIABLE = "DOCMILL_HOME"
SUPERVISED = "DOCMILL_SUPERVISED_HOME"  # in the environment of every process that `docmill up` starts


class HomeBusyError(RuntimeError):
    """Another `docmill up` runs on this home; the message says where."""


def chosen_home(given: Path | None = None) -> Path:
    """The home to use: what was given, else DOCMILL_HOME, else ~/.docmill."""
    return (given or Path(os.environ.get(HOME_VARIABLE) or "~/.docmill")).expanduser().resolve()


@dataclass(frozen=True, slots=True)
class Running:
    """A running system: its address, and the variables that name its parts."""

    url: str
    environ: Mapping[str, str]


class Home:
    """Paths and files of one home."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def api_key_file(self) -> Path:
        return self.path / "api-key"

    @property
    def secret_key_file(self) -> Path:
        return self.path / "run" / "secret-key"

    @property
    def flower_password_file(self) -> Path:
        """The password of the user `docmill` on Flower's pages."""
        return self.path / "run" / "flower-password"

    @property
    def temporary(self) -> Path:
        return self.path / "tmp"

    @property
    def _announcement(self) -> Path:
        return self.path / "run" / "up.json"

    def create(self) -> None:
        """Make the home, or close one that others may look into.

        PostgreSQL under root runs as another user, who passes through (docs/decisions/0040-postgresql-under-root.md).
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(self.path.stat().st_mode)
        self.path.chmod(mode & (0o711 if os.geteuid() == 0 else 0o700))
        for directory in (self.path / "run", self.path / "logs"):
            directory.mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the home; the hold ends with this process, however it ends. Raises HomeBusyError."""
        with (self.path / "run" / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                running = self.running()
                where = f" at {running.url}" if running else ""
                raise HomeBusyError(f"docmill up already runs{where} with the home {self.path}") from None
            yield

    def announce(self, running: Running) -> None:
        """Leave the address and the variables where commands in other terminals find them."""
        entry = {"pid": os.getpid(), "birth": birth(os.getpid()), "url": running.url, "environ": dict(running.environ)}
        write_private(self._announcement, json.dumps(entry))

    def withdraw(self) -> None:
        self._announcement.unlink(missing_ok=True)

    def running(self) -> Running | None:
        """What runs on this home now, None when nothing does."""
        if recorded_process(self._announcement) is None:
            return None
        try:
            entry = json.loads(self._announcement.read_text())
        except OSError:  # withdrawn since
            return None
        return Running(entry["url"], entry["environ"])

    def api_key(self) -> str | None:
        """The key that the first start made."""
        return self.api_key_file.read_text().strip() if self.api_key_file.exists() else None

    def end_leftovers(self) -> int:
        """Kill web and worker processes, and their children, of an earlier `docmill up` that was killed; how many."""
        ended, sessions = 0, self._sessions()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and self._is_ours(process, sessions):
                    process.kill()
                    ended += 1
        return ended

    def _is_ours(self, process: psutil.Process, sessions: set[int]) -> bool:
        try:
            return bool(process.environ().get(SUPERVISED) == str(self.path))
        except psutil.AccessDenied:  # workers hide their environment, and all else is in the session of one
            return os.getsid(process.pid) in sessions and any("docmill" in part for part in process.cmdline())

    def _sessions(self) -> set[int]:
        """The sessions of the processes that were started last, each named by its first process."""
        sessions = set()
        for record in (self.path / "run").glob("*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                sessions.add(int(json.loads(record.read_text())["pid"]))
        return sessions - {os.getsid(0)}
