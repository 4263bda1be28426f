"""The rows that are the truth: documents, their chunks, the keys of their owners, the index they lie in."""

import hashlib
import secrets
import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class ApiKey(models.Model):
    """A key of a tenant. The secret is shown once; its SHA-256 is kept: it is random, so no slow hash is needed."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=12)
    secret_sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.user}"

    @staticmethod
    def fingerprint(secret: str) -> str:
        """What is stored of a secret: its SHA-256 in hexadecimal."""
        return hashlib.sha256(secret.encode()).hexdigest()

    @classmethod
    def create(cls, user: models.Model, name: str = "") -> tuple["ApiKey", str]:
        """A new key for `user` and its secret, which can never be read again."""
        secret = f"dm_{secrets.token_urlsafe(32)}"
        key = cls.objects.create(user=user, name=name, prefix=secret[:10], secret_sha256=cls.fingerprint(secret))
        return key, secret


class DocumentQuerySet(models.QuerySet["Document"]):
    """The states that the rules of the document's life speak of."""

    def live(self) -> Self:
        """Not deleted by their owner."""
        return self.filter(deleted_at=None)

    def in_progress(self) -> Self:
        """Waiting, or worked on."""
        return self.live().filter(status=Document.Status.PROCESSING)

    def completed(self) -> Self:
        """Those that search vouches for."""
        return self.live().filter(status=Document.Status.COMPLETED)


class Document(models.Model):
    """One uploaded file and its life. `attempt` is the fencing token: a worker's writes name the attempt it claimed."""

    class Status(models.TextChoices):
        PROCESSING = "processing"
        COMPLETED = "completed"
        FAILED = "failed"

    class Stage(models.TextChoices):
        QUEUED = "queued"
        DOWNLOADING = "downloading"
        EXTRACTING = "extracting"
        CHUNKING = "chunking"
        EMBEDDING = "embedding"
        INDEXING = "indexing"
        DONE = "done"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="documents")
    task_id = models.UUIDField(default=uuid.uuid4, unique=True)
    filename = models.CharField(max_length=255)
    # The title that the author gave in the file, "" where there is none or it was not read yet.
    title = models.CharField(max_length=500, blank=True, default="", db_default="")
    content_type = models.CharField(max_length=120)
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    s3_key = models.CharField(max_length=300)
    metadata = models.JSONField(default=dict)
    options = models.JSONField(default=dict)

    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PROCESSING)
    stage = models.CharField(max_length=12, choices=Stage.choices, default=Stage.QUEUED)
    progress = models.FloatField(default=0)
    pages_total = models.IntegerField(null=True)
    pages_done = models.IntegerField(default=0)
    pages_ocr = models.IntegerField(default=0)
    chunks_total = models.IntegerField(default=0)
    chunks_done = models.IntegerField(default=0)
    vectors_reused = models.IntegerField(default=0)
    timings = models.JSONField(default=dict)
    error = models.JSONField(null=True)

    attempt = models.IntegerField(default=0)
    # Set while an attempt is open: a row with this set and its lock free was left by a worker that died.
    claimed_at = models.DateTimeField(null=True)
    crashes = models.IntegerField(default=0)
    retries = models.IntegerField(default=0)
    last_error = models.JSONField(null=True)
    next_retry_at = models.DateTimeField(null=True)
    queued_at = models.DateTimeField(default=timezone.now)
    # When the sweep last enqueued this document, unless a worker has begun it since.
    enqueued_at = models.DateTimeField(null=True)

    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    completed_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "sha256"], condition=Q(deleted_at__isnull=True), name="one_document_per_content"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "-created_at"], name="document_list"),
            models.Index(fields=["queued_at"], condition=Q(status="processing"), name="document_unfinished"),
            models.Index(fields=["deleted_at"], condition=Q(deleted_at__isnull=False), name="document_deleted"),
        ]

    def __str__(self) -> str:
        return f"{self.filename} ({self.id})"


class Chunk(models.Model):
    """A passage of a document. Its vector's id is `{document_id}#{ordinal}`."""

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    ordinal = models.IntegerField()
    text = models.TextField()
    token_count = models.IntegerField()
    first_page = models.IntegerField()
    last_page = models.IntegerField()
    start = models.IntegerField()
    end = models.IntegerField()
    headings = models.JSONField(default=list)
    source = models.CharField(max_length=5)
    # The vector's key in the cache, which keeps vectors as long as a chunk has them.
    vector_key = models.BinaryField(max_length=32)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["document", "ordinal"], name="one_chunk_per_ordinal")]
        indexes: ClassVar = [models.Index(fields=["vector_key"], name="chunk_vector_key")]

    def __str__(self) -> str:
        return f"{self.document_id}#{self.ordinal}"


class ScannedPage(models.Model):
    """A page of a long scan that any worker may read for the one that holds the document; see ocr_fanout.py.

    `reserved` keeps helpers away: the holder reads it, or a helper had trouble with it.
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="scanned_pages")
    number = models.IntegerField()
    content = models.BinaryField(null=True)
    reserved = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["document", "number"], name="one_row_per_page")]

    def __str__(self) -> str:
        return f"{self.document_id} page {self.number}"


class CachedVector(models.Model):
    """A vector that was paid for, by the hash of all that determined it, within its tenant."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.BinaryField(max_length=32)
    values = models.BinaryField()
    used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "key"], name="one_vector_per_key")]
        indexes: ClassVar = [models.Index(fields=["used_at"], name="cached_vector_used_at")]

    def __str__(self) -> str:
        return bytes(self.key).hex()


class VectorIndex(models.Model):
    """An index in a vector store, and the model and dimension it is built with. One is active.

    `store` is the store's name with the index's ("pinecone:docmill"), `address` its host where it has one.
    """

    store = models.CharField(max_length=120)
    address = models.CharField(max_length=255, blank=True, default="")
    model = models.CharField(max_length=120)
    dimension = models.IntegerField()
    active = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["active"], condition=Q(active=True), name="one_active_index"),
            models.UniqueConstraint(fields=["store", "address", "model", "dimension"], name="one_index_per_model"),
        ]

    def __str__(self) -> str:
        return f"{self.store} with {self.model} ({self.dimension} dimensions)"


class IndexedDocument(models.Model):
    """A completed document whose chunks a reindexing has written to an index: what need not be done again, and, once
    the document is gone, what to remove from there."""

    index = models.ForeignKey(VectorIndex, on_delete=models.CASCADE, related_name="documents")
    document_id = models.UUIDField()
    user_id = models.BigIntegerField()
    completed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["index", "document_id"], name="one_entry_per_document_and_index")
        ]

    def __str__(self) -> str:
        return str(self.document_id)
