"""A temporary directory for an extractor process, removed with it, even when its worker was killed."""

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path

from docmill.pipeline.errors import PermanentError

_PREFIX = "docmill-sandbox-"
_NAMES = 100
_USERS = range(61_184, 65_520)  # systemd's range of dynamic users
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Workspace:
    """A directory of its own, locked as long as its owner lives; leftovers of dead owners go when a new one is made.

    All of one user's lie in one directory that nobody else can write to, so that no stranger's file is met there.
    `readable` holds the document, `writable` is the extractor's; `user` is the id of the user that owns it, one of the
    ids that systems set aside for such processes, or None where the extractor remains who we are.
    """

    def __init__(self) -> None:
        directory = _own_directory(Path(tempfile.gettempdir()))
        _sweep(directory)
        self._lock: int | None = None
        while self._lock is None:
            self.path = Path(tempfile.mkdtemp(prefix="extractor-", dir=directory))
            self._lock = _locked(self.path)
        self.readable, self.writable = self.path / "in", self.path / "out"
        for path in (self.readable, self.writable):
            path.mkdir(mode=0o700)
        self.user = _user_for(self.writable)
        self._lent: tuple[Path, tuple[int, ...]] | None = None

    def lend(self, path: Path) -> Path:
        """Put the file at `path` where the extractor may read it: as a link, or a copy from another file system. A file
        that is lent already stays. Raises PermanentError `corrupt` for what is no file."""
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise PermanentError("corrupt", "This is no file.")
        identity = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
        if self._lent is not None and self._lent[1] == identity:
            return self._lent[0]
        self._take_back()
        lent = self.readable / f"document{path.suffix}"
        try:
            os.link(path, lent)
        except OSError:
            shutil.copyfile(path, lent)
        self._lent = lent, identity
        return lent

    def _take_back(self) -> None:
        if self._lent is not None:
            self._lent[0].unlink()
            self._lent = None

    def remove(self) -> None:
        """Delete the directory and what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _user_for(directory: Path) -> int | None:
    """Give a directory to a user that has nothing else; None when we are not root or may not."""
    if os.getuid() != 0:
        return None
    user = secrets.choice(_USERS)
    try:
        os.chown(directory, user, user)
    except OSError:
        return None
    return user


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
