"""uvicorn's HTTP/1.1 protocol with a limit on the size of a request's head and on the time it may take to arrive.

uvicorn has neither for its fast parser: a head of 60 MB keeps a process busy for seconds, and one that never ends
holds its connection for good. What a body may take is body.py's.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from docmill.api.problems import CONTENT_TYPE, problem
from docmill.pipeline.errors import DocmillError

HEAD_BYTES = 64 * 1024
"""Of the request's line and its headers."""
HEAD_SECONDS = 10.0
"""From the connection, or a request's first byte, to the end of its headers."""


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 to a head above `HEAD_BYTES`, 408 to one that takes longer than `HEAD_SECONDS`, and closes."""

    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _read = 0
    _parsed = 0
    _error: DocmillError | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._in_head and (self.cycle is None or self.cycle.response_complete) and not self._body_expected():
            self._begin_head()
        if self._in_head:
            self._read += len(data)
        super().data_received(data)
        if self._in_head and self._read > HEAD_BYTES:
            self._refuse(DocmillError("head_too_large"))

    def on_message_begin(self) -> None:
        self._parsed = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._error or DocmillError("bad_request", "This is no HTTP request."))

    def _body_expected(self) -> bool:
        return self.cycle is not None and self.cycle.more_body

    def _begin_head(self) -> None:
        self._in_head, self._read = True, 0
        self._stop_timer()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._refuse, DocmillError("request_timeout"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _count(self, *parts: bytes) -> None:
        """Stop the parser by an error where the head has grown too large within one read."""
        self._parsed += sum(map(len, parts))
        if self._parsed > HEAD_BYTES:
            self._error = DocmillError("head_too_large")
            raise ValueError(self._error.message)

    def _refuse(self, error: DocmillError) -> None:
        self._stop_timer()
        if self.transport.is_closing():
            return
        body = json.dumps(problem(error)).encode()
        head = (
            f"HTTP/1.1 {error.kind.status} {error.kind.title}\r\ncontent-type: {CONTENT_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
