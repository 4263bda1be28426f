"""A whole system in the background of one command: for the demo and the tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from docmill.cli.client import Client
from docmill.embedded.process import ServerError, spawn
from docmill.up.home import Home

START_SECONDS = 120.0
STOP_SECONDS = 40.0
# What would make a system in a temporary home touch another one's data.
_OUTSIDE = (
    "AWS_",
    "DATABASE_",
    "DOCMILL_",
    "EMBEDD",
    "GEMINI_",
    "PINECONE_",
    "REDIS_",
    "S3_",
    "SENTRY_",
    "VECTOR_",
    "WORKER",
)

_SHARED = "DOCMILL_MODELS"  # models belong to no system


def own_environ(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what names parts of another system, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if name == _SHARED or not name.startswith(_OUTSIDE)}
    return kept | dict(extra or {})


class BackgroundSystem:
    """`docmill up` as a child process; the file `log` has what it prints."""

    def __init__(self, home: Path, *, port: int, options: tuple[str, ...] = (), environ: Mapping[str, str]) -> None:
        self.home = Home(home)
        self.url = f"http://127.0.0.1:{port}"
        self.log = home.with_name(f"{home.name}.up.log")
        self._command = [sys.executable, "-m", "docmill", "up", "--home", str(home), "--port", str(port), *options]
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def client(self) -> Client:
        """A client with the key that the first start made."""
        key = self.home.api_key()
        assert key is not None
        return Client(self.url, key)

    def start(self, on_line: Callable[[str], None] = lambda line: None) -> None:
        """Return when the system says that it is ready; `on_line` gets each line it prints until then.

        Raises ServerError with what it printed when it does not get ready.
        """
        self.log.unlink(missing_ok=True)
        self._process = spawn(self._command, self.log, environ=self._environ)
        deadline = time.monotonic() + START_SECONDS
        seen = 0
        while True:
            ended = self._process.poll() is not None
            lines = self.lines()
            for line in lines[seen:]:
                on_line(line)
                if line.startswith("ready: "):
                    return
            seen = len(lines)
            if ended or time.monotonic() > deadline:
                self.stop()
                raise ServerError("the system did not start:\n" + "\n".join(lines))
            time.sleep(0.05)

    def lines(self) -> list[str]:
        """The whole lines printed so far."""
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    def stop(self) -> int:
        """SIGTERM, and the exit status; killed when it takes longer than it may."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


@contextmanager
def background_system(
    home: Path,
    *,
    port: int,
    options: tuple[str, ...] = (),
    environ: Mapping[str, str],
    on_line: Callable[[str], None] = lambda line: None,
) -> Iterator[BackgroundSystem]:
    """A started system that is stopped at the end. Raises ServerError."""
    system = BackgroundSystem(home, port=port, options=options, environ=environ)
    try:
        system.start(on_line)
        yield system
    finally:
        system.stop()
        system.log.unlink(missing_ok=True)
