"""The adapters that the settings choose, made once a process when first needed."""

import threading
from functools import cache
from importlib import import_module
from typing import Any

from django.conf import settings

from docmill.pipeline.chunking.chunker import PATH_CHARACTERS, Chunker, ChunkOptions
from docmill.pipeline.embed import Embedder
from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.ocr.engine import OcrOptions
from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.process import ExtractorProcess
from docmill.pipeline.vector_stores import VectorStore
from docmill.storage import Originals

EMBEDDERS = {
    "local": "docmill.pipeline.embed.local",
    "gemini": "docmill.pipeline.embed.gemini",
}
"""The setting EMBEDDER, and the module whose `from_settings(settings)` makes the embedder."""

VECTOR_STORES = {
    "pgvector": "docmill.pipeline.vector_stores.pgvector",
    "pinecone": "docmill.pipeline.vector_stores.pinecone",
}
"""The setting VECTOR_STORE, and the module whose `from_settings(settings, embedder)` opens the store."""


@cache
def embedder() -> Embedder:
    """The embedding model of the setting EMBEDDER. Raises PermanentError `embedder_rejected` for an unknown one."""
    if settings.EMBEDDER not in EMBEDDERS:
        raise PermanentError(
            "embedder_rejected", f"EMBEDDER must be one of {', '.join(EMBEDDERS)}, not {settings.EMBEDDER!r}."
        )
    made: Embedder = import_module(EMBEDDERS[settings.EMBEDDER]).from_settings(settings)
    return made


@cache
def vector_store() -> VectorStore:
    """The vector store of the setting VECTOR_STORE, opened for the model in use. Raises PermanentError
    `index_rejected` for an unknown one."""
    if settings.VECTOR_STORE not in VECTOR_STORES:
        raise PermanentError(
            "index_rejected", f"VECTOR_STORE must be one of {', '.join(VECTOR_STORES)}, not {settings.VECTOR_STORE!r}."
        )
    opened: VectorStore = import_module(VECTOR_STORES[settings.VECTOR_STORE]).from_settings(settings, embedder())
    return opened


@cache
def originals() -> Originals:
    """The bucket that holds the uploaded files."""
    return Originals(
        settings.S3_BUCKET,
        endpoint_url=settings.S3_ENDPOINT_URL,
        region=settings.S3_REGION,
        sse=settings.S3_SERVER_SIDE_ENCRYPTION,
        kms_key=settings.S3_KMS_KEY_ID,
        temp_dir=settings.TEMP_DIR,
    )


_extractors = threading.local()


def extractor() -> ExtractorProcess:
    """This thread's sandbox for hostile files; it dies with its thread."""
    if not hasattr(_extractors, "own"):
        _extractors.own = _new_extractor()
    extractor: ExtractorProcess = _extractors.own
    return extractor


def _new_extractor() -> ExtractorProcess:
    return ExtractorProcess(
        SandboxLimits(
            page_seconds=settings.EXTRACT_PAGE_SECONDS,
            total_seconds=settings.EXTRACT_TOTAL_SECONDS,
            memory_bytes=settings.EXTRACT_MEMORY_BYTES,
            max_pages=settings.EXTRACT_MAX_PAGES,
            max_characters=settings.EXTRACT_MAX_CHARACTERS,
        ),
        OcrOptions(settings.OCR_ENGINE, settings.OCR_THREADS, settings.OCR_LANGUAGES),
    )


def chunker(options: dict[str, Any]) -> Chunker:
    """A chunker for the model in use; `options` are a document's own, over the settings.

    Raises ValueError for sizes that do not fit the model or each other.
    """
    chosen = {
        "target_tokens": settings.CHUNK_TARGET_TOKENS or None,
        "max_tokens": settings.CHUNK_MAX_TOKENS or None,
        "overlap": settings.CHUNK_OVERLAP if settings.CHUNK_OVERLAP >= 0 else None,
    } | options
    sizes = ChunkOptions(**{name: value for name, value in chosen.items() if value is not None})
    limit = embedder().max_tokens - PATH_CHARACTERS
    if sizes.max_tokens > limit:
        raise ValueError(f"max_tokens may be {limit} at most with the model {embedder().model}.")
    return Chunker(embedder().count_tokens, sizes)
