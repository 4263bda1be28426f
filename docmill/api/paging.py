"""Lists by cursor, and the query parameters that an address takes: what it does not know it refuses by name."""

import base64
import re
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from docmill.api.rate_headers import rate_limit_headers
from docmill.documents import tenancy
from docmill.documents.limits import Allowance, count_request
from docmill.documents.models import ApiKey
from docmill.pipeline.errors import PermanentError

_OWN = re.compile(rb"(?:[orp]=[^&=]+(?:&|\Z))+")
"""A cursor of Django REST framework: offset, reverse and position as in a query."""


class KnownParameters(APIView):
    """A view that takes the query parameters in `parameters` and no others, so many times a minute from a key."""

    parameters: tuple[str, ...] = ()
    _allowance: Allowance | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with tenancy.request_scope():
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if isinstance(request.auth, ApiKey):
            tenancy.enter_tenant(request.auth.user_id)
            self._allowance = count_request("key", str(request.auth.pk), settings.LIMIT_REQUESTS_PER_MINUTE)
        if unknown := sorted(set(request.query_params) - set(self.parameters)):
            there_are = f"there are {', '.join(self.parameters)}" if self.parameters else "there are none here"
            raise PermanentError("bad_request", f"Unknown parameter {unknown[0][:100]!r}; {there_are}.")

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self._allowance is not None and "RateLimit" not in response.headers:
            for name, value in rate_limit_headers(self._allowance).items():
                response.headers[name] = value
        return response


class ByCursor(CursorPagination):
    """Pages of a list by cursor; `limit` is how many rows a page has."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 500
    ordering = "-created_at"

    def get_page_size(self, request: Request) -> int:
        """Raises PermanentError `bad_request` for a limit that is none."""
        limit = request.query_params.get("limit", str(self.page_size))
        if not re.fullmatch("[0-9]{1,9}", limit) or not 1 <= int(limit) <= self.max_page_size:
            raise PermanentError("bad_request", f"limit must be a number from 1 to {self.max_page_size}.")
        return int(limit)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Raises PermanentError `bad_cursor`."""
        given = request.query_params.get(self.cursor_query_param)
        try:
            if given is not None and not _OWN.fullmatch(base64.b64decode(given, validate=True)):
                raise PermanentError("bad_cursor")
            return super().decode_cursor(request)
        except (NotFound, ValueError):
            raise PermanentError("bad_cursor") from None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """Raises PermanentError `bad_cursor` for a position that no row of this list can have."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, OverflowError, DataError):
            if request.query_params.get(self.cursor_query_param):
                raise PermanentError("bad_cursor") from None
            raise

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()})


class ChunksByCursor(ByCursor):
    ordering = "ordinal"

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Raises PermanentError `bad_cursor`, also for a position that is no ordinal: there Django finds nothing."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position and not re.fullmatch("[0-9]{1,9}", str(cursor.position)):
            raise PermanentError("bad_cursor")
        return cursor
