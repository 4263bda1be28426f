"""Django's models of this process on a database of the test's."""

from collections.abc import Iterator
from contextlib import contextmanager

import environ
from django.conf import settings
from django.db import connections


@contextmanager
def models_work_on(url: str) -> Iterator[None]:
    """Django's models in this process, and whoever reads DATABASE_URL, work on the database at `url`."""
    wrapper = connections["default"]
    before = dict(wrapper.settings_dict), settings.DATABASE_URL
    connections.close_all()
    wrapper.settings_dict.update(environ.Env.db_url_config(url))
    settings.DATABASE_URL = url
    try:
        yield
    finally:
        connections.close_all()
        wrapper.settings_dict.update(before[0])
        settings.DATABASE_URL = before[1]
