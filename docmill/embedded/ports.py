"""Ports for one home: chosen once, kept as long as they are free."""

import json
import random
import socket
from collections.abc import Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below the range from which systems take ports for outgoing connections, so that a server finds its own again.
PORTS = range(20_000, 32_000)


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
    """A free port outside of `taken`. Raises OSError when none is left."""
    for port in random.sample(PORTS, len(PORTS)):
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {PORTS.start} and {PORTS.stop}")


def kept_ports(file: Path, names: Sequence[str]) -> dict[str, int]:
    """One port for each name, as `file` (JSON) has them where they are still free; the file is brought up to date."""
    kept: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    chosen: dict[str, int] = {}
    for name in names:
        port = kept.get(name, 0)
        if port not in PORTS or port in chosen.values() or not is_free(port):
            port = free_port(tuple(chosen.values()))
        chosen[name] = port
    if chosen != kept:
        file.write_text(json.dumps(chosen))
    return chosen
