"""The ASGI application that uvicorn runs: Django behind a guard against bodies above the upload limit."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "docmill.config.settings")

from django.core.asgi import get_asgi_application

django = get_asgi_application()

from docmill.api.body_limit import BodyLimit

application = BodyLimit(django)
