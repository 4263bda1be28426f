"""The adapters that the settings choose, made once a process when first needed."""

import threading
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import connection

from docmill.pipeline.chunking.chunker import PATH_CHARACTERS, Chunker, ChunkOptions
from docmill.pipeline.embed import Embedder
from docmill.pipeline.embed.local import DEFAULT_LOCAL_MODEL, LOCAL_MODELS, local_model_named
from docmill.pipeline.embed.local.embedder import LocalEmbedder
from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.ocr.engine import OcrOptions
from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.process import ExtractorProcess
from docmill.pipeline.extract.sandbox.walls import Walls
from docmill.pipeline.rerank import Reranker
from docmill.pipeline.vector_stores import VectorStore
from docmill.storage import Originals

EMBEDDERS = {
    "gemini": "docmill.pipeline.embed.gemini",
}
"""The setting EMBEDDER, where it is not `local`, and the module whose `from_settings(settings)` makes the embedder."""

VECTOR_STORES = {
    "pgvector": "docmill.pipeline.vector_stores.pgvector",
    "pinecone": "docmill.pipeline.vector_stores.pinecone",
}
"""The setting VECTOR_STORE, and the module whose `from_settings(settings, embedder)` opens the store."""


RERANKERS = {
    "local": "docmill.pipeline.rerank.local",
}
"""The setting RERANKER, and the module whose `from_settings(settings)` makes the reranker."""


@cache
def embedder() -> Embedder:
    """The embedding model of the setting EMBEDDER. Raises PermanentError `embedder_rejected` for an unknown one."""
    if settings.EMBEDDER == "local":
        module = LOCAL_MODELS[local_model()].module
    elif settings.EMBEDDER in EMBEDDERS:
        module = EMBEDDERS[settings.EMBEDDER]
    else:
        raise _not_one_of("EMBEDDER", settings.EMBEDDER, ["local", *EMBEDDERS])
    made: Embedder = import_module(module).from_settings(settings)
    return made


def prepare_models() -> None:
    """Make a local model's files where they are missing, before processes need them. Raises PermanentError
    `model_unavailable`."""
    chosen = embedder()
    if isinstance(chosen, LocalEmbedder):
        chosen.prepare()


def local_model() -> str:
    """The name of the local model: the setting LOCAL_MODEL, else that of the index in use, so that an installation
    keeps what it began with, else the default. Raises PermanentError `embedder_rejected` for an unknown one."""
    if settings.LOCAL_MODEL and settings.LOCAL_MODEL not in LOCAL_MODELS:
        raise _not_one_of("LOCAL_MODEL", settings.LOCAL_MODEL, LOCAL_MODELS)
    return settings.LOCAL_MODEL or local_model_named(_model_in_use()) or DEFAULT_LOCAL_MODEL


def _model_in_use() -> str | None:
    """The model of the index in use; None before there is one. Read by SQL, for the rows' models stand above this."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('api_vectorindex')")
        if cursor.fetchone() == (None,):
            return None
        cursor.execute("SELECT model FROM api_vectorindex WHERE active")
        row = cursor.fetchone()
    return str(row[0]) if row else None


def _not_one_of(setting: str, value: str, known: Iterable[str], code: str = "embedder_rejected") -> PermanentError:
    return PermanentError(code, f"{setting} must be one of {', '.join(known)}, not {value!r}.")


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
def reranker() -> Reranker | None:
    """The reranker of the setting RERANKER, None where it is empty. Raises PermanentError `reranker_rejected` for an
    unknown one."""
    if not settings.RERANKER:
        return None
    if settings.RERANKER not in RERANKERS:
        raise _not_one_of("RERANKER", settings.RERANKER, RERANKERS, "reranker_rejected")
    made: Reranker = import_module(RERANKERS[settings.RERANKER]).from_settings(settings)
    return made


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
    """This thread's sandbox for hostile files; its processes die with it."""
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
        walls_required=settings.SANDBOX == "required",
    )


@cache
def walls() -> Walls:
    """The walls of the sandbox that this system allows, and those that it does not; tried once a process."""
    process = ExtractorProcess()
    try:
        return process.start()
    finally:
        process.close()


def chunker(options: dict[str, Any]) -> Chunker:
    """A chunker for the model in use; `options` are a document's own, over the settings.

    Raises ValueError for sizes that do not fit the model or each other.
    """
    target, most = embedder().chunk_sizes
    sizes = ChunkOptions(
        **{
            "target_tokens": settings.CHUNK_TARGET_TOKENS or target,
            "max_tokens": settings.CHUNK_MAX_TOKENS or most,
            "overlap": max(settings.CHUNK_OVERLAP, 0),
        }
        | options
    )
    limit = embedder().max_tokens - PATH_CHARACTERS
    if sizes.max_tokens > limit:
        raise ValueError(f"max_tokens may be {limit} at most with the model {embedder().model}.")
    return Chunker(embedder().count_tokens, sizes)
