"""What stands in front of Django, which reads a whole body before any view sees the request.

A body is read only for a key in force, within the upload limit, at a minimum rate, and for so many uploads of a key at
once. A request to change to WebSocket is refused.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.db import DatabaseError

from docmill.api.auth import key_in_force
from docmill.api.problems import CONTENT_TYPE, WITHOUT_PAGES, problem
from docmill.api.rate_headers import limited_headers
from docmill.api.uploads import too_large
from docmill.documents.limits import LimitReachedError, count_wrong_key
from docmill.pipeline.errors import DocmillError

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

_FORM_BYTES = 512 * 1024
"""What a form may hold beside its file: boundaries, metadata, options."""
_GRACE_SECONDS = 10.0
"""Of waiting for the body before its rate is looked at."""


class _RefusedError(Exception):
    """The body is not to be read further."""

    def __init__(self, error: DocmillError) -> None:
        self.error = error


class BodyGuard:
    """ASGI middleware: 401, 408, 413 or 429 instead of reading a body that is not to be read."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._reading: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # none comes: uvicorn runs without lifespan and WebSockets
            return None
        headers = dict(scope["headers"])
        if b"upgrade" in headers and headers[b"upgrade"].lower() == b"websocket":
            return await _refuse(send, DocmillError("bad_request", "There are no WebSockets here."))
        if not _has_body(headers):
            return await self._app(scope, receive, send)
        async with ThreadSensitiveContext():  # one thread, and so one connection, for the key and for Django
            return await self._with_body(scope, headers, receive, send)

    async def _with_body(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        try:
            key_id = await _key_id(headers, (scope.get("client") or ("unknown",))[0])
            body = _Body(receive, settings.MAX_UPLOAD_BYTES + _FORM_BYTES, _announced(headers))
            if self._reading[key_id] >= settings.LIMIT_UPLOADS_AT_ONCE:
                raise _RefusedError(
                    DocmillError("too_many_requests", f"This key may send {settings.LIMIT_UPLOADS_AT_ONCE} at once.")
                )
        except _RefusedError as refused:
            return await _refuse(send, refused.error)
        self._reading[key_id] += 1
        try:
            await self._app(scope, body.receive, send)
        except _RefusedError as refused:
            await _refuse(send, refused.error)
        finally:
            self._reading[key_id] -= 1
            if not self._reading[key_id]:
                del self._reading[key_id]


class _Body:
    """A body on its way in. `receive` raises _RefusedError when it is too large or too slow."""

    def __init__(self, receive: Receive, limit: int, announced: int) -> None:
        self._receive = receive
        self._limit = limit
        self._read = 0
        self._waited = 0.0
        self._complete = False
        if announced > limit:
            raise _RefusedError(too_large())

    async def receive(self) -> Message:
        if self._complete:  # what Django waits for now is that the client goes away
            return await self._receive()
        began = time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), settings.BODY_IDLE_SECONDS)
        except TimeoutError:
            raise _RefusedError(DocmillError("request_timeout")) from None
        self._waited += time.monotonic() - began
        self._read += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._read > self._limit:
            raise _RefusedError(too_large())
        late = self._waited - _GRACE_SECONDS
        if not self._complete and late > 0 and self._read < late * settings.BODY_BYTES_PER_SECOND:
            raise _RefusedError(DocmillError("request_timeout"))
        return message


async def _key_id(headers: dict[bytes, bytes], address: str) -> int:
    """The id of the key that the request is sent with."""
    try:
        key = await sync_to_async(key_in_force)(headers.get(b"authorization", b""))
        if key is not None:
            return key.pk
        if headers.get(b"authorization"):
            await sync_to_async(count_wrong_key)(address)
    except DatabaseError:
        raise _RefusedError(DocmillError("database_unavailable")) from None
    except LimitReachedError as error:
        raise _RefusedError(error) from None
    raise _RefusedError(DocmillError("unauthenticated"))


def _has_body(headers: dict[bytes, bytes]) -> bool:
    return b"transfer-encoding" in headers or _announced(headers) > 0


def _announced(headers: dict[bytes, bytes]) -> int:
    length = headers.get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


async def _refuse(send: Send, error: DocmillError) -> None:
    headers = {"Content-Type": CONTENT_TYPE, "Connection": "close", **WITHOUT_PAGES}
    if error.code == "unauthenticated":
        headers["WWW-Authenticate"] = 'Bearer realm="docmill"'
    if isinstance(error, LimitReachedError):
        headers |= limited_headers(error)
    elif error.code in ("too_many_requests", "database_unavailable"):
        headers["Retry-After"] = "5"
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.kind.status, "headers": lines})
    await send({"type": "http.response.body", "body": json.dumps(problem(error)).encode()})
