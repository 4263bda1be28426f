"""What the HTTP interface takes and shows."""

from typing import ClassVar

from rest_framework import serializers

from docmill.documents.models import Chunk, Document

DocumentFields = (
    "filename",
    "title",
    "content_type",
    "size_bytes",
    "sha256",
    "status",
    "stage",
    "progress",
    "pages_total",
    "pages_done",
    "pages_ocr",
    "chunks_total",
    "chunks_done",
    "vectors_reused",
    "attempt",
    "retries",
    "next_retry_at",
    "last_error",
    "error",
    "metadata",
    "timings",
    "task_id",
    "created_at",
    "completed_at",
)


class DocumentSerializer(serializers.ModelSerializer[Document]):
    """A document's status, counts, timings and error."""

    document_id = serializers.UUIDField(source="id", read_only=True)

    class Meta:
        model = Document
        fields: ClassVar = ["document_id", *DocumentFields]
        read_only_fields = fields


class ChunkSerializer(serializers.ModelSerializer[Chunk]):
    """A chunk with its place in the document."""

    document_id = serializers.UUIDField(read_only=True)
    filename = serializers.CharField(source="document.filename", read_only=True)

    class Meta:
        model = Chunk
        fields: ClassVar = [
            "text",
            "document_id",
            "filename",
            "ordinal",
            "first_page",
            "last_page",
            "start",
            "end",
            "headings",
            "token_count",
            "source",
        ]
        read_only_fields = fields
