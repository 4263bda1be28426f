"""Ports for one home: chosen once, kept as long as they are free, and reserved between choosing and listening."""

import fcntl
import json
import os
import random
import socket
from collections.abc import Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below the range from which systems take ports for outgoing connections, so that a server finds its own again.
PORTS = range(20_000, 32_000)
_ours: set[int] = set()
"""What this process has reserved: a server that is started again finds its own port."""
_RESERVATIONS = Path("/tmp")  # noqa: S108 (one place for all processes of a user, whatever their TMPDIR)


def is_free(port: int) -> bool:
    """Whether a server may listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(taken: Sequence[int] = ()) -> int:
    """A free port outside of `taken`, this process's until it ends: no other docmill of this user gets it meanwhile.
    Raises OSError when none is left."""
    for port in random.sample(PORTS, len(PORTS)):
        if port not in taken and port not in _ours and _reserved(port) and is_free(port):
            return port
    raise OSError(f"no free port between {PORTS.start} and {PORTS.stop}")


def _reserved(port: int) -> bool:
    """Lock the port's file; False when another process has it. The lock is held by a descriptor that stays open, so it
    goes with the process. Where no such file can be had, nothing is reserved."""
    if port in _ours:
        return True
    folder = _RESERVATIONS / f"docmill-ports-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        file = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    _ours.add(port)
    return True


def kept_ports(file: Path, names: Sequence[str]) -> dict[str, int]:
    """One port for each name, as `file` (JSON) has them where they are still free; the file is brought up to date."""
    kept: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    chosen: dict[str, int] = {}
    for name in names:
        port = kept.get(name, 0)
        if port not in PORTS or port in chosen.values() or not (_reserved(port) and is_free(port)):
            port = free_port(tuple(chosen.values()))
        chosen[name] = port
    if chosen != kept:
        file.write_text(json.dumps(chosen))
    return chosen
