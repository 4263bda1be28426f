"""Sentry: one event for a document that fails for good through no fault of its own, and for a request that breaks.

Nothing is reported by itself: log lines, task failures and retries stay in the logs. An event holds no local variables,
no request, no breadcrumbs and no message of a foreign exception, since each may repeat a document's text or a key.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import sentry_sdk

from docmill import __version__
from docmill.pipeline.errors import DocmillError

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

_DOCUMENTS_OWN_FAULT = (400, 413, 415, 422)
_FLUSH_SECONDS = 2.0


def begin(dsn: str, environment: str, secrets: Iterable[str]) -> None:
    """Report to `dsn` from now on; `secrets` (keys, and URLs for their passwords) are struck from every event."""
    struck = sorted(filter(None, map(_secret_part, secrets)), key=len, reverse=True)

    def before_send(event: "Event", hint: "Hint") -> "Event":
        _drop_foreign_messages(event, hint)
        clean: Event = _without(event, struck)
        return clean

    sentry_sdk.init(
        dsn=dsn,
        release=f"docmill@{__version__}",
        environment=environment,
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_breadcrumbs=0,
        max_request_body_size="never",
        before_send=before_send,
    )


def report_failed_document(error: DocmillError, tags: Mapping[str, object]) -> None:
    """Send one event, unless the document itself is to blame; returns when it is sent or two seconds are over."""
    if error.kind.status in _DOCUMENTS_OWN_FAULT or not sentry_sdk.is_initialized():
        return
    with sentry_sdk.new_scope() as scope:
        scope.set_tags({name: str(value) for name, value in tags.items()} | {"code": error.code})
        scope.fingerprint = [error.code, str(tags.get("stage", ""))]
        sentry_sdk.capture_exception(error)
    # A worker's child may be replaced right after its task.
    sentry_sdk.flush(_FLUSH_SECONDS)


def report_broken_request(error: Exception) -> None:
    """Send one event for an exception that no view expected."""
    if sentry_sdk.is_initialized():
        sentry_sdk.capture_exception(error)


def _drop_foreign_messages(event: "Event", hint: "Hint") -> None:
    """Keep the message of docmill's own error only: others may quote what they choked on."""
    own = hint.get("exc_info", (None, None, None))[1]
    for exception in event.get("exception", {}).get("values", []):
        said_by_us = isinstance(own, DocmillError) and exception.get("type") == type(own).__name__
        exception["value"] = f"{own.code}: {own.message}" if said_by_us and isinstance(own, DocmillError) else ""


def _secret_part(secret: str) -> str:
    """The password where the secret is a URL."""
    return (urlsplit(secret).password or "") if "://" in secret else secret


def _without(value: Any, struck: list[str]) -> Any:
    if isinstance(value, str):
        for secret in struck:
            value = value.replace(secret, "[removed]")
        return value
    if isinstance(value, dict):
        return {key: _without(item, struck) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without(item, struck) for item in value]
    return value
