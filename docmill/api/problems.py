"""Errors as RFC 9457 problem documents with a stable `code`."""

from typing import Any

import structlog
from django.core.exceptions import DisallowedHost, SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import is_valid_path
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from docmill import sentry
from docmill.api.rate_headers import limited_headers
from docmill.documents.limits import LimitReachedError
from docmill.pipeline.errors import CATALOGUE, DocmillError, is_disk_full

log = structlog.get_logger("docmill.problems")

CONTENT_TYPE = "application/problem+json"


WITHOUT_PAGES = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Headers of every answer that is no page for people."""


def problem(error: DocmillError) -> dict[str, Any]:
    """The members of the problem document for an error."""
    kind = error.kind
    return {
        "type": f"urn:docmill:error:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": error.message,
        "code": kind.code,
        "retryable": kind.retryable,
    }


def answer(exception: Exception, context: dict[str, Any]) -> Response:
    """Django REST framework's exception handler: every error of a view becomes a problem document."""
    error = _translate(exception)
    if error.code == "internal_error":
        log.exception("unexpected_error", path=context["request"].path, exc_info=exception)
        sentry.report_broken_request(exception)
    set_rollback()
    response = Response(problem(error), status=error.kind.status, content_type=CONTENT_TYPE)
    if error.code == "unauthenticated":
        response["WWW-Authenticate"] = 'Bearer realm="docmill"'
    if isinstance(error, LimitReachedError):
        for name, value in limited_headers(error).items():
            response[name] = value
    if error.kind.status in (503, 507):
        response["Retry-After"] = "5"
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Django's handler for addresses that do not exist: says whether only the slash at the end is missing."""
    if not request.path.endswith("/") and is_valid_path(f"{request.path_info}/"):
        message = f"This address ends with a slash: {request.path}/."
    else:
        message = f"There is no address {request.path[:200]} here; /api/docs/ lists those that there are."
    return _page(DocmillError("not_found", message))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Django's handler for requests that it refuses before any view."""
    return _page(_translate(exception) if exception else DocmillError("bad_request"))


def server_error(request: HttpRequest) -> JsonResponse:
    """Django's handler for what no view caught."""
    return _page(DocmillError("internal_error"))


def _page(error: DocmillError) -> JsonResponse:
    return JsonResponse(problem(error), status=error.kind.status, content_type=CONTENT_TYPE)


def _translate(exception: Exception) -> DocmillError:
    match exception:
        case DocmillError():
            return exception
        case Http404() | exceptions.NotFound():
            return DocmillError("not_found", "There is nothing with this id for this API key.")
        case exceptions.NotAcceptable():
            return DocmillError("not_acceptable")
        case exceptions.Throttled():
            return DocmillError("too_many_requests", str(exception.detail))
        case DisallowedHost():
            return DocmillError("bad_host")
        case exceptions.AuthenticationFailed() | exceptions.NotAuthenticated() | exceptions.PermissionDenied():
            return DocmillError("unauthenticated")
        case exceptions.MethodNotAllowed():
            return DocmillError("method_not_allowed")
        case exceptions.ValidationError():
            return DocmillError("bad_request", _sentence(exception.detail))
        case exceptions.UnsupportedMediaType():
            return DocmillError("bad_request", str(exception.detail))
        case TooManyFieldsSent() | TooManyFilesSent():
            return DocmillError("bad_request", "The form has too many parts.")
        case exceptions.ParseError() | SuspiciousOperation():
            return DocmillError("bad_request", str(exception))
        case DataError():
            return DocmillError("bad_request", "A value holds what cannot be stored, such as a NUL character.")
        case OperationalError() | InterfaceError():
            return DocmillError("database_unavailable")
        case _ if is_disk_full(exception):
            return DocmillError("disk_full")
        case _:
            return DocmillError("internal_error", CATALOGUE["internal_error"].message)


def _sentence(detail: Any) -> str:
    """A validation error's details in one line, each with its field."""
    if isinstance(detail, dict):
        return " ".join(f"{field}: {_sentence(value)}" for field, value in detail.items())
    if isinstance(detail, list):
        return " ".join(_sentence(value) for value in detail)
    return str(detail)
