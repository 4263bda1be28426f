"""Flower behind three walls: a login (FLOWER_BASIC_AUTH), the hosts of ALLOWED_HOSTS, and no secret in any answer.

`python -m docmill.worker.flower ADDRESS PORT`. Flower has a login of its own; whom it answers and what it shows of
addresses it leaves to others, so both are added here by the means of Tornado, the web framework below it.
"""

import atexit
import signal
import sys
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from flower.app import Flower
from flower.command import apply_env_options, extract_settings, setup_logging
from flower.urls import settings as flower_settings
from flower.views.monitor import Metrics
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.options import options
from tornado.web import ErrorHandler, OutputTransform, authenticated

from docmill.worker.app import app

NEEDS_LOGIN = (
    "Flower shows every tenant's tasks: set FLOWER_BASIC_AUTH=user:password (several by comma), or FLOWER_AUTH with"
    " FLOWER_OAUTH2_KEY and FLOWER_OAUTH2_SECRET for a login by OAuth."
)
_SHORTEST_SECRET = 6


class PrivateMetrics(Metrics):  # type: ignore[misc]
    """The figures, which Flower would show to everybody, for those who log in."""

    get = authenticated(Metrics.get)


class WalledFlower(Flower):  # type: ignore[misc]
    """Flower that answers its own hosts only."""

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        domain, _ = split_domain_port(request.headers.get("Host", ""))
        if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
            return self.get_handler_delegate(request, ErrorHandler, {"status_code": 400})
        if request.path.endswith("/metrics"):
            return self.get_handler_delegate(request, PrivateMetrics)
        return super().find_handler(request, **kwargs)


class WithoutSecrets(OutputTransform):
    """Writes stars over this installation's secrets, whatever page they would be on."""

    secrets: tuple[bytes, ...] = ()

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        return status_code, headers, self.transform_chunk(chunk, finishing)

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        for secret in self.secrets:
            chunk = chunk.replace(secret, b"*" * len(secret))  # of the same length: headers have been counted
        return chunk


def spelled_out(secrets: Iterable[str]) -> tuple[bytes, ...]:
    """Secrets as bytes, longest first; of a URL its password, as it is written there and as it is meant."""
    words: set[str] = set()
    for secret in secrets:
        password = urlsplit(secret).password if "://" in secret else secret
        words |= {password, unquote(password)} if password else set()
    return tuple(sorted((word.encode() for word in words if len(word) >= _SHORTEST_SECRET), key=len, reverse=True))


def main(address: str, port: str) -> None:
    apply_env_options()
    if not (options.basic_auth or options.auth):
        raise SystemExit(NEEDS_LOGIN)
    options.address, options.port = address, int(port)
    extract_settings()
    setup_logging()
    WithoutSecrets.secrets = spelled_out([*settings.SECRETS, *(options.basic_auth or ())])
    flower = WalledFlower(capp=app, options=options, transforms=[WithoutSecrets], **flower_settings)
    atexit.register(flower.stop)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    flower.start_http_server()
    flower.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
