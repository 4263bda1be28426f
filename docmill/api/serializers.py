"""What the HTTP interface takes and shows."""

from typing import Any, ClassVar

from rest_framework import serializers

from docmill.documents.models import Chunk, Document
from docmill.documents.search import Found

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


class FilterSerializer(serializers.Serializer[dict[str, Any]]):
    """Which documents a search looks at."""

    document_id = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=1000)
    filename = serializers.CharField(required=False)
    content_type = serializers.CharField(required=False)
    metadata = serializers.DictField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if unknown := set(self.initial_data) - set(self.fields):
            raise serializers.ValidationError(f"Unknown filter {sorted(unknown)}; there are {sorted(self.fields)}.")
        return attrs

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        self.initial_data = data
        if isinstance(data, dict) and isinstance(data.get("document_id"), str):
            data = data | {"document_id": [data["document_id"]]}
        return dict(super().to_internal_value(data))


class SearchSerializer(serializers.Serializer[dict[str, Any]]):
    """A search request."""

    query = serializers.CharField(max_length=8000)
    top_k = serializers.IntegerField(min_value=1, max_value=100, default=5)
    filter = FilterSerializer(required=False)


def hit(found: Found) -> dict[str, Any]:
    """A search result as it is shown."""
    chunk = found.chunk
    return {
        "text": chunk.text,
        "score": round(found.score, 6),
        "document_id": str(chunk.document_id),
        "filename": chunk.document.filename,
        "ordinal": chunk.ordinal,
        "first_page": chunk.first_page,
        "last_page": chunk.last_page,
        "start": chunk.start,
        "end": chunk.end,
        "headings": chunk.headings,
    }
