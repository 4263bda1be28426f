"""The system calls that Python has no function for. Each returns like its manual page says; `check` raises OSError."""

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)

NEW_NET = 0x40000000
NEW_PID = 0x20000000
NEW_USER = 0x10000000
NEW_IPC = 0x08000000
NEW_MOUNTS = 0x00020000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38

CAP_DAC_READ_SEARCH = 2
_LAST_CAPABILITY = 63
_CAPABILITY_VERSION_3 = 0x20080522
_MS_REC_PRIVATE = (1 << 14) | (1 << 18)
_MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8


def check(result: int) -> int:
    """`result`, unless it is negative: then OSError with what the system said."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def syscall(number: int, *arguments: object) -> int:
    """Any system call. Raises OSError."""
    return check(_libc.syscall(number, *arguments))


def prctl(option: int, *arguments: object) -> int:
    """prctl(2), missing arguments as zeros. Raises OSError."""
    return check(_libc.prctl(option, *arguments, *[0] * (4 - len(arguments))))


def unshare(namespaces: int) -> None:
    """unshare(2): leave these namespaces (`NEW_…`). Raises OSError."""
    check(_libc.unshare(namespaces))


def mount_own_proc() -> None:
    """Mount a /proc that shows this process's pid namespace, seen in this mount namespace alone. Raises OSError."""
    check(_libc.mount(None, b"/", None, _MS_REC_PRIVATE, None))
    check(_libc.mount(b"proc", b"/proc", b"proc", _MS_NOSUID_NODEV_NOEXEC, None))


def drop_bounding_capabilities(keep: int | None = None) -> None:
    """Let no capability but `keep` ever be had again; capabilities that may not be dropped are left."""
    for capability in range(_LAST_CAPABILITY + 1):
        if capability != keep:
            _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def set_capabilities(*capabilities: int) -> None:
    """Have these capabilities and no other. Raises OSError."""
    bits = sum(1 << capability for capability in capabilities)
    data = (_Data * 2)(_Data(bits & 0xFFFFFFFF, bits & 0xFFFFFFFF, 0), _Data(bits >> 32, bits >> 32, 0))
    check(_libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), ctypes.byref(data)))
