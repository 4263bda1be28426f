"""The catalogue of errors: one list of stable codes for HTTP answers, documents' failures, tasks and events."""

import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One entry of the catalogue: `status` is the HTTP status where the error answers a request; `message` says what
    to do; `retryable` tells whether the same document may succeed when tried again."""

    code: str
    status: int
    title: str
    message: str
    retryable: bool = False


_KINDS = (
    # the upload
    ErrorKind("empty_file", 400, "Empty file", "The file has no content. Upload a file of at least one byte."),
    ErrorKind("missing_file", 400, "No file", "Send the document as multipart/form-data in a field named 'file'."),
    ErrorKind("bad_filename", 400, "Bad file name", "The file name must not hold path parts or control characters."),
    ErrorKind("bad_metadata", 400, "Bad metadata", "The field 'metadata' must be one JSON object of at most 16 KB."),
    ErrorKind("bad_options", 400, "Bad options", "The options given for this document are not valid."),
    ErrorKind("file_too_large", 413, "File too large", "The file is larger than this installation accepts."),
    ErrorKind("unsupported_type", 415, "Unsupported type", "This type of file is not supported."),
    ErrorKind("type_mismatch", 415, "Wrong extension", "The file's content is not what its name says."),
    # requests
    ErrorKind("bad_request", 400, "Bad request", "The request is not valid."),
    ErrorKind("unauthenticated", 401, "API key needed", "Send a valid key: 'Authorization: Bearer <API key>'."),
    ErrorKind("not_found", 404, "Not found", "There is nothing here for this API key."),
    ErrorKind("bad_host", 400, "Unknown host", "This host is not in ALLOWED_HOSTS; name it there."),
    ErrorKind("bad_cursor", 400, "Bad cursor", "The cursor is not one that a list here gave; begin without one."),
    ErrorKind("not_acceptable", 406, "Not acceptable", "Answers are application/json; ask for that or for */*."),
    ErrorKind("request_timeout", 408, "Too slow", "The request did not arrive in time; send it again.", True),
    ErrorKind("head_too_large", 431, "Headers too large", "A request's headers may have 64 KB in all."),
    ErrorKind("method_not_allowed", 405, "Method not allowed", "This address does not take that method."),
    ErrorKind("conflict", 409, "Conflict", "The document's state does not allow this now."),
    ErrorKind("too_many_requests", 429, "Too many requests", "Slow down and try again.", True),
    ErrorKind("internal_error", 500, "Internal error", "Something went wrong here; it has been reported.", True),
    ErrorKind("disk_full", 507, "Disk full", "There is no room for temporary files; try again shortly.", True),
    ErrorKind("unavailable", 503, "Not available", "A part of the system is down; try again shortly.", True),
    # the document
    ErrorKind("corrupt", 422, "Corrupt file", "The file cannot be read; export it again and upload the new one."),
    ErrorKind("encrypted", 422, "Encrypted file", "The file needs a password; remove it and upload the file again."),
    ErrorKind("no_text", 422, "No text", "No text was found in the document, not even by OCR."),
    ErrorKind(
        "ocr_unsupported_script",
        422,
        "Script unknown to OCR",
        "OCR does not know the letters of these pages; upload a version with a text layer, read by an OCR that does.",
    ),
    ErrorKind(
        "unreadable_text",
        422,
        "Unreadable text",
        "The document's characters are no text, and OCR found none; export it again with its fonts.",
    ),
    ErrorKind("too_many_pages", 422, "Too many pages", "Split the document into smaller ones."),
    ErrorKind("too_much_text", 422, "Too much text", "The document unpacks to more than is accepted; split it."),
    ErrorKind("too_complex", 422, "Too complex", "The document is far more involved than its text; simplify it."),
    ErrorKind("timeout", 504, "Timed out", "A stage took longer than its limit.", True),
    ErrorKind("memory_limit", 422, "Memory limit", "Reading the document needs more memory than it may have."),
    ErrorKind("extractor_crashed", 422, "Unreadable file", "The document crashes the program that reads it."),
    ErrorKind("worker_crashed", 500, "Worker lost", "The worker died twice while working on the document.", True),
    # the parts
    ErrorKind(
        "sandbox_incomplete", 503, "Sandbox incomplete", "A wall of the sandbox is missing: ask the operator.", True
    ),
    ErrorKind("storage_unavailable", 503, "Storage down", "The object storage did not answer.", True),
    ErrorKind("storage_forbidden", 503, "Storage forbidden", "The storage refused: check bucket and keys.", True),
    ErrorKind("original_missing", 410, "Original missing", "The original is no longer in storage; upload it again."),
    ErrorKind("database_unavailable", 503, "Database down", "The database did not answer.", True),
    ErrorKind("embedder_unavailable", 503, "Embedder down", "The embedding model did not answer.", True),
    ErrorKind("embedder_auth", 503, "Embedder key refused", "The embedding service refused the API key.", True),
    ErrorKind("embedder_quota", 503, "Embedder quota spent", "The embedding quota is spent for now.", True),
    ErrorKind("embedder_rejected", 500, "Embedder refused", "The embedding service refused the request.", True),
    ErrorKind("reranker_rejected", 500, "Reranker refused", "The reranker refused the request.", True),
    ErrorKind("model_unavailable", 503, "Model not there", "A local model is missing: run 'docmill models'.", True),
    ErrorKind("index_unavailable", 503, "Vector store down", "The vector store did not answer.", True),
    ErrorKind("index_auth", 503, "Vector store key refused", "The vector store refused the API key.", True),
    ErrorKind("index_rejected", 500, "Vector store refused", "The vector store refused the request.", True),
    ErrorKind(
        "index_mismatch", 503, "Index mismatch", "The index in use is not the settings': run 'docmill reindex'.", True
    ),
)

CATALOGUE: Mapping[str, ErrorKind] = MappingProxyType({kind.code: kind for kind in _KINDS})


class DocmillError(Exception):
    """An error with a code from the catalogue and a sentence for the person who must act on it."""

    def __init__(self, code: str, message: str | None = None) -> None:
        self.kind = CATALOGUE[code]
        self.message = message or self.kind.message
        super().__init__(code, self.message)

    def __str__(self) -> str:
        return self.message

    @property
    def code(self) -> str:
        return self.kind.code


class PermanentError(DocmillError):
    """The same try would fail again: the document fails at once."""


class TransientError(DocmillError):
    """A part is down or slow: the same try may succeed in a few seconds."""


def is_disk_full(error: BaseException | None) -> bool:
    """Whether there was no room on a disk, which libraries may wrap in errors of their own."""
    return any(isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT) for one in _layers(error))


_NO_MEMORY = (
    "bad_alloc",
    "bad alloc",
    "failed to allocate",
    "cannot allocate",
    "insufficient memory",
    "can't start new thread",
    "failed to map segment",  # of a shared library that is imported
)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether memory ran out, which native libraries say in their own words, some layers down."""
    return any(
        isinstance(one, MemoryError) or any(words in str(one).lower() for words in _NO_MEMORY) for one in _layers(error)
    )


def _layers(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was raised from, and so on down."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class StaleAttemptError(Exception):
    """A newer attempt or a delete owns the document now: stop without writing anything."""


class HandedOverError(Exception):
    """This worker is shutting down, or others wait: give the document back to be worked on later or by another."""
