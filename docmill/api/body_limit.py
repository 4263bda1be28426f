"""Refuse a request body above the upload limit before it is read to its end.

Django reads the whole body before any view sees it, so this stands in front of Django.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from docmill.api.problems import CONTENT_TYPE, problem
from docmill.api.uploads import too_large

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

_FORM_BYTES = 512 * 1024
"""What a form may hold beside its file: boundaries, metadata, options."""


class _TooLargeError(Exception):
    """The body has grown above the limit while it was read."""


class BodyLimit:
    """ASGI middleware: 413 by Content-Length at once, or as soon as a body without one has grown too large."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        limit = settings.MAX_UPLOAD_BYTES + _FORM_BYTES
        if _announced(scope) > limit:
            return await _refuse(send)
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise _TooLargeError
            return message

        try:
            return await self._app(scope, counted, send)
        except _TooLargeError:
            return await _refuse(send)


def _announced(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


async def _refuse(send: Send) -> None:
    error = too_large()
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": error.kind.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem(error)).encode()})
