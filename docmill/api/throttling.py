"""The limit of an address, counted before a request is worked on."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from docmill.api.problems import CONTENT_TYPE, problem
from docmill.api.rate_headers import limited_headers, rate_limit_headers
from docmill.documents.limits import LimitReachedError, count_request


def address_limit(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware: counts the requests of an address; a request without a key is told how many are left."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return get_response(request)
        try:
            allowance = count_request(
                "address", request.META.get("REMOTE_ADDR", "unknown"), settings.LIMIT_ADDRESS_REQUESTS_PER_MINUTE
            )
        except LimitReachedError as error:
            return JsonResponse(
                problem(error), status=error.kind.status, content_type=CONTENT_TYPE, headers=limited_headers(error)
            )
        response = get_response(request)
        if allowance is not None and "RateLimit" not in response.headers:
            for name, value in rate_limit_headers(allowance).items():
                response.headers[name] = value
        return response

    return answer
