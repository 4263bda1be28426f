"""The ASGI application that uvicorn runs: Django behind a guard that reads a body only for a key."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "docmill.config.settings")
django = get_asgi_application()

from docmill.api.body import BodyGuard  # noqa: E402 (needs the settings)
from docmill.documents import tenancy  # noqa: E402

tenancy.deny_by_default()
application = BodyGuard(django)
