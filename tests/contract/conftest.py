"""Contract servers, one of each a test, and an empty Valkey."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pinecone._internal.http_client import get_budget_registry

from docmill.embedded import servers
from tests.contract.gemini_server import GeminiServer
from tests.contract.pinecone_server import PineconeServer


@pytest.fixture
def gemini() -> Iterator[GeminiServer]:
    with GeminiServer() as server:
        yield server


@pytest.fixture
def pinecone() -> Iterator[PineconeServer]:
    # The SDK stops retrying on a host that failed often, in the whole process; here all servers have one host's name.
    get_budget_registry()._reset()
    with PineconeServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Valkey."""
    with (
        tempfile.TemporaryDirectory(prefix="docmill-valkey-") as home,
        servers(Path(home), postgres=False, s3=False) as started,
    ):
        yield started.redis_url
