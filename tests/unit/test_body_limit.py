"""A body above the limit is refused without being read to its end."""

import asyncio
import json
from typing import Any

from docmill.api.body_limit import BodyLimit
from docmill.config import settings as defaults

LIMIT = defaults.MAX_UPLOAD_BYTES
BLOCK = 1 << 20


async def reading_app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def post(headers: list[tuple[bytes, bytes]], blocks: int) -> tuple[int, bytes, int]:
    """Send so many blocks of 1 MiB; the answer's status and body, and how many blocks were read."""
    read, sent = 0, []

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": bytes(BLOCK), "more_body": read < blocks}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": headers}
    asyncio.run(BodyLimit(reading_app)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"], read


def test_an_announced_length_above_the_limit_is_refused_unread() -> None:
    status, body, read = post([(b"content-length", str(2 * LIMIT).encode())], blocks=10)
    assert (status, read) == (413, 0)
    assert json.loads(body)["code"] == "file_too_large"


def test_a_body_of_unknown_length_is_refused_as_soon_as_it_is_too_long() -> None:
    blocks = 4 * LIMIT // BLOCK
    status, _, read = post([], blocks)
    assert status == 413
    assert read <= LIMIT // BLOCK + 2 < blocks


def test_a_body_within_the_limit_passes() -> None:
    assert post([(b"content-length", str(3 * BLOCK).encode())], blocks=3)[::2] == (202, 3)
