"""The ASGI application that uvicorn runs: Django behind a guard against bodies above the upload limit."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "docmill.config.settings")
django = get_asgi_application()

from docmill.api.body_limit import BodyLimit  # noqa: E402 (needs the settings)

application = BodyLimit(django)
