"""Landlock: which files this process may read, write and make from now on, whatever its user could.

The kernel's interface is in its documentation, userspace-api/landlock.rst; the system calls have the same numbers on
every machine. Later versions know more kinds of access; those that a kernel does not know are left out.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from docmill.pipeline.extract.sandbox import linux

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_MAKE_SYM, _REFER, _TRUNCATE = 1 << 12, 1 << 13, 1 << 14
_ALL_OF_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NETWORK = 0b11  # bind and connect by TCP, from version 4
_SCOPES = 0b11  # abstract unix sockets and signals, from version 6

_READ = _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER | _TRUNCATE
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


class Ruleset:
    """What will be allowed; nothing is restricted before `apply`. Raises OSError where the kernel has no Landlock."""

    def __init__(self) -> None:
        version = linux.syscall(_CREATE, None, 0, _VERSION_FLAG)
        self._handled = _ALL_OF_VERSION[max(known for known in _ALL_OF_VERSION if known <= version)]
        rules = _Ruleset(self._handled, _NETWORK if version >= 4 else 0, _SCOPES if version >= 6 else 0)
        size = 24 if version >= 6 else 16 if version >= 4 else 8
        self._fd = linux.syscall(_CREATE, ctypes.byref(rules), size, 0)

    def allow_reading(self, paths: Iterable[Path], *, programs: bool = False) -> None:
        """Let files at and below these paths be read, and run as `programs`; paths that do not exist are left out."""
        self._allow(paths, _READ | (_EXECUTE if programs else 0))

    def allow_writing(self, *paths: Path) -> None:
        """Let files at and below these paths be read, written, made and removed; only regular ones and folders."""
        self._allow(paths, _WRITE)

    def apply(self) -> None:
        """Restrict this thread, and whatever it starts, for good. It must not be able to gain privileges."""
        linux.syscall(_RESTRICT, self._fd, 0)
        os.close(self._fd)

    def _allow(self, paths: Iterable[Path], access: int) -> None:
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                allowed = access & self._handled & (~0 if path.is_dir() else _OF_FILES)
                rule = _PathBeneath(allowed, fd)
                linux.syscall(_ADD_RULE, self._fd, _PATH_BENEATH, ctypes.byref(rule), 0)
            finally:
                os.close(fd)
