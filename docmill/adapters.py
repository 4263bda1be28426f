"""The adapters that the settings choose, made once a process when first needed."""

import threading
from functools import cache
from typing import Any

from django.conf import settings

from docmill.pipeline.chunking.chunker import PATH_CHARACTERS, Chunker, ChunkOptions
from docmill.pipeline.embed import Embedder
from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.process import ExtractorProcess
from docmill.pipeline.vector_stores import VectorStore
from docmill.storage import Originals


def _local_embedder() -> Embedder:
    from docmill.pipeline.embed.local import LocalEmbedder

    return LocalEmbedder()


def _pgvector_store(embedder: Embedder) -> VectorStore:
    from docmill.pipeline.vector_stores.pgvector import PgvectorStore

    return PgvectorStore(settings.DATABASE_URL, embedder.model, embedder.dimension)


def _gemini_embedder() -> Embedder:
    from docmill.pipeline.embed.gemini import MAX_TEXTS, GeminiEmbedder
    from docmill.pipeline.embed.governor import RedisGovernor

    requests, tokens = settings.GEMINI_REQUESTS_PER_MINUTE, settings.GEMINI_TOKENS_PER_MINUTE
    governor = RedisGovernor(f"{settings.REDIS_URL}/0", "gemini", requests, tokens)
    return GeminiEmbedder(
        settings.GEMINI_API_KEY,
        settings.EMBEDDING_DIMENSIONS,
        governor,
        # A call that needs the whole minute's quota would hold up everybody else.
        batch_size=max(requests // 8, 1) if requests else MAX_TEXTS,
        tokens_per_request=max(tokens // 8, 2048) if tokens else 200_000,
        base_url=settings.GEMINI_BASE_URL,
    )


def _pinecone_store(embedder: Embedder) -> VectorStore:
    from docmill.pipeline.vector_stores.pinecone import PineconeStore

    return PineconeStore(
        settings.PINECONE_API_KEY,
        settings.PINECONE_INDEX,
        embedder.dimension,
        cloud=settings.PINECONE_CLOUD,
        region=settings.PINECONE_REGION,
        controller_host=settings.PINECONE_CONTROLLER_HOST,
    )


EMBEDDERS = {"local": _local_embedder, "gemini": _gemini_embedder}
VECTOR_STORES = {"pgvector": _pgvector_store, "pinecone": _pinecone_store}


@cache
def embedder() -> Embedder:
    """The embedding model of the setting EMBEDDER. Raises PermanentError `embedder_rejected` for an unknown one."""
    if settings.EMBEDDER not in EMBEDDERS:
        raise PermanentError(
            "embedder_rejected", f"EMBEDDER must be one of {', '.join(EMBEDDERS)}, not {settings.EMBEDDER!r}."
        )
    return EMBEDDERS[settings.EMBEDDER]()


@cache
def vector_store() -> VectorStore:
    """The vector store of the setting VECTOR_STORE, opened for the model in use. Raises PermanentError
    `index_rejected` for an unknown one."""
    if settings.VECTOR_STORE not in VECTOR_STORES:
        raise PermanentError(
            "index_rejected", f"VECTOR_STORE must be one of {', '.join(VECTOR_STORES)}, not {settings.VECTOR_STORE!r}."
        )
    return VECTOR_STORES[settings.VECTOR_STORE](embedder())


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


_boxes = threading.local()


def extractor() -> ExtractorProcess:
    """This thread's box for hostile files; it dies with its thread."""
    if not hasattr(_boxes, "extractor"):
        _boxes.extractor = _new_extractor()
    box: ExtractorProcess = _boxes.extractor
    return box


def _new_extractor() -> ExtractorProcess:
    return ExtractorProcess(
        SandboxLimits(
            page_seconds=settings.EXTRACT_PAGE_SECONDS,
            total_seconds=settings.EXTRACT_TOTAL_SECONDS,
            memory_bytes=settings.EXTRACT_MEMORY_BYTES,
            max_pages=settings.EXTRACT_MAX_PAGES,
            max_characters=settings.EXTRACT_MAX_CHARACTERS,
        )
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
