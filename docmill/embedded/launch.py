"""Become another program: `python launch.py OWNER PARENT SIGNAL program arguments…`, run as a plain script.

OWNER is a numeric user id to become first, or `-`; PARENT the process whose death sends SIGNAL to the program, or `-`.
The process keeps its id, so whoever started it can wait for it and signal it. Only the standard library is imported,
because this runs before every server start.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def become(owner: int) -> None:
    """Give up root for good: groups, group, then user, in this order."""
    group = pwd.getpwuid(owner).pw_gid
    os.setgroups([])
    os.setgid(group)
    os.setuid(owner)
    os.environ["HOME"] = "/"


def die_with(parent: int, signal_number: int) -> None:
    """Ask Linux for a signal when the parent dies; must come after the user is changed, which clears it."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:  # it died before the request
        sys.exit(1)


def main(owner: str, parent: str, signal_number: str, *command: str) -> None:
    os.umask(0o077)  # files and sockets, also those in shared folders, are for the owner alone
    if owner != "-":
        become(int(owner))
    if parent != "-":
        die_with(int(parent), int(signal_number))
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
