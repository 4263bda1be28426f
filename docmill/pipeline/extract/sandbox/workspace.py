"""A temporary directory for an extractor process, removed with it, even when its worker was killed."""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

_PREFIX = "docmill-sandbox-"
_NAMES = 100
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Workspace:
    """A directory of its own, locked as long as its owner lives; leftovers of dead owners go when a new one is made.

    All of one user's lie in one directory that nobody else can write to, so that no stranger's file is met there.
    """

    def __init__(self) -> None:
        directory = _own_directory(Path(tempfile.gettempdir()))
        _sweep(directory)
        self._lock: int | None = None
        while self._lock is None:
            self.path = Path(tempfile.mkdtemp(prefix="extractor-", dir=directory))
            self._lock = _locked(self.path)

    def remove(self) -> None:
        """Delete the directory and what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _own_directory(temporary: Path) -> Path:
    """The directory of this user's extractors, 0700. Names that others have taken in a shared directory are passed
    over. Raises OSError when all are taken."""
    for number in range(_NAMES):
        path = temporary / f"{_PREFIX}{os.getuid()}{f'-{number}' if number else ''}"
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077:
            return path
    raise FileExistsError(f"Somebody else has taken {temporary / _PREFIX}*: remove these, or set DOCMILL_TEMP_DIR.")


def _locked(path: Path) -> int | None:
    """A lock on a new directory; None when another process took it for a leftover before it was locked."""
    try:
        lock = os.open(path, _OPEN)
    except FileNotFoundError:
        return None
    fcntl.flock(lock, fcntl.LOCK_EX)
    if path.exists():
        return lock
    os.close(lock)
    return None


def _sweep(directory: Path) -> None:
    for left in directory.iterdir():
        with contextlib.suppress(OSError):
            lock = os.open(left, _OPEN)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)
