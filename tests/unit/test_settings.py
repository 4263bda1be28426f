"""Settings come from the environment, secrets from files that it names."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = (
    "from docmill.config import settings; import os;"
    "print(settings.SECRET_KEY, settings.DATABASE_URL, os.environ['AWS_SECRET_ACCESS_KEY'], sep='|')"
)


def test_every_secret_may_be_a_file(tmp_path: Path) -> None:
    secrets = {
        "SECRET_KEY": "of-the-service",
        "DATABASE_URL": "postgresql://docmill:pass@db/docmill",
        "AWS_SECRET_ACCESS_KEY": "of-the-bucket",
    }
    environ = {name: value for name, value in os.environ.items() if name not in secrets}
    for name, value in secrets.items():
        (tmp_path / name).write_text(value + "\n")
        environ[f"{name}_FILE"] = str(tmp_path / name)
    read = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=True)
    assert read.stdout.strip().split("|") == list(secrets.values())
