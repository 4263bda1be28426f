"""Django's own checks for a deployment find nothing; what is silenced says why in the settings."""

import os
import secrets
import subprocess
import sys
from pathlib import Path


def test_the_checks_for_a_deployment_find_nothing() -> None:
    environ = os.environ | {"SECRET_KEY": secrets.token_urlsafe(50), "ALLOWED_HOSTS": "docs.example"}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    checked = subprocess.run(command, cwd=Path(__file__).parents[2], env=environ, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
