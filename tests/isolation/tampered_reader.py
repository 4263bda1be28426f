"""A reader that a document has taken over: it tries everything, and tells what the system let it do.

The first line of the document names attempts by comma, or all; the second is JSON with what the outside knows: paths,
ports, process ids. Each attempt returns what it gained; an exception means that it was refused.
"""

import ctypes
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.types import Page

Outside = dict[str, Any]
Attempt = Callable[[Outside], object]
ATTEMPTS: dict[str, Attempt] = {}
libc = ctypes.CDLL(None, use_errno=True)
# One number for x86-64 and one for arm64.
MACHINE = {"x86_64": 0, "aarch64": 1}.get(os.uname().machine, 0)


def read_document(path: Path, content_type: str, content_of: object = None) -> Reading:
    wanted, outside = path.read_text().splitlines()
    names = ATTEMPTS if wanted == "all" else wanted.split(",")
    return Reading(None, None, _pages(names, json.loads(outside)))


def _pages(names: Any, outside: Outside) -> Iterator[Page]:
    for number, name in enumerate(names, start=1):
        try:
            outcome = f"ALLOWED {ATTEMPTS[name](outside)!r}"[:200]
        except BaseException as error:
            outcome = f"refused: {type(error).__name__}: {error}"[:200]
        yield Page(number, f"{name}\t{' '.join(outcome.split())}")


def attempt(name: str) -> Callable[[Attempt], Attempt]:
    def note(function: Attempt) -> Attempt:
        ATTEMPTS[name] = function
        return function

    return note


def call(name: str, x86: int, arm: int, *arguments: object) -> None:
    """Add an attempt that makes one system call."""

    def make(outside: Outside) -> int:
        number = (x86, arm)[MACHINE]
        given = [outside[argument] if isinstance(argument, str) else argument for argument in arguments]
        result: int = libc.syscall(number, *given)
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    ATTEMPTS[f"syscall {name}"] = make


# --- files: what is outside of the own folder and the libraries ---
for label, key in (
    ("a secret of its user", "secret"),
    ("another tenant's document in the temporary folder", "other_document"),
    ("the folder of temporary files", "temporary"),
    ("the home folder", "home"),
):

    @attempt(f"read {label}")
    def _(outside: Outside, key: str = key) -> object:
        path = Path(outside[key])
        return os.listdir(path) if path.is_dir() else path.read_bytes()


for place in ("/etc/shadow", "/etc/passwd", "/etc/hostname", "/root", "/home", "/var", "/tmp", "/", "/run", "/dev",
              "/proc", "/proc/self/environ", "/proc/self/maps", "/proc/self/mem", "/proc/1/environ", "/proc/net/tcp",
              "/proc/mounts", "/proc/kcore", "/proc/kallsyms", "/proc/sysrq-trigger", "/sys/kernel", "/dev/kmsg",
              "/dev/mem", "/dev/tty", "/dev/shm", "/boot"):  # fmt: skip

    @attempt(f"read {place}")
    def _(outside: Outside, place: str = place) -> object:
        if os.path.isdir(place):
            return os.listdir(place)
        fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
        return os.read(fd, 10)


@attempt("read the environment of the worker")
def _(outside: Outside) -> object:
    return Path(f"/proc/{outside['worker']}/environ").read_bytes()


@attempt("read the environment of a sibling extractor")
def _(outside: Outside) -> object:
    return Path(f"/proc/{outside['sibling']}/environ").read_bytes()


@attempt("see any other process")
def _(outside: Outside) -> object:
    others = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    return others


@attempt("open the document for writing")
def _(outside: Outside) -> object:
    return os.open(outside["lent"], os.O_WRONLY)


@attempt("truncate the document")
def _(outside: Outside) -> object:
    return os.truncate(outside["lent"], 0)


@attempt("delete the document")
def _(outside: Outside) -> object:
    return os.unlink(outside["lent"])


@attempt("change the document's mode")
def _(outside: Outside) -> object:
    return os.chmod(outside["lent"], 0o777)


@attempt("write to the folder of temporary files")
def _(outside: Outside) -> object:
    return Path(outside["temporary"], "planted").write_text("x")


@attempt("write beside its own folder")
def _(outside: Outside) -> object:
    return Path("../planted").write_text("x")


@attempt("overwrite a secret")
def _(outside: Outside) -> object:
    return os.open(outside["secret"], os.O_WRONLY)


