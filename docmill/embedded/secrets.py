"""Secrets of one home: made at the first start, in files that only their owner reads."""

import os
import secrets
from pathlib import Path


def write_private(file: Path, content: str) -> None:
    """Write a file with mode 0600, in one step: readers see the old content or the new."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(content)
    draft.replace(file)


def kept_secret(file: Path) -> str:
    """The secret in `file`, made now if there is none: 40 URL-safe characters without `-` and `_`."""
    if not file.exists():
        write_private(file, secrets.token_hex(20))
    return file.read_text().strip()
