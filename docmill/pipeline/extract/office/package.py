"""Zipped packages: a bomb is refused by its list of parts, before any is unpacked."""

import zipfile

from docmill.pipeline.errors import PermanentError

_MAX_UNPACKED = 1 << 30  # bytes


def check_unpacked_size(archive: zipfile.ZipFile) -> None:
    """Raise PermanentError `too_much_text` when the parts together say that they are larger than is accepted."""
    if sum(entry.file_size for entry in archive.infolist()) > _MAX_UNPACKED:
        raise PermanentError("too_much_text", "The document unpacks to more than 1 GB; make it smaller.")
