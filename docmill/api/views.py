"""The HTTP interface. The tenant is the API key's user; what belongs to another is not found."""

import time
import uuid
from pathlib import Path
from typing import Any, cast

from celery.result import AsyncResult
from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from redis.exceptions import RedisError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from docmill import adapters
from docmill.api import uploads
from docmill.api.auth import tenant_of
from docmill.api.paging import ByCursor, ChunksByCursor, KnownParameters
from docmill.api.serializers import ChunkSerializer, DocumentSerializer
from docmill.documents import intake, lifecycle
from docmill.documents.enqueueing import enqueue_document
from docmill.documents.models import Chunk, Document
from docmill.pipeline.errors import PermanentError, TransientError

_LINK_SECONDS = 300


def _document(request: Request, document_id: uuid.UUID) -> Document:
    return get_object_or_404(Document.objects.live(), id=document_id, user_id=tenant_of(request))


class IngestView(KnownParameters):
    """Take a document in."""

    parser_classes = (uploads.UploadParser,)

    @extend_schema(
        request={
            "multipart/form-data": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "metadata": {"type": "string", "description": "A JSON object to filter searches by."},
                    "options": {"type": "string", "description": "A JSON object: target_tokens, max_tokens, overlap."},
                },
            }
        },
        responses={202: dict, 200: dict, 201: dict},
    )
    def post(self, request: Request) -> Response:
        """Answer 202 as soon as the document is stored; 200 with the existing one for known content."""
        file = uploads.uploaded_file(request)
        uploads.check_form(request)
        path = Path(file.temporary_file_path())
        upload = intake.Upload(
            path,
            cast(str, file.name),
            cast(int, file.size),
            uploads.sha256_of(path),
            uploads.json_field(request, "metadata", "bad_metadata"),
            uploads.chunk_options(request),
        )
        document, created = intake.accept(tenant_of(request), upload, enqueue=settings.DOCMILL_ASYNC)
        if created and not settings.DOCMILL_ASYNC:
            _work_now(document)
        return _accepted(request, document, created)


def _work_now(document: Document) -> None:
    """Do a worker's work within the request, retries included."""
    try:
        while document.status == Document.Status.PROCESSING:
            lifecycle.process(document.id, has_helpers=False)
            document.refresh_from_db()
            if document.next_retry_at:
                time.sleep(max(document.next_retry_at.timestamp() - time.time(), 0))
    finally:
        adapters.extractor().close()


def _accepted(request: Request, document: Document, created: bool) -> Response:
    body: dict[str, Any] = {
        "message": "Processing started" if created else "This content is already here",
        "task_id": str(document.task_id),
        "async": settings.DOCMILL_ASYNC,
        "document_id": str(document.id),
        "status": document.status,
    }
    if not created:
        body["duplicate"] = True
    elif not settings.DOCMILL_ASYNC:
        body |= {"message": "Processing finished", "error": document.error}
    status = 200 if not created else 202 if settings.DOCMILL_ASYNC else 201
    location = reverse("document", kwargs={"document_id": document.id}, request=request)
    return Response(body, status=status, headers={"Location": location})


class DocumentListView(KnownParameters, ListAPIView[Document]):
    """The tenant's documents, newest first; filters `status`, `filename`, `content_type`."""

    serializer_class = DocumentSerializer
    pagination_class = ByCursor
    parameters = ("limit", "cursor", "status", "filename", "content_type")

    def get_queryset(self) -> QuerySet[Document]:
        chosen = {
            name: self.request.query_params[name]
            for name in ("status", "filename", "content_type")
            if name in self.request.query_params
        }
        if chosen.get("status") not in (None, *Document.Status.values):
            raise PermanentError("bad_request", f"status must be one of {', '.join(Document.Status.values)}.")
        return Document.objects.live().filter(user_id=tenant_of(self.request), **chosen)


class DocumentView(KnownParameters):
    """One document."""

    @extend_schema(responses=DocumentSerializer)
    def get(self, request: Request, document_id: uuid.UUID) -> Response:
        """Status, stage, progress, counts, timings, error."""
        return Response(DocumentSerializer(_document(request, document_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, document_id: uuid.UUID) -> Response:
        """Gone from search at once; vectors, original and rows are removed right after."""
        lifecycle.mark_deleted(_document(request, document_id))
        return Response(status=204)


class RetryView(KnownParameters):
    """Try a failed document again."""

    @extend_schema(request=None, responses={202: dict})
    def post(self, request: Request, document_id: uuid.UUID) -> Response:
        """Answer 202; 409 unless the document has failed."""
        document = _document(request, document_id)
        if document.status != Document.Status.FAILED or not lifecycle.start_again(document):
            raise PermanentError("conflict", "Only a failed document can be tried again.")
        if settings.DOCMILL_ASYNC:
            enqueue_document(document)
        else:
            _work_now(document)
        return _accepted(request, document, created=True)


class ChunkListView(KnownParameters, ListAPIView[Chunk]):
    """The chunks of a completed document, in order."""

    serializer_class = ChunkSerializer
    pagination_class = ChunksByCursor
    parameters = ("limit", "cursor")

    def get_queryset(self) -> QuerySet[Chunk]:
        document = _document(self.request, self.kwargs["document_id"])
        return document.chunks.select_related("document").filter(document__status=Document.Status.COMPLETED)


class ContentView(KnownParameters):
    """The original."""

    @extend_schema(responses={302: None})
    def get(self, request: Request, document_id: uuid.UUID) -> HttpResponseRedirect:
        """A redirect to a link that lives for five minutes."""
        document = _document(request, document_id)
        return HttpResponseRedirect(
            adapters.originals().presigned_url(
                document.s3_key, document.filename, document.content_type, seconds=_LINK_SECONDS
            )
        )


class TaskView(KnownParameters):
    """A task, for the owner of its document."""

    @extend_schema(parameters=[OpenApiParameter("task_id", str, "path")], responses=dict)
    def get(self, request: Request, task_id: uuid.UUID) -> Response:
        """State, result and error, from the result backend."""
        document = get_object_or_404(Document.objects.live(), task_id=task_id, user_id=tenant_of(request))
        try:
            outcome: AsyncResult[Any] = AsyncResult(str(task_id))
            state, result = outcome.state, outcome.result
        except RedisError as error:
            raise TransientError("unavailable", "The result backend did not answer; try again shortly.") from error
        return Response(
            {
                "task_id": str(task_id),
                "document_id": str(document.id),
                "state": state,
                "result": result if state == "SUCCESS" else None,
                "error": document.error or document.last_error,
            }
        )