@attempt("write to the code of docmill")
def _(outside: Outside) -> object:
    import docmill

    return os.open(docmill.__file__, os.O_WRONLY | os.O_APPEND)


@attempt("write to a library")
def _(outside: Outside) -> object:
    return os.open(os.path.join(os.path.dirname(json.__file__), "planted.py"), os.O_WRONLY | os.O_CREAT, 0o600)


for place in ("/tmp", "/var/tmp", "/dev/shm", "/etc", "/usr/local", "/root"):

    @attempt(f"write to {place}")
    def _(outside: Outside, place: str = place) -> object:
        return os.open(f"{place}/docmill-planted", os.O_WRONLY | os.O_CREAT, 0o600)


@attempt("follow a link that it made out of its folder")
def _(outside: Outside) -> object:
    if not os.path.islink("way-out"):
        os.symlink(outside["secret"], "way-out")
    return Path("way-out").read_bytes()


@attempt("link a secret into its folder")
def _(outside: Outside) -> object:
    os.link(outside["secret"], "linked")
    return Path("linked").read_bytes()


@attempt("make a FIFO")
def _(outside: Outside) -> object:
    return os.mkfifo("fifo")


@attempt("make a device")
def _(outside: Outside) -> object:
    return os.mknod("device", 0o20666, os.makedev(1, 1))


@attempt("make a file of 2 GB")
def _(outside: Outside) -> object:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    fd = os.open("large", os.O_RDWR | os.O_CREAT)
    return os.ftruncate(fd, 2 << 30)


# --- sockets ---
for label, family, kind in (
    ("TCP", socket.AF_INET, socket.SOCK_STREAM),
    ("TCP over IPv6", socket.AF_INET6, socket.SOCK_STREAM),
    ("UDP", socket.AF_INET, socket.SOCK_DGRAM),
    ("raw", socket.AF_INET, socket.SOCK_RAW),
    ("Unix", socket.AF_UNIX, socket.SOCK_STREAM),
    ("packet", 17, socket.SOCK_RAW),
    ("netlink", 16, socket.SOCK_RAW),
    ("vsock", 40, socket.SOCK_STREAM),
    ("kernel crypto", 38, 5),
):

    @attempt(f"make a socket: {label}")
    def _(outside: Outside, family: int = family, kind: int = kind) -> object:
        return socket.socket(family, kind)


@attempt("make a pair of sockets that can be sent elsewhere")
def _(outside: Outside) -> object:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)


@attempt("connect to a port of this machine")
def _(outside: Outside) -> object:
    return socket.create_connection(("127.0.0.1", outside["port"]), timeout=2)


@attempt("connect to a Unix socket in the temporary folder")
def _(outside: Outside) -> object:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(outside["unix_socket"])
    return "connected"


@attempt("resolve a name")
def _(outside: Outside) -> object:
    return socket.getaddrinfo("example.com", 80)


# --- processes and signals ---
for label, number in (("SIGKILL", 9), ("SIGSTOP", 19), ("signal 0", 0)):
    for key in ("worker", "sibling", "bystander"):

        @attempt(f"send {label} to {key}")
        def _(outside: Outside, key: str = key, number: int = number) -> object:
            return os.kill(outside[key], number)


@attempt("signal everything")
def _(outside: Outside) -> object:
    return os.kill(-1, 0)


@attempt("signal its zygote")
def _(outside: Outside) -> object:
    return os.kill(os.getppid(), 0)


@attempt("have the kernel signal others for it")
def _(outside: Outside) -> object:
    import fcntl

    read_end, _ = os.pipe()
    return fcntl.fcntl(read_end, fcntl.F_SETOWN, outside["bystander"])


@attempt("fork")
def _(outside: Outside) -> object:
    if (pid := os.fork()) == 0:
        os._exit(0)
    return pid


@attempt("leave a daemon behind")
def _(outside: Outside) -> object:
    if (pid := os.fork()) == 0:
        os.setsid()
        time.sleep(30)
        os._exit(0)
    return pid


@attempt("run a program")
def _(outside: Outside) -> object:
    return subprocess.run(["/bin/true"], check=True)


@attempt("become a program")
def _(outside: Outside) -> object:
    return os.execv("/bin/true", ["true"])


