"""One server process of a home: start, find again after a crash of whoever started it, stop, kill."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from docmill.embedded import launch


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
    """A server with its data under `home`, output in `home/logs/NAME.log`, a record of its process in `home/run`.

    Subclasses give `command()`, `answers()` and `url`. `start` first ends what an earlier owner of the home left
    running, so it works after a kill -9 of the server, of whoever started it, or of both.
    """

    name: str
    stop_signal: int = signal.SIGTERM
    start_seconds = 30.0
    stop_seconds = 15.0

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().resolve()
        self._process: subprocess.Popen[bytes] | None = None

    # --- what each server tells ---
    @property
    def url(self) -> str:
        raise NotImplementedError

    def prepare(self) -> None:
        """Make what the server needs in its data directory, which exists."""

    def command(self) -> list[str]:
        raise NotImplementedError

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

    def start(self) -> None:
        """Start and return when the server answers. Raises ServerError. Nothing happens when it runs already."""
        if self.running:
            return
        self.home.mkdir(parents=True, exist_ok=True)
        for directory in (self.home / "run", self.log.parent, self.data):
            directory.mkdir(mode=0o700, exist_ok=True)
        self._end_leftover()
        self.prepare()
        self._process = spawn(
            self.command(), self.log, cwd=self.data, owner=self.owner(), death_signal=self.stop_signal
        )
        self._remember(self._process.pid)
        deadline = time.monotonic() + self.start_seconds
        while not self.answers():
            if not self.running or time.monotonic() > deadline:
                code = self._process.poll()
                self.kill()
                why = f"ended with {code}" if code is not None else f"did not answer in {self.start_seconds:.0f} s"
                raise ServerError(f"{self.name} {why}; the end of {self.log}:\n{self._log_tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask the server to end, wait, and kill it when it takes longer than `stop_seconds`."""
        self.ask_to_stop()
        self.wait_stopped()

    def ask_to_stop(self) -> None:
        if self._process and self.running:
            self._process.send_signal(self.stop_signal)

    def wait_stopped(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None
        self._record.unlink(missing_ok=True)

    def kill(self) -> None:
        """kill -9, as a crash would: no record is cleared, no data is saved."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    # --- the record ---
    @property
    def _record(self) -> Path:
        return self.home / "run" / f"{self.name}.json"

    def _remember(self, pid: int) -> None:
        self._record.write_text(json.dumps({"pid": pid, "birth": birth(pid)}))

    def _end_leftover(self) -> None:
        """End the server that the record names, if it still is the same process."""
        try:
            record = json.loads(self._record.read_text())
            pid = int(record["pid"])
        except (OSError, ValueError, KeyError):
            return
        if record["birth"] is not None and birth(pid) == record["birth"]:
            process = psutil.Process(pid)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(self.stop_signal)
                try:
                    process.wait(self.stop_seconds)
                except psutil.TimeoutExpired:
                    process.kill()
                    process.wait(5)
        self._record.unlink(missing_ok=True)

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:]) if self.log.exists() else ""
