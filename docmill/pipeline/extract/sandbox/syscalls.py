"""The seccomp filter: the system calls that reading a document takes, and no other.

A list of what is allowed, so that what a later kernel adds is refused as well. It is compiled here to the program that
the kernel runs (seccomp(2), classic BPF), because the library that does so, libseccomp, is in no wheel. Numbers are
those of asm/unistd_64.h (x86-64) and asm-generic/unistd.h (arm64); None where a machine has no such call.
"""

import ctypes
import errno
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from docmill.pipeline.extract.sandbox import linux

_MODE_FILTER = 2
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_REFUSE, _UNKNOWN = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16

_CLONE_THREAD = 0x00010000
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column of the tables below, and what the kernel calls the machine."""

_Numbers = tuple[int | None, int | None]

_FREE: dict[str, _Numbers] = {
    # open files
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "preadv": (295, 69), "pwritev": (296, 70), "lseek": (8, 62), "close": (3, 57),
    "close_range": (436, 436), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "pipe": (22, None),
    "pipe2": (293, 59), "flock": (73, 32), "fsync": (74, 82), "fdatasync": (75, 83), "ftruncate": (77, 46),
    "fallocate": (285, 47), "copy_file_range": (326, 285), "sendfile": (40, 71), "fadvise64": (221, 223),
    "fstat": (5, 80), "fstatfs": (138, 44), "getdents": (78, None), "getdents64": (217, 61),
    # files by name: Landlock says which
    "open": (2, None), "openat": (257, 56), "creat": (85, None), "stat": (4, None), "lstat": (6, None),
    "newfstatat": (262, 79), "statx": (332, 291), "statfs": (137, 43), "access": (21, None),
    "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None), "readlinkat": (267, 78),
    "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "mkdir": (83, None), "mkdirat": (258, 34),
    "rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35), "rename": (82, None),
    "renameat": (264, 38), "renameat2": (316, 276), "umask": (95, 166), "symlink": (88, None),
    "symlinkat": (266, 36),
    # memory
    "mmap": (9, 222), "munmap": (11, 215), "mprotect": (10, 226), "mremap": (25, 216), "madvise": (28, 233),
    "brk": (12, 214), "mincore": (27, 232), "membarrier": (324, 283),
    # threads of this process
    "futex": (202, 98), "futex_waitv": (449, 449), "set_robust_list": (273, 99), "rseq": (334, 293),
    "set_tid_address": (218, 96), "exit": (60, 93), "exit_group": (231, 94), "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123), "sched_getparam": (143, 121), "sched_getscheduler": (145, 120),
    "sched_get_priority_max": (146, 125), "sched_get_priority_min": (147, 126), "restart_syscall": (219, 128),
    # signals to itself, clocks, waiting
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132), "pause": (34, None),
    "alarm": (37, None), "setitimer": (38, 103), "getitimer": (36, 102), "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153), "timerfd_create": (283, 85),
    "timerfd_settime": (286, 86), "eventfd2": (290, 19), "epoll_create1": (291, 20), "epoll_ctl": (233, 21),
    "epoll_wait": (232, None), "epoll_pwait": (281, 22), "poll": (7, None), "ppoll": (271, 73),
    "select": (23, None), "pselect6": (270, 72),
    # what it is told about itself and the machine
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getgroups": (115, 158), "getresuid": (118, 148),
    "getresgid": (120, 150), "getpgrp": (111, None), "getpgid": (121, 155), "getsid": (124, 156), "uname": (63, 160),
    "sysinfo": (99, 179), "getrusage": (98, 165), "getrlimit": (97, 163), "setrlimit": (160, 164),
    "getrandom": (318, 278), "getcpu": (309, 168), "arch_prctl": (158, None), "capget": (125, 90),
}  # fmt: skip

_PROGRAMS: dict[str, _Numbers] = {
    "execve": (59, 221), "fork": (57, None), "vfork": (58, None), "clone": (56, 220), "wait4": (61, 260),
    "waitid": (247, 95), "setpgid": (109, 154), "setsid": (112, 157), "pidfd_open": (434, 434),
}  # fmt: skip
"""What it takes to run another program, which inherits all walls."""


@dataclass(frozen=True, slots=True)
class _Condition:
    """A call that depends on one argument: allowed when it is `one_of`, is not `none_of`, or has a bit of `bits`."""

    numbers: _Numbers
    argument: int
    one_of: Sequence[int] = ()
    none_of: Sequence[int] = ()
    bits: int = 0


def _conditions(pid: int) -> dict[str, _Condition]:
    return {
        "clone": _Condition((56, 220), 0, bits=_CLONE_THREAD),
        "kill": _Condition((62, 129), 0, one_of=[pid]),
        "tgkill": _Condition((234, 131), 0, one_of=[pid]),
        "prlimit64": _Condition((302, 261), 0, one_of=[0, pid]),
        # not F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY, which send signals
        "fcntl": _Condition((72, 25), 1, none_of=[8, 10, 15, 1024, 1026]),
        # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
        "ioctl": _Condition((16, 29), 1, one_of=[0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451]),
        # Streams, which reach nobody but the process itself: tokio's event loop makes one.
        "socketpair": _Condition((53, 199), 1, one_of=[1, 0x80001, 0x801, 0x80801]),
        # PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ, PR_SET_VMA
        "prctl": _Condition((157, 167), 0, one_of=[3, 15, 16, 23, 0x53564D41]),
    }


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction))]


def restrict_system_calls(*, programs: bool = False) -> None:
    """Refuse this thread and those it starts all other calls, for good, with EPERM; `programs` lets it run others.

    Raises OSError, or NotImplementedError on a machine that the tables do not know.
    """
    column, machine = _MACHINES.get(platform.machine(), (0, None))
    if machine is None:
        raise NotImplementedError(f"no system call table for {platform.machine()}")
    listing = [_Instruction(*parts) for parts in _compiled(column, machine, os.getpid(), programs)]
    array = (_Instruction * len(listing))(*listing)
    linux.prctl(linux.PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(_Program(len(listing), array)))


def _compiled(column: int, machine: int, pid: int, programs: bool) -> Iterator[tuple[int, int, int, int]]:
    """The filter's instructions. Each call is two: skip one unless it is this number, and allow it."""
    conditions, free = _conditions(pid), dict(_FREE)
    if programs:
        free |= _PROGRAMS
        conditions = {name: condition for name, condition in conditions.items() if name not in free}
    yield _LOAD, 0, 0, _MACHINE_AT
    yield _EQUAL, 1, 0, machine
    yield _RETURN, 0, 0, _KILL
    yield _LOAD, 0, 0, _NUMBER_AT
    for condition in conditions.values():
        if (number := condition.numbers[column]) is not None:
            body = list(_tests(condition))
            yield _EQUAL, 0, len(body), number
            yield from body
    for numbers in free.values():
        if (number := numbers[column]) is not None:
            yield _EQUAL, 0, 1, number
            yield _RETURN, 0, 0, _ALLOW
    # The C library then takes clone, whose flags can be looked at.
    yield _EQUAL, 0, 1, 435  # clone3
    yield _RETURN, 0, 0, _UNKNOWN
    yield _RETURN, 0, 0, _REFUSE


def _tests(condition: _Condition) -> Iterator[tuple[int, int, int, int]]:
    # The low half: the kernel takes all these arguments as 32 bits.
    yield _LOAD, 0, 0, _ARGUMENTS_AT + 8 * condition.argument
    for value in condition.one_of:
        yield _EQUAL, 0, 1, value
        yield _RETURN, 0, 0, _ALLOW
    for value in condition.none_of:
        yield _EQUAL, 0, 1, value
        yield _RETURN, 0, 0, _REFUSE
    if condition.bits:
        yield _ANY_BIT, 0, 1, condition.bits
        yield _RETURN, 0, 0, _ALLOW
    yield _RETURN, 0, 0, _ALLOW if condition.none_of else _REFUSE
