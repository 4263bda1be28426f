"""What the tests work on: documents in a real database, fakes around it, and a clock."""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from celery.signals import worker_shutting_down
from django.conf import settings
from django.contrib.auth.models import User

from docmill.documents import lifecycle
from docmill.documents.intake import Upload
from docmill.documents.models import Document, VectorIndex
from docmill.worker.shutdown import GRACE_SECONDS
from tests.lifecycle.clock import Clock
from tests.lifecycle.fakes import FakeBroker, FakeEmbedder, FakeExtractor, FakeOriginals, FakeVectorStore


class House:
    """An installation in one process. `events` are the calls of all parts, in order."""

    def __init__(self, folder: Path) -> None:
        self.events: list[str] = []
        self.clock = Clock()
        self.broker = FakeBroker()
        self.originals = FakeOriginals(self.events, folder)
        self.extractor = FakeExtractor(self.events)
        self.embedder = FakeEmbedder(self.events)
        self.store = FakeVectorStore(self.events, self.embedder.dimension)
        self.folder = folder

    def open(self) -> None:
        """The rows of a fresh installation: its index and a tenant."""
        self.tenant = User.objects.create_user("tenant")
        self.stranger = User.objects.create_user("stranger")
        VectorIndex.objects.create(store="fake", model="fake", dimension=3, active=True)

    def document(self, *pages: str, user: User | None = None, **fields: Any) -> Document:
        """A document that waits, with these pages, accepted now unless `queued_at` says else."""
        owner, document_id = user or self.tenant, uuid.uuid4()
        key = f"documents/{owner.id}/{document_id}/original"
        content = "\f".join(pages or ("the heron stands by the weir", "the ferry leaves at noon")).encode()
        self.originals.kept[key] = content
        fields = {"queued_at": self.clock.now(), "sha256": hashlib.sha256(document_id.bytes).hexdigest()} | fields
        return Document.objects.create(
            id=document_id, user=owner, filename="a.txt", content_type="text/plain", size_bytes=len(content),
            s3_key=key, **fields,
        )  # fmt: skip

    def completed(self, *pages: str, user: User | None = None) -> Document:
        """A document that was worked on without trouble."""
        document = self.work_on(self.document(*pages, user=user))
        assert document.status == "completed"
        return document

    def left_open(self, **fields: Any) -> Document:
        """A document whose worker died: an attempt is open and nobody holds the lock."""
        document = self.document(**fields)
        claimed = lifecycle.claim(document.id)
        assert claimed is not None
        return claimed

    def work_on(self, document: Document, *, has_helpers: bool = False) -> Document:
        """One attempt by a worker; the document as the database has it then."""
        lifecycle.process(document.id, has_helpers=has_helpers)
        return self.seen(document)

    def seen(self, document: Document) -> Document:
        return Document.objects.get(id=document.id)

    def upload(self, text: str) -> Upload:
        """A file at the door."""
        path = self.folder / f"{uuid.uuid4()}.txt"
        path.write_text(text)
        content = path.read_bytes()
        return Upload(path, "notes.txt", len(content), hashlib.sha256(content).hexdigest(), {}, {})

    def vectors(self, document: Document) -> set[str]:
        """The ids of the document's vectors in the store."""
        return {id_ for _, id_ in self.store.records if id_.startswith(str(document.id))}

    def moves_to_another_index(self) -> None:
        """As `docmill reindex` ends: another index is in use than this process's settings name."""
        VectorIndex.objects.update(active=False)
        VectorIndex.objects.update_or_create(store="another", model="another", dimension=4, defaults={"active": True})

    def tells_the_worker_to_stop(self) -> None:
        """As a SIGTERM does, the grace included."""
        worker_shutting_down.send(sender=None)
        self.clock.passes(GRACE_SECONDS + 1)


@contextmanager
def another_session() -> Iterator["psycopg.Connection[Any]"]:
    """A database session as another worker has it, its transaction open until the end."""
    with psycopg.connect(settings.DATABASE_URL) as session:
        yield session
