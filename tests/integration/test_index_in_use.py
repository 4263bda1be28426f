"""The index that holds the vectors is known by its store, its name and its address: another one is never searched in
silence. A database of its own on the shared server, the local model, and Pinecone as it looks on the wire."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils import timezone
from psycopg import sql

from docmill import adapters
from docmill.cli.background import BackgroundSystem
from docmill.cli.index import rebuild
from docmill.documents.models import ApiKey, Chunk, Document, VectorIndex
from docmill.documents.vector_index import index_is_ours, setup_index, verify_index_name
from docmill.pipeline.embed.local import DEFAULT_LOCAL_MODEL, LOCAL_MODELS
from docmill.pipeline.errors import PermanentError
from tests.contract.pinecone_server import PineconeServer
from tests.integration.conftest import superuser_url

TEXTS = ["The heron stands by the weir.", "The ferry leaves at noon.", "The orchard was sold in May."]


@pytest.fixture(scope="module")
def own_database(system: BackgroundSystem, database: None) -> Iterator[None]:
    name, there = f"test_{uuid4().hex}", connections["default"].settings_dict["NAME"]

    def use(other: str) -> None:
        connections.close_all()
        connections["default"].settings_dict["NAME"] = other

    with psycopg.connect(superuser_url(system), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} OWNER docmill_service").format(sql.Identifier(name)))
        with psycopg.connect(superuser_url(system).rpartition("/")[0] + f"/{name}", autocommit=True) as inside:
            inside.execute("CREATE EXTENSION vector")
        use(name)
        try:
            call_command("migrate", verbosity=0)
            yield
        finally:
            use(there)
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def place(own_database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator["Place"]:
    with PineconeServer() as server:
        yield Place(server, monkeypatch)
    adapters.vector_store.cache_clear()
    Document.objects.all().delete()
    VectorIndex.objects.all().delete()


class Place:
    """An installation that began on the Pinecone index "first" with one document, and its changing settings."""

    def __init__(self, pinecone: PineconeServer, settings_patch: pytest.MonkeyPatch) -> None:
        self.pinecone = pinecone
        self._patch = settings_patch
        user = User.objects.create_user(f"tenant-{uuid4()}")
        self._key = ApiKey.create(user)[1]
        document = Document.objects.create(
            user=user, filename="a.txt", content_type="text/plain", size_bytes=1, sha256="0", s3_key="none",
            status=Document.Status.COMPLETED, completed_at=timezone.now(), chunks_total=len(TEXTS),
        )  # fmt: skip
        for ordinal, text in enumerate(TEXTS):
            Chunk.objects.create(
                document=document, ordinal=ordinal, text=text, token_count=8, first_page=1, last_page=1,
                start=0, end=len(text), source="text", vector_key=b"",
            )  # fmt: skip
        self.use(pinecone, "first")
        self.reindex()

    def use(self, pinecone: PineconeServer, index: str) -> None:
        """As if this process were started again with other settings."""
        values = {"VECTOR_STORE": "pinecone", "PINECONE_API_KEY": pinecone.key, "PINECONE_INDEX": index}
        for name, value in (values | {"PINECONE_CONTROLLER_HOST": pinecone.url}).items():
            self._patch.setattr(settings, name, value)
        adapters.vector_store.cache_clear()

    def reindex(self) -> str:
        return rebuild()

    def search(self) -> tuple[int, Any]:
        answer = Client().post(
            "/api/search/",
            {"query": "Where does the heron stand?", "top_k": 1},
            content_type="application/json",
            headers={"Authorization": f"Bearer {self._key}", "Host": "localhost"},
        )
        return answer.status_code, answer.json()

    def finds(self) -> bool:
        status, body = self.search()
        return status == 200 and [hit["text"] for hit in body["results"]] == TEXTS[:1]


def test_another_name_in_the_settings_is_refused_until_reindex_has_moved_there(place: Place) -> None:
    assert place.finds()
    place.use(place.pinecone, "second")
    status, problem = place.search()
    assert (status, problem["code"]) == (503, "index_mismatch")
    for said in ("pinecone:first", "pinecone:second", "docmill reindex", "PINECONE_INDEX"):
        assert said in problem["detail"]
    assert not index_is_ours(), "workers leave documents in the queue"
    with pytest.raises(PermanentError, match="pinecone:first"):
        verify_index_name()  # what a worker asks when it starts

    assert "pinecone:second" in place.reindex()
    assert place.finds()
    assert index_is_ours()
    place.use(place.pinecone, "first")
    assert place.search()[0] == 503, "processes with the old settings refuse from now on"


def test_an_index_of_the_same_name_in_another_project_is_another_index(place: Place) -> None:
    with PineconeServer() as other_project:
        place.use(other_project, "first")
        adapters.vector_store().setup()
        status, problem = place.search()
        assert (status, problem["code"]) == (503, "index_mismatch")
        for server in (place.pinecone, other_project):
            assert server.indexes["first"].url in problem["detail"]
        assert not index_is_ours()
        place.reindex()
        assert place.finds()
        assert index_is_ours()


def test_nothing_is_rebuilt_where_the_settings_are_those_of_the_index(place: Place) -> None:
    calls = place.pinecone.indexes["first"].calls["POST /vectors/upsert"]
    assert "nothing to do" in place.reindex()
    assert place.pinecone.indexes["first"].calls["POST /vectors/upsert"] == calls


def test_an_index_that_was_lost_is_not_made_anew_in_silence(place: Place) -> None:
    place.pinecone.indexes.pop("first").stop()
    adapters.vector_store.cache_clear()
    with pytest.raises(PermanentError, match="with 1 documents") as caught:
        setup_index()
    assert "name a new one in PINECONE_INDEX and run 'docmill reindex'" in caught.value.message
    assert not place.pinecone.indexes
    place.use(place.pinecone, "again")
    place.reindex()
    assert place.finds()


def test_an_index_of_an_earlier_version_gets_its_name_and_address(place: Place) -> None:
    MigrationExecutor(connection).migrate([("api", "0002_reindexing")])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE api_vectorindex SET store = 'pinecone'")
    call_command("migrate", verbosity=0)
    assert VectorIndex.objects.get().store == "pinecone:first"
    assert setup_index().store == "pinecone:first"
    assert VectorIndex.objects.get().address == place.pinecone.indexes["first"].url


@pytest.fixture
def fresh_embedder() -> Iterator[None]:
    """The embedder is chosen anew in the test, and after it."""
    adapters.embedder.cache_clear()
    yield
    adapters.embedder.cache_clear()


def test_a_local_model_that_no_setting_names_is_that_of_the_index_in_use(place: Place, fresh_embedder: None) -> None:
    for name, local in LOCAL_MODELS.items():
        VectorIndex.objects.filter(active=True).update(model=local.model)
        adapters.embedder.cache_clear()
        assert adapters.local_model() == name
        assert adapters.embedder().model == verify_index_name().model == local.model


def test_without_an_index_or_with_one_of_a_service_it_is_the_default(place: Place) -> None:
    VectorIndex.objects.filter(active=True).update(model="gemini-embedding-001")
    assert adapters.local_model() == DEFAULT_LOCAL_MODEL
    VectorIndex.objects.all().delete()
    assert adapters.local_model() == DEFAULT_LOCAL_MODEL


def test_a_setting_that_names_another_local_model_is_a_mismatch(
    place: Place, fresh_embedder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    VectorIndex.objects.filter(active=True).update(model=LOCAL_MODELS["minilm"].model)
    monkeypatch.setattr(settings, "LOCAL_MODEL", "english")
    with pytest.raises(PermanentError, match=r"all-MiniLM.*bge-small.*docmill reindex") as raised:
        verify_index_name()
    assert raised.value.code == "index_mismatch"
    monkeypatch.setattr(settings, "LOCAL_MODEL", "klingon")
    adapters.embedder.cache_clear()
    with pytest.raises(PermanentError, match="multilingual, english, minilm"):
        adapters.embedder()
