"""What an event holds and what it never does: the real SDK, its envelopes read off the wire."""

import logging
import time
from collections.abc import Iterator

import pytest
import sentry_sdk

from docmill import sentry
from docmill.pipeline.errors import CATALOGUE, DocmillError, PermanentError, TransientError
from tests.contract.sentry_server import SentryServer

TAGS = {"document": "d-1", "tenant": 7, "stage": "embedding", "attempt": 2, "task_id": "t-1"}


@pytest.fixture
def server() -> Iterator[SentryServer]:
    with SentryServer() as started:
        sentry.begin(
            started.dsn, "tests", ["key-AIza-123", "redis://:hunter2@127.0.0.1:6379", "", "http://no.password"]
        )
        yield started
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)


def sent(server: SentryServer) -> str:
    sentry_sdk.flush(5)
    return b"\n".join(server.raw).decode()


def test_an_event_names_the_document_and_what_happened(server: SentryServer) -> None:
    sentry.report_failed_document(PermanentError("embedder_auth", "Gemini refused the key."), TAGS)
    (event,) = server.events
    assert event["tags"] == {name: str(value) for name, value in TAGS.items()} | {"code": "embedder_auth"}
    assert event["exception"]["values"][-1]["value"] == "embedder_auth: Gemini refused the key."
    assert event["environment"] == "tests"


def test_documents_of_one_fault_are_one_issue(server: SentryServer) -> None:
    for message in ("Gemini answered 500.", "Gemini answered 503."):
        sentry.report_failed_document(TransientError("embedder_unavailable", message), TAGS)
    assert [event["fingerprint"] for event in server.events] == [["embedder_unavailable", "embedding"]] * 2


def test_the_texts_that_foreign_exceptions_quote_are_left_out(server: SentryServer) -> None:
    text = " ".join(["paragraph", "of", "the", "document"])  # also a local variable of this frame
    try:
        try:
            raise ValueError(f"cannot store {text!r}")
        except ValueError as cause:
            raise TransientError("internal_error") from cause
    except TransientError as error:
        sentry.report_failed_document(error, TAGS)
    everything = sent(server)
    assert "ValueError" in everything and "internal_error" in everything
    assert text not in everything


def test_keys_and_passwords_are_struck_out_wherever_they_are(server: SentryServer) -> None:
    sentry.report_failed_document(TransientError("index_unavailable", "key-AIza-123 at :hunter2@ refused"), TAGS)
    everything = sent(server)
    assert "key-AIza-123" not in everything and "hunter2" not in everything
    assert "[removed] at :[removed]@ refused" in everything


@pytest.mark.parametrize(
    "code", ["corrupt", "encrypted", "no_text", "unsupported_type", "too_many_pages", "memory_limit"]
)
def test_a_documents_own_fault_is_no_event(server: SentryServer, code: str) -> None:
    sentry.report_failed_document(PermanentError(code), TAGS)
    sent(server)
    assert server.events == []


@pytest.mark.parametrize(
    "code", ["worker_crashed", "storage_forbidden", "original_missing", "timeout", "index_mismatch"]
)
def test_the_systems_fault_is_one(server: SentryServer, code: str) -> None:
    assert code in CATALOGUE
    sentry.report_failed_document(PermanentError(code), TAGS)
    assert len(server.events) == 1


def test_logging_an_error_is_no_event(server: SentryServer) -> None:
    logging.getLogger("docmill").error("retry planned")
    sent(server)
    assert server.events == []


def test_a_sentry_that_is_down_holds_nobody_up(server: SentryServer) -> None:
    server.stop()
    began = time.monotonic()
    sentry.report_failed_document(PermanentError("embedder_auth"), TAGS)
    assert time.monotonic() - began < 10


def test_without_a_dsn_nothing_happens() -> None:
    sentry.report_failed_document(DocmillError("internal_error"), TAGS)
