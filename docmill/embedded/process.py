"""One server process of a home: start, find again after a crash of whoever started it, stop, kill."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from docmill.embedded import launch
from docmill.embedded.secrets import write_private

LOG_BYTES = 20_000_000


class ServerError(RuntimeError):
    """A server did not start or did not stay up; the message ends with the last lines of its log."""


def birth(pid: int) -> str | None:
    """What tells this process from a later one with the same id; None when there is no such process.

    On Linux the boot and the clock tick of the start, which no change of the wall clock moves.
    """
    try:
        if sys.platform.startswith("linux"):
            ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + ":" + ticks
        return str(psutil.Process(pid).create_time())
    except (OSError, psutil.Error):
        return None


def spawn(
    command: Sequence[str],
    log: Path,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    owner: int | None = None,
    death_signal: int = signal.SIGTERM,
) -> "subprocess.Popen[bytes]":
    """Start a program in its own session, output appended to `log`; it gets `death_signal` when this process dies.

    The operating system ties that signal to the *thread* that starts the program, so it is asked for only on the main
    thread; elsewhere the process record is what finds the program again.
    """
    parent = str(os.getpid()) if threading.current_thread() is threading.main_thread() else "-"
    launcher = [sys.executable, "-I", "-S", launch.__file__, "-" if owner is None else str(owner), parent]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*launcher, str(int(death_signal)), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environ is None else dict(environ),
            cwd=cwd,
            start_new_session=True,
        )


class ServerProcess:
    """A process of a home: data in `home/NAME`, output in `home/logs/NAME.log`, a record of its id in `home/run`.

    Subclasses give `command()`, `answers()` and `url`. A start first ends what an earlier owner of the home left
    running, so it works after a kill -9 of the server, of whoever started it, or of both.
    """

    name: str
    stop_signal: int = signal.SIGTERM
    start_seconds = 30.0
    stop_seconds = 5.0

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0

    # --- what each server tells ---
    @property
    def url(self) -> str:
        """Where the server is reached once it is started."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make what the server needs in its data directory, which exists."""

    def command(self) -> list[str]:
        raise NotImplementedError

    def environ(self) -> Mapping[str, str] | None:
        """The environment to run in; None for this process's."""
        return None

    def answers(self) -> bool:
        """Whether the server does its work now."""
        raise NotImplementedError

    def owner(self) -> int | None:
        """The user id that the server runs as, when not this one."""
        return None

    # --- life ---
    @property
    def data(self) -> Path:
        return self.home / self.name

    @property
    def log(self) -> Path:
        return self.home / "logs" / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the process ended, negative for a signal; None while it runs or when it was never started."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start and return when the server answers. Raises ServerError. Nothing happens when it runs already."""
        if self.running:
            return
        self.begin()
        while not self.ready():
            time.sleep(0.02)

    def begin(self) -> None:
        """Start without waiting for an answer."""
        self.home.mkdir(parents=True, exist_ok=True)
        for directory in (self.home / "run", self.log.parent, self.data):
            directory.mkdir(mode=0o700, exist_ok=True)
        self._end_leftover()
        self.turn_log()
        self.prepare()
        self._process = spawn(
            self.command(),
            self.log,
            environ=self.environ(),
            cwd=self.data,
            owner=self.owner(),
            death_signal=self.stop_signal,
        )
        self._began = time.monotonic()
        write_private(self._record, json.dumps({"pid": self._process.pid, "birth": birth(self._process.pid)}))

    def ready(self) -> bool:
        """Whether the server that was begun answers. Raises ServerError when it ended or takes too long."""
        if self.running and self.answers():
            return True
        if self.running and time.monotonic() - self._began < self.start_seconds:
            return False
        code = self.exit_code
        self.kill()
        why = f"ended with {code}" if code is not None else f"did not answer within {self.start_seconds:.0f} s"
        raise ServerError(f"{self.name} {why}; the end of {self.log}:\n{self._log_tail()}")

    def stop(self) -> None:
        """Ask the server to end, wait, and kill it when it takes longer than `stop_seconds`."""
        self.ask_to_stop()
        self.wait_stopped()

    def ask_to_stop(self) -> None:
        """Signal the process itself, not its children: they are its own to stop."""
        if self._process and self.running:
            self._process.send_signal(self.stop_signal)

    def wait_stopped(self, seconds: float | None = None) -> None:
        """Return when the process has ended: by itself within `seconds`, or killed with its children."""
        if self._process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self.stop_seconds if seconds is None else seconds)
        self.kill()
        self._record.unlink(missing_ok=True)

    def kill(self) -> None:
        """kill -9 of the process and its children, as a crash would: nothing is saved, no record is cleared."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    # --- the record and the log ---
    @property
    def _record(self) -> Path:
        return self.home / "run" / f"{self.name}.json"

    def _end_leftover(self) -> None:
        """End the process that the record names, if it still is the same."""
        pid = recorded_process(self._record)
        if pid is not None:
            end_process(pid, self.stop_signal, self.stop_seconds)

    def turn_log(self) -> None:
        """Keep a log that has grown large as `NAME.log.1` and go on with an empty one, while the process writes."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:]) if self.log.exists() else ""


def recorded_process(record: Path) -> int | None:
    """The id in a process record (`{"pid", "birth"}`) if that very process is alive."""
    try:
        entry = json.loads(record.read_text())
        pid = int(entry["pid"])
    except (OSError, ValueError, KeyError):
        return None
    return pid if entry.get("birth") is not None and birth(pid) == entry["birth"] else None


def end_process(pid: int, stop_signal: int, seconds: float) -> None:
    """Signal a process that is not a child of this one, wait, and kill it after `seconds`."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.send_signal(stop_signal)
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)
