"""A body is read for a key in force only, and one above the limit is refused without being read to its end.

The key's row is played here; tests/integration/test_hostile_requests.py has a real one.
"""

import asyncio
import json
from typing import Any

import pytest

from docmill.api import body
from docmill.api.body import BodyGuard
from docmill.config import settings as defaults
from docmill.documents.models import ApiKey

LIMIT = defaults.MAX_UPLOAD_BYTES
BLOCK = 1 << 20


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "key_in_force", lambda header: ApiKey(pk=1) if header == b"Bearer right" else None)


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

    scope = {"type": "http", "headers": [(b"authorization", b"Bearer right"), *headers]}
    asyncio.run(BodyGuard(reading_app)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"], read


def test_an_announced_length_above_the_limit_is_refused_unread() -> None:
    status, body, read = post([(b"content-length", str(2 * LIMIT).encode())], blocks=10)
    assert (status, read) == (413, 0)
    assert json.loads(body)["code"] == "file_too_large"


def test_a_body_of_unknown_length_is_refused_as_soon_as_it_is_too_long() -> None:
    blocks = 4 * LIMIT // BLOCK
    status, _, read = post([(b"transfer-encoding", b"chunked")], blocks)
    assert status == 413
    assert read <= LIMIT // BLOCK + 2 < blocks


def test_a_body_within_the_limit_passes() -> None:
    assert post([(b"content-length", str(3 * BLOCK).encode())], blocks=3)[::2] == (202, 3)


def test_a_body_without_a_key_is_not_read_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "key_in_force", lambda _: None)
    status, answer, read = post([(b"content-length", b"1000000")], blocks=10)
    assert (status, read) == (401, 0)
    assert json.loads(answer)["code"] == "unauthenticated"
