"""What a system needs before its processes start: tables, bucket, vector index, and at first a user and a key.

Runs in a process of its own (`python -m docmill.up.prepare KEY_FILE`), because the supervisor does without Django.
"""

import os
import sys
from pathlib import Path

from django.core.management import call_command

from docmill.embedded.secrets import write_private

FIRST_USER = "local"


def load_django() -> None:
    """Make Django's models usable in this process."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "docmill.config.settings")
    django.setup()


def first_key(file: Path) -> None:
    """Make a key for the user `local` unless `file` holds one that still works, and keep it there."""
    from django.contrib.auth import get_user_model

    from docmill.documents.models import ApiKey

    # Who starts the system sees what is wrong with it (/readyz); homes of earlier versions did not say so.
    get_user_model().objects.filter(username=FIRST_USER).update(is_staff=True)
    if file.exists():
        known = ApiKey.fingerprint(file.read_text().strip())
        if ApiKey.objects.filter(secret_sha256=known, revoked_at=None).exists():
            return
    user, _ = get_user_model().objects.get_or_create(username=FIRST_USER, defaults={"is_staff": True})
    _, secret = ApiKey.create(user, "docmill up")
    write_private(file, secret)


if __name__ == "__main__":
    load_django()
    call_command("setup")
    first_key(Path(sys.argv[1]))
