"""What browsers are told: nothing here is framed, and pages run no scripts but this site's own."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from docmill.api.problems import WITHOUT_PAGES

_OF_DOCS = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def security_headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware: the headers on every answer; a view's own Content-Security-Policy stays."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path == "/api/docs/":
            response.headers.setdefault("Content-Security-Policy", _OF_DOCS)
        for name, value in WITHOUT_PAGES.items():
            response.headers.setdefault(name, value)
        return response

    return answer
