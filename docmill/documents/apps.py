from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from sentry_sdk.utils import BadDsn

from docmill import sentry
from docmill.documents import tenancy


class DocumentsConfig(AppConfig):
    """The Django application that owns the tables. Its label is the one that they were first made with."""

    name = "docmill.documents"
    label = "api"

    def ready(self) -> None:
        """Have connections carry the tenant, and begin to report to Sentry where one is named. Raises
        ImproperlyConfigured."""
        tenancy.watch_connections()
        if not settings.SENTRY_DSN:
            return
        try:
            sentry.begin(settings.SENTRY_DSN, settings.SENTRY_ENVIRONMENT, settings.SECRETS)
        except BadDsn as error:
            raise ImproperlyConfigured(
                f"SENTRY_DSN is no DSN ({error}): copy it from the project's settings."
            ) from error
