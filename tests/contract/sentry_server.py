"""Where the Sentry SDK sends its envelopes: keeps the events as they came over the wire."""

import gzip
import json
from typing import Any

from tests.contract.wire import HOST, Answer, ContractServer, Fault, Request

PROJECT = "7"
KEY = "0123456789abcdef0123456789abcdef"


class SentryServer(ContractServer):
    """Accepts envelopes of one project; `raw` has their bytes unpacked, `events` what they report."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.events: list[dict[str, Any]] = []
        super().__init__()

    @property
    def dsn(self) -> str:
        return f"http://{KEY}@{HOST}:{self.url.rpartition(':')[2]}/{PROJECT}"

    def fault_answer(self, fault: Fault) -> Answer:
        return Answer(fault.status, {})

    def answer(self, request: Request) -> Answer:
        if request.path != f"/api/{PROJECT}/envelope/" or f"sentry_key={KEY}" not in request.headers["X-Sentry-Auth"]:
            return Answer(403, {"detail": "no such project"})
        packed = request.headers.get("Content-Encoding") == "gzip"
        envelope = gzip.decompress(request.body) if packed else request.body
        self.raw.append(envelope)
        lines = envelope.split(b"\n")
        for header, payload in zip(lines[1:-1:2], lines[2::2], strict=False):
            if header and json.loads(header)["type"] == "event":
                self.events.append(json.loads(payload))
        return Answer(200, {})
