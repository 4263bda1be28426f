"""What commands work on: the running system over HTTP, or its database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docmill.cli.client import ApiError, Client
from docmill.cli.terminal import fail
from docmill.up.home import Home, chosen_home


@contextmanager
def django_ready(home: Path | None) -> Iterator[None]:
    """Django with the settings of the environment, or where that names no database, of the running `docmill up`."""
    running = Home(chosen_home(home)).running()
    if "DATABASE_URL" not in os.environ and running:
        os.environ.update(running.environ)
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    from django.core.exceptions import ImproperlyConfigured

    from docmill.up.prepare import load_django

    try:
        load_django()
    except ImproperlyConfigured as error:
        fail(str(error))
    from django.db import DatabaseError

    try:
        yield
    except DatabaseError as error:
        fail(f"{error}\nStart the system with 'docmill up', or set DATABASE_URL and run 'docmill setup'.".strip())


@contextmanager
def connected_client(home: Path | None) -> Iterator[Client]:
    """A client for DOCMILL_URL and DOCMILL_API_KEY, or for what a running `docmill up` left in its home."""
    place = Home(chosen_home(home))
    running = place.running()
    url = os.environ.get("DOCMILL_URL") or (running.url if running else None)
    if not url:
        fail(f"nothing runs with the home {place.path}: start it with 'docmill up', or set DOCMILL_URL")
    api_key = os.environ.get("DOCMILL_API_KEY")
    if not api_key and running and url == running.url:  # the home's own key goes to its own system only
        api_key = place.api_key()
    if not api_key:
        fail("set DOCMILL_API_KEY; 'docmill apikey create --user NAME' makes a key")
    try:
        with Client(url, api_key) as client:
            yield client
    except ApiError as error:
        fail(f"{error.code}: {error}")
