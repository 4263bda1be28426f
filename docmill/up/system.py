"""The supervisor: starts the servers and docmill's processes in order, keeps them running, stops them in order."""

import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType

from docmill.embedded import Endpoints, PostgresServer, SeaweedServer, ServerError, ServerProcess, ValkeyServer
from docmill.embedded.ports import LOOPBACK, free_port, is_free
from docmill.embedded.process import spawn
from docmill.embedded.secrets import kept_secret
from docmill.up.home import HOME_VARIABLE, SUPERVISED, Home, Running
from docmill.up.processes import (
    CeleryProcess,
    WebProcess,
    flower_command,
    housekeeping_command,
    node_name,
    web_command,
    worker_command,
)

WEB_PORT, FLOWER_PORT = 8000, 5555
STEADY_SECONDS = 60.0
"""A process that ran this long is restarted at once when it dies; one that keeps dying, after longer and longer."""
LONGEST_PAUSE = 30.0
LOGS_EVERY = 60.0
_TICK = 0.1

Report = Callable[[str], None]


class StopRequested(Exception):  # noqa: N818
    """Ctrl-C or SIGTERM came while the system was starting."""


class Restarts:
    """When a process that died may start again: after 0, 1, 2, 4 … seconds, from the beginning once it was steady."""

    def __init__(self) -> None:
        self._deaths = 0
        self._began = time.monotonic()
        self.due: float | None = None

    def began(self) -> None:
        self._began = time.monotonic()
        self.due = None

    def died(self) -> float:
        """Note a death; the pause in seconds until the next start."""
        now = time.monotonic()
        if now - self._began > STEADY_SECONDS:
            self._deaths = 0
        pause = 0.0 if self._deaths == 0 else min(2.0 ** (self._deaths - 1), LONGEST_PAUSE)
        self._deaths += 1
        self.due = now + pause
        return pause


