"""A small real HTTP server for the contract tests, and the faults it can be told to commit.

A service is a subclass with `answer(request)`. Faults come before the service sees the request. They are set in this
process (`server.faults.add(Fault(…))`) or, when the server runs by itself, over HTTP:

    PUT    /_contract/faults    [{"status": 429, "retry_after": 2, "times": 3}, …]   replaces the faults
    GET    /_contract/calls     {"POST /v1/…": 12, …}                                what was asked for so far
"""

import argparse
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import orjson

HOST = "127.0.0.1"
CONTROL = "/_contract/"


@dataclass
class Fault:
    """What goes wrong with the next `times` requests (None: all) whose path holds `path` and whose body holds `body`,
    for a `share` of them.

    `status` 0 lets the service answer; `seconds` pass before anything is answered; `cut` closes the connection without
    a word; `half` has the service do half of what is asked before it fails; `retry_after` (seconds) and `quota` (a
    quota's id, or what is said of it) go into a 429.
    """

    status: int = 0
    seconds: float = 0.0
    cut: bool = False
    half: bool = False
    retry_after: float | None = None
    quota: str = ""
    times: int | None = 1
    share: float = 1.0
    path: str = ""
    body: str = ""


class Faults:
    """The faults still to be committed, first come first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._dice = random.Random(7)

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._faults.extend(faults)

    def replace(self, faults: list[Fault]) -> None:
        with self._lock:
            self._faults = list(faults)

    def left(self) -> int:
        """How many of them are not used up."""
        with self._lock:
            return len(self._faults)

    def next_for(self, request: "Request") -> Fault | None:
        with self._lock:
            for fault in self._faults:
                meant = fault.path in request.path and fault.body.encode() in request.body
                if meant and self._dice.random() < fault.share:
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times <= 0:
                            self._faults.remove(fault)
                    return fault
        return None


@dataclass(frozen=True)
class Request:
    """A request as it came; `path` without its query."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, None where it is no JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


@dataclass(frozen=True)
class Answer:
    """A status and what goes into the JSON body, or the body's bytes."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class ContractServer:
    """A service on a port of the loopback address, from construction until `stop`."""

    def __init__(self, port: int = 0, latency: float = 0.0) -> None:
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.latency = latency
        self._http = _Listener((HOST, port), _Handler)
        self._http.service = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._http.server_address[1]}"

    def answer(self, request: Request) -> Answer:
        """The service's answer to a request that no fault took away."""
        raise NotImplementedError

    def fault_answer(self, fault: Fault) -> Answer:
        """How this service words a fault."""
        raise NotImplementedError

    def half_of(self, request: Request) -> Request:
        """A request that asks for half as much."""
        raise NotImplementedError

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    service: ContractServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        service = self.server.service
        length = int(self.headers.get("Content-Length") or 0)
        address = urlsplit(self.path)
        request = Request(
            self.command, address.path, parse_qs(address.query), dict(self.headers.items()), self.rfile.read(length)
        )
        if address.path.startswith(CONTROL):
            return self._send(_control(service, request))
        service.calls[f"{request.method} {request.path}"] += 1
        time.sleep(service.latency)
        if fault := service.faults.next_for(request):
            time.sleep(fault.seconds)
            if fault.half:
                service.answer(service.half_of(request))
            if fault.cut:
                return self._cut()
            if fault.status:
                return self._send(service.fault_answer(fault))
        return self._send(service.answer(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _send(self, answer: Answer) -> None:
        body = answer.body
        if not isinstance(body, bytes):
            body = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json", **answer.headers, "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, BrokenPipeError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def _control(service: ContractServer, request: Request) -> Answer:
    if request.method == "PUT" and request.path == f"{CONTROL}faults":
        service.faults.replace([Fault(**fault) for fault in json.loads(request.body)])
        return Answer(200, {})
    if request.method == "GET" and request.path == f"{CONTROL}calls":
        return Answer(200, dict(service.calls))
    return Answer(404, {"error": f"{request.method} {request.path} is no switch of this server"})


def run(description: str, options: Callable[[argparse.ArgumentParser], None], serve: Callable[..., Any]) -> None:
    """Run a service by itself until it is interrupted; prints its address."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="Seconds that every answer takes.")
    options(parser)
    with serve(**vars(parser.parse_args())) as server:
        print(server.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return
