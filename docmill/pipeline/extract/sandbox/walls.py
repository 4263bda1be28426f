"""The walls of the sandbox, put up by its processes around themselves before they see a document. Linux only.

Walls that the system does not allow are left out, except the memory limit; `Walls` tells which, and why. Namespaces
are entered once, by the zygote; the rest is each extractor's own. See docs/decisions/0020-the-sandbox.md.
"""

import contextlib
import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import docmill
from docmill.pipeline.extract.sandbox import linux
from docmill.pipeline.extract.sandbox.landlock import Ruleset
from docmill.pipeline.extract.sandbox.syscalls import restrict_system_calls


@dataclass(frozen=True, slots=True)
class Wall:
    """What a wall keeps documents from, and what to do where it is missing."""

    keeps: str
    advice: str
    is_essential: bool = True


_NAMESPACES = "Run as root with CAP_SYS_ADMIN, or allow user namespaces (sysctl user.max_user_namespaces)."

WALLS: Mapping[str, Wall] = MappingProxyType(
    {
        "memory": Wall("taking the machine's memory", "Use Linux."),
        "files": Wall(
            "reading other files and writing outside its folder",
            "Use Linux 5.13 or later with Landlock (CONFIG_SECURITY_LANDLOCK, 'landlock' in the boot parameter lsm=),"
            " and a container profile that allows its system calls, as Docker's does.",
        ),
        "system calls": Wall(
            "sockets, signals to others, other programs, and most of the kernel",
            "Use Linux on x86-64 or arm64 with CONFIG_SECCOMP_FILTER.",
        ),
        "user": Wall(
            "the rights of root", "Run workers as a user that is not root, or give root CAP_SETUID and CAP_SETGID."
        ),
        "privileges": Wall("gaining privileges", "Use Linux 3.5 or later."),
        "processes": Wall("seeing other processes, and leaving any behind", _NAMESPACES, is_essential=False),
        "network": Wall("the network, a second time", _NAMESPACES, is_essential=False),
    }
)

_OPEN_FILES = 256
_FILE_BYTES = 1 << 30
_THREADS = 128
_READABLE = (
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/fonts",
    "/etc/mime.types",
    "/dev/urandom",
    "/dev/zero",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
)
"""Public files of the operating system that libraries look at."""


@dataclass(slots=True)
class Walls:
    """The walls that stand, and why each of the others does not: by their names in `WALLS`."""

    standing: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def sentences(self, *, essential_only: bool = False) -> list[str]:
        """On each wall that is missing: what documents are not kept from, why, and what to do."""
        return [
            f"The sandbox does not keep documents from {wall.keeps} ({self.missing.get(name, '?')}). {wall.advice}"
            for name, wall in WALLS.items()
            if name not in self.standing and (wall.is_essential or not essential_only)
        ]

    def try_wall(self, name: str, put_up: Callable[[], None]) -> bool:
        """Put up a wall and note whether it stands."""
        try:
            put_up()
        except (OSError, ValueError, NotImplementedError) as error:
            self.missing[name] = str(error)
            return False
        self.standing.append(name)
        return True


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent (a process id) ends; also when it has ended already."""
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def hide_memory() -> None:
    """Keep this process's memory and environment from others of the same user (ptrace, /proc), and dump no core."""
    with contextlib.suppress(OSError):
        linux.prctl(linux.PR_SET_DUMPABLE, 0)


def enter_namespaces(walls: Walls) -> None:
    """Leave the network, other programs' messages, and, for what this process starts, the sight of other processes.

    Root does so by right. Others need a user namespace, in which they stay who they are.
    """

    def leave() -> None:
        away = linux.NEW_NET | linux.NEW_PID | linux.NEW_IPC | linux.NEW_MOUNTS
        user, group = os.getuid(), os.getgid()
        linux.unshare(away if user == 0 else away | linux.NEW_USER)
        if user != 0:
            # Without these maps files could not be created under the own user id any more.
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")

    if walls.try_wall("network", leave):
        walls.standing.append("processes")
    else:
        walls.missing["processes"] = walls.missing["network"]


def confine(
    walls: Walls,
    *,
    memory_bytes: int,
    reader: str,
    readable: Path,
    writable: Path,
    user: int | None,
    programs: bool,
) -> None:
    """Shut this process in, for good.

    It may hold `memory_bytes` of private memory, read the libraries and `readable`, write below `writable`, and become
    `user` (an id; as root only). `programs` lets it run other programs. Its parent's death is its own afterwards.
    """
    parent = os.getppid()
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    walls.standing.append("memory")
    for what, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (limit, limit))
    rules = _file_rules(walls, reader, readable, writable, programs)
    walls.try_wall("user", lambda: _become(user, has_rules=rules is not None))
    if os.getuid() != 0 and (user is not None or "processes" in walls.standing):  # otherwise others count as well
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NPROC, (_THREADS, _THREADS))
    hide_memory()
    die_with(parent)  # a change of user would have undone both
    walls.try_wall("privileges", lambda: _give_up_privileges(keep_reading=user is not None and os.getuid() != 0))
    if rules is not None:
        walls.try_wall("files", rules.apply)
    walls.try_wall("system calls", lambda: restrict_system_calls(programs=programs))


def limit_processor_time(seconds: float) -> None:
    """Allow this much more processor time from now on; beyond it the kernel ends the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def limit_memory(private_bytes: int) -> None:
    """Allow so much private memory from now on, within what `confine` allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (min(private_bytes, hard), hard))


def _file_rules(walls: Walls, reader: str, readable: Path, writable: Path, programs: bool) -> Ruleset | None:
    try:
        rules = Ruleset()
        rules.allow_reading(_libraries(reader), programs=programs)
        rules.allow_reading([readable])
        rules.allow_writing(writable, Path("/dev/null"))
    except OSError as error:
        walls.missing["files"] = str(error)
        return None
    return rules


def _libraries(reader: str) -> Iterator[Path]:
    """Where Python, its packages, docmill and the reader's own package lie."""
    yield from map(Path, _READABLE)
    yield Path(docmill.__file__).parent
    if spec := sys.modules[reader.partition(".")[0]].__spec__:
        yield from map(Path, spec.submodule_search_locations or ())
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix} - {"/"}
    yield from map(Path, prefixes | set(sysconfig.get_paths().values()))
    yield from (Path(path) for path in sys.path if Path(path).name in ("site-packages", "dist-packages"))


def _become(user: int | None, *, has_rules: bool) -> None:
    """Stop being root. Raises OSError.

    Libraries and documents may lie below folders that only root can enter, so the right to read any file is kept; the
    rules for files are what limits it. Without them it is not given to anybody.
    """
    if user is None:
        if os.getuid() == 0:
            raise OSError("root may not change its user here")
        return
    if not has_rules:
        raise OSError("without the wall 'files' another user could not be kept from the files that root may read")
    linux.prctl(linux.PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(user, user, user)
    linux.drop_bounding_capabilities(keep=linux.CAP_DAC_READ_SEARCH)
    os.setresuid(user, user, user)
    linux.set_capabilities(linux.CAP_DAC_READ_SEARCH)


def _give_up_privileges(*, keep_reading: bool) -> None:
    if not keep_reading:
        linux.drop_bounding_capabilities()
        linux.set_capabilities()
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