class System:
    """All processes of one home. `report` gets one line for each thing a person wants to know."""

    def __init__(self, home: Home, port: int, workers: int, concurrency: int, report: Report) -> None:
        self._home = home
        self._port = port
        self._workers = workers
        self._concurrency = concurrency
        self._report = report
        self._servers: list[ServerProcess] = []
        self._processes: list[ServerProcess] = []
        self._restarts: dict[str, Restarts] = {}
        self._stop_requested = False
        self._logs_due = 0.0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    def run(self) -> None:
        """Start everything, watch it until a signal asks to stop, stop everything.

        Raises ServerError when a part does not start, after stopping those that did.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            self._start()
            while not self._stop_requested:
                self._revive_dead()
                self._turn_logs()
                time.sleep(_TICK)
        except StopRequested:
            pass
        finally:
            self._stop()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._stop_requested = True

    # --- start ---
    def _start(self) -> None:
        if self._home.end_leftovers():
            self._report("ended what an earlier docmill up had left running")
        clear_directory(self._home.temporary)
        environ = self._environ()
        environ |= self._start_servers(environ)
        serving = {name: value for name, value in environ.items() if name != "DATABASE_OWNER_URL"}
        self._processes = self._docmill_processes(serving)
        # Loading takes each some seconds; only workers look at the tables when they start.
        early = [process for process in self._processes if isinstance(process, WebProcess)]
        self._begin(early)
        self._set_up(environ)
        self._begin([process for process in self._processes if process not in early])
        self._await(self._processes)
        passed_on = {name: environ[name] for name in environ if os.environ.get(name) != environ[name]}
        del passed_on[SUPERVISED]
        self._home.announce(Running(self.url, passed_on))
        self._report(f"ready: {self.url}")
        self._report(how_to_use(self.url, self._home.api_key_file))

    def _environ(self) -> dict[str, str]:
        """What every process of docmill gets; what is set outside wins, but for the marks of this home."""
        ours = {"DOCMILL_TEMP_DIR": str(self._home.temporary), "DJANGO_SETTINGS_MODULE": "docmill.config.settings"}
        if "SECRET_KEY" not in os.environ:
            ours["SECRET_KEY"] = kept_secret(self._home.secret_key_file)
        marks = {HOME_VARIABLE: str(self._home.path), SUPERVISED: str(self._home.path)}
        return ours | dict(os.environ) | marks

    def _start_servers(self, environ: dict[str, str]) -> dict[str, str]:
        """Start the servers for what no URL is set; the variables that name them."""
        path = self._home.path
        database, broker, storage = PostgresServer(path), ValkeyServer(path), SeaweedServer(path)
        given = {
            database: environ.get("DATABASE_URL"),
            broker: environ.get("REDIS_URL"),
            storage: environ.get("S3_ENDPOINT_URL") or environ.get("S3_BUCKET"),
        }
        for server, where in given.items():
            if where:
                self._report(f"{server.name}: not started, the environment names one")
        self._servers = [server for server, where in given.items() if not where]
        self._begin(self._servers)
        self._await(self._servers)
        return Endpoints(
            database_url=database.service_url if database.running else "",
            database_owner_url=database.owner_url if database.running else "",
            redis_url=broker.url if broker.running else "",
            s3_endpoint_url=storage.url if storage.running else "",
            s3_access_key=storage.access_key,
            s3_secret_key=storage.secret_key,
        ).environ()

    def _set_up(self, environ: dict[str, str]) -> None:
        """Tables, vector index, first key."""
        log = self._home.path / "logs" / "setup.log"
        log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "docmill.up.prepare", str(self._home.api_key_file)]
        process = spawn(command, log, environ=environ)
        while process.poll() is None:
            if self._stop_requested:
                process.kill()
                process.wait()
                raise StopRequested
            time.sleep(0.05)
        if process.returncode:
            raise ServerError(f"the setup of database and index failed:\n{log.read_text(errors='replace').strip()}")
        self._report("database tables and vector index: ready")

    def _docmill_processes(self, environ: dict[str, str]) -> list[ServerProcess]:
        path = self._home.path
        web = WebProcess("web", path, web_command(LOOPBACK, self._port), environ, port=self._port, path="/healthz")
        workers = [
            CeleryProcess(role, path, worker_command(node_name(role), self._concurrency), environ, node=node_name(role))
            for role in (f"worker-{number}" for number in range(1, self._workers + 1))
        ]
        node = node_name("housekeeping")
        housekeeping = CeleryProcess(
            "housekeeping", path, housekeeping_command(node, path / "run" / "beat"), environ, node=node
        )
        # Flower's usual port goes with docmill's: systems on ports of their own choice do not race for it.
        usual = self._port == WEB_PORT and is_free(FLOWER_PORT)
        port = FLOWER_PORT if usual else free_port([self._port])
        login = environ.get("FLOWER_BASIC_AUTH") or f"docmill:{kept_secret(self._home.flower_password_file)}"
        flower = WebProcess(
            "flower",
            path,
            flower_command(LOOPBACK, port),
            environ | {"FLOWER_BASIC_AUTH": login},
            port=port,
            path="/healthcheck",
        )
        return [web, *workers, housekeeping, flower]

    def _begin(self, processes: Sequence[ServerProcess]) -> None:
        for process in processes:
            self._restarts[process.name] = Restarts()
            process.begin()

    def _await(self, processes: Sequence[ServerProcess]) -> None:
        """Report each when it answers. Raises ServerError, StopRequested."""
        for process in processes:
            while not process.ready():
                if self._stop_requested:
                    raise StopRequested
                time.sleep(0.02)
            self._report(f"{process.name}: ready  {without_password(process.url)}")

    # --- watch ---
    def _revive_dead(self) -> None:
        """Begin again what died, servers first; nothing waits here until it answers."""
        for process in (*self._servers, *self._processes):
            if process.running:
                continue
            restarts = self._restarts[process.name]
            if restarts.due is None:
                code = process.exit_code
                process.kill()  # its children, if it left any
                pause = restarts.died()
                self._report(
                    f"{process.name}: ended with {code}, starts again" + (f" in {pause:.0f} s" if pause else "")
                )
            elif time.monotonic() >= restarts.due:
                self._begin_again(process, restarts)

    def _begin_again(self, process: ServerProcess, restarts: Restarts) -> None:
        try:
            process.begin()
        except (ServerError, OSError) as error:
            self._report(f"{process.name}: did not start: {error}")
        restarts.began()

    def _turn_logs(self) -> None:
        """Once in a while, because logs grow for as long as the system runs."""
        if time.monotonic() > self._logs_due:
            self._logs_due = time.monotonic() + LOGS_EVERY
            for process in (*self._servers, *self._processes):
                process.turn_log()

    # --- stop ---
    def _stop(self) -> None:
        """Web first, so that nothing new comes in; workers finish or give back; servers last."""
        self._home.withdraw()
        if self._servers or self._processes:
            self._report("stopping")
        web, rest = self._processes[:1], self._processes[1:]
        for group in (web, rest, self._servers):
            stop_together(group)
        self._home.end_leftovers()
        clear_directory(self._home.temporary)
        self._report("stopped")


def how_to_use(url: str, key_file: Path) -> str:
    """The two calls to begin with, to be pasted into a shell."""
    authorization = f'-H "Authorization: Bearer $(cat {shlex.quote(str(key_file))})"'
    return "\n".join(
        (
            f"upload:  curl {authorization} -F file=@document.pdf {url}/api/ingest/",
            f'search:  curl {authorization} --json \'{{"query": "…"}}\' {url}/api/search/',
            "in another terminal: docmill ingest --wait document.pdf, docmill search '…', docmill doctor",
        )
    )


def stop_together(processes: Iterable[ServerProcess]) -> None:
    """Ask all to stop, then wait for each."""
    processes = list(processes)
    for process in processes:
        process.ask_to_stop()
    asked = time.monotonic()
    for process in processes:
        process.wait_stopped(max(asked + process.stop_seconds - time.monotonic(), 0.0))


def clear_directory(directory: Path) -> None:
    """Make an empty directory, for its owner alone."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)


def without_password(url: str) -> str:
    """`scheme://user:secret@host` without the secret."""
    head, separator, tail = url.rpartition("@")
    scheme, _, _ = head.partition("://")
    return f"{scheme}://{tail}" if separator and "://" in head else url