@attempt("have more than 1000 threads")
def _(outside: Outside) -> object:
    threading.stack_size(64 << 10)
    stop, threads = threading.Event(), []
    try:
        for _ in range(1001):
            threads.append(threading.Thread(target=stop.wait, daemon=True))
            threads[-1].start()
    finally:
        stop.set()
    return len(threads)


@attempt("outlive its worker")
def _(outside: Outside) -> object:
    if libc.prctl(1, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_PDEATHSIG")
    return "no death signal"


@attempt("become readable to others again")
def _(outside: Outside) -> object:
    if libc.prctl(4, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_DUMPABLE")
    return "dumpable"


@attempt("raise its memory limit")
def _(outside: Outside) -> object:
    import resource

    return resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@attempt("hold 8 GB of memory")
def _(outside: Outside) -> object:
    return [mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(8)]


@attempt("become root")
def _(outside: Outside) -> object:
    os.setuid(0)
    return os.getuid()


@attempt("be root")
def _(outside: Outside) -> object:
    if os.getuid() != 0:
        raise PermissionError(f"is user {os.getuid()}")
    return "root"


@attempt("change its root folder")
def _(outside: Outside) -> object:
    return os.chroot(".")


# --- system calls, one by one: name, number on x86-64, on arm64, arguments ---
_buffer = ctypes.create_string_buffer(4096)
for name, x86, arm, *arguments in (
    ("ptrace attach to the worker", 101, 117, 16, "worker", 0, 0),
    ("ptrace traceme", 101, 117, 0, 0, 0, 0),
    ("process_vm_readv of the worker", 310, 270, "worker", _buffer, 0, _buffer, 0, 0),
    ("process_vm_writev of the worker", 311, 271, "worker", _buffer, 0, _buffer, 0, 0),
    ("process_madvise", 440, 440, -1, 0, 0, 0, 0),
    ("kcmp", 312, 272, "worker", "worker", 0, 0, 0),
    ("pidfd_open of the worker", 434, 434, "worker", 0),
    ("pidfd_getfd", 438, 438, -1, 0, 0),
    ("pidfd_send_signal", 424, 424, -1, 0, 0, 0),
    ("rt_sigqueueinfo to the worker", 129, 138, "worker", 0, _buffer),
    ("tkill of the worker", 200, 130, "worker", 0),
    ("prlimit of the worker", 302, 261, "worker", 7, 0, _buffer),
    ("sched_setaffinity of the worker", 203, 122, "worker", 8, b"\1" + bytes(7)),
    ("setpriority of the worker", 141, 140, 0, "worker", 19),
    ("unshare user namespace", 272, 97, 0x10000000),
    ("unshare mount namespace", 272, 97, 0x00020000),
    ("setns", 308, 268, 0, 0),
    ("mount", 165, 40, b"none", b"/tmp", b"tmpfs", 0, 0),
    ("umount2", 166, 39, b"/proc", 2),
    ("open_tree", 428, 428, -100, b"/", 1),
    ("fsopen", 430, 430, b"tmpfs", 0),
    ("move_mount", 429, 429, -1, b"", -1, b"", 0),
    ("mount_setattr", 442, 442, -1, b"", 0, _buffer, 0),
    ("pivot_root", 155, 41, b".", b"."),
    ("chroot", 161, 51, b"."),
    ("keyctl", 250, 219, 0, -3, 0),
    ("add_key", 248, 217, b"user", b"k", b"v", 1, -3),
    ("request_key", 249, 218, b"user", b"k", 0, -3),
    ("bpf", 321, 280, 0, _buffer, 120),
    ("perf_event_open", 298, 241, _buffer, 0, -1, -1, 0),
    ("userfaultfd", 323, 282, 1),
    ("io_uring_setup", 425, 425, 1, _buffer),
    ("memfd_create", 319, 279, b"x", 0),
    ("memfd_secret", 447, 447, 0),
    ("execveat", 322, 281, -100, b"/bin/true", 0, 0, 0),
    ("clone without CLONE_THREAD", 56, 220, 17, 0, 0, 0, 0),
    ("clone3", 435, 435, _buffer, 88),
    ("init_module", 175, 105, _buffer, 8, b""),
    ("finit_module", 313, 273, 0, b"", 0),
    ("delete_module", 176, 106, b"x", 0),
    ("kexec_load", 246, 104, 0, 0, 0, 0),
    ("reboot", 169, 142, 0, 0, 0, 0),
    ("swapon", 167, 224, b"/x", 0),
    ("acct", 163, 89, b"/x"),
    ("quotactl", 179, 60, 0, 0, 0, 0),
    ("syslog", 103, 116, 3, _buffer, 100),
    ("sethostname", 170, 161, b"x", 1),
    ("settimeofday", 164, 170, _buffer, 0),
    ("clock_settime", 227, 112, 0, _buffer),
    ("adjtimex", 159, 171, _buffer),
    ("personality", 135, 92, 0x0040000),
    ("setuid", 105, 146, 0),
    ("setgid", 106, 144, 0),
    ("setgroups", 116, 159, 0, 0),
    ("setresuid", 117, 147, 0, 0, 0),
    ("setfsuid", 122, 151, 0),
    ("capset", 126, 91, _buffer, _buffer),
    ("prctl PR_SET_PTRACER", 157, 167, 0x59616D61, -1, 0, 0, 0),
    ("prctl PR_SET_SECCOMP", 157, 167, 22, 2, 0, 0, 0),
    ("prctl PR_SET_MM", 157, 167, 35, 8, 0, 0, 0),
    ("seccomp", 317, 277, 1, 0, 0),
    ("landlock_create_ruleset", 444, 444, 0, 0, 1),
    ("open_by_handle_at", 304, 265, 3, _buffer, 0),
    ("name_to_handle_at", 303, 264, -100, b"/etc/shadow", _buffer, _buffer, 0),
    ("fanotify_init", 300, 262, 0, 0),
    ("inotify_init1", 294, 26, 0),
    ("shmget", 29, 194, 0, 4096, 0o1600),
    ("semget", 64, 190, 0, 1, 0o1600),
    ("msgget", 68, 186, 0, 0o1600),
    ("mq_open", 240, 180, b"/x", 0o100, 0o600, 0),
    ("socket", 41, 198, 1, 1, 0),
    ("socketpair of datagrams", 53, 199, 1, 2, 0, _buffer),
    ("socketpair of packets", 53, 199, 1, 5, 0, _buffer),
    ("bind", 49, 200, 0, _buffer, 16),
    ("connect", 42, 203, 0, _buffer, 16),
    ("sendto", 44, 206, 1, _buffer, 1, 0, 0, 0),
    ("sendmsg", 46, 211, 1, _buffer, 0),
    ("recvmsg", 47, 212, 0, _buffer, 0),
    ("vmsplice", 278, 75, 1, _buffer, 0, 0),
    ("splice", 275, 76, 0, 0, 1, 0, 1, 0),
    ("tee", 276, 77, 0, 1, 1, 0),
    ("modify_ldt", 154, -1, 0, _buffer, 8),
    ("iopl", 172, -1, 3),
    ("ioperm", 173, -1, 0, 1, 1),
    ("uselib", 134, -1, b"/x"),
    ("lookup_dcookie", 212, 18, 0, _buffer, 8),
    ("migrate_pages", 256, 238, 0, 0, 0, 0),
    ("move_pages", 279, 239, "worker", 0, 0, 0, 0, 0),
    ("ioctl TIOCSTI", 16, 29, 2, 0x5412, b"x"),
    ("fcntl F_SETLEASE", 72, 25, 1, 1024, 0),
    ("vhangup", 153, 58),
    ("an unknown call", 999, 999),
    ("x32 getpid", 0x40000000 + 39, -1),
):
    call(name, x86, arm, *arguments)

# --- what it must be able to do ---
NEEDED = ("use threads", "write to its folder", "load a library", "raise a signal to itself", "read the document")


@attempt("use threads")
def _(outside: Outside) -> object:
    done = threading.Event()
    threading.Thread(target=done.set).start()
    return done.wait(5) or exec("raise RuntimeError")


@attempt("write to its folder")
def _(outside: Outside) -> object:
    os.makedirs("sub/folder", exist_ok=True)
    Path("sub/folder/file").write_text("x")
    os.rename("sub/folder/file", "sub/file")
    os.unlink("sub/file")
    return "written"


@attempt("load a library")
def _(outside: Outside) -> object:
    import decimal
    import sqlite3

    return sqlite3.sqlite_version, decimal.Decimal(1), sys.version_info[:2]


@attempt("raise a signal to itself")
def _(outside: Outside) -> object:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    return os.kill(os.getpid(), signal.SIGUSR1)


@attempt("read the document")
def _(outside: Outside) -> object:
    return Path(outside["lent"]).read_text()[:10]
