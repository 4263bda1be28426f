"""`manage.py setup`: migrations, local model, bucket and index, made where missing and verified where there."""

from typing import Any

import environ
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from docmill import adapters
from docmill.documents.vector_index import setup_index
from docmill.pipeline.errors import DocmillError


def _work_as_owner() -> None:
    """Have this process reach the database as the role that may change its tables."""
    connections["default"].settings_dict.update(environ.Env.db_url_config(settings.DATABASE_OWNER_URL))
    connections["default"].close()


class Command(BaseCommand):
    help = "Prepare the database, the local model, the bucket and the vector index; safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        _work_as_owner()
        call_command("migrate", verbosity=0)
        try:
            adapters.prepare_models()
            adapters.originals().create_bucket()
            index = setup_index()
        except DocmillError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"ready: {index}")
