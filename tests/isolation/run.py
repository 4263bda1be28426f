"""Try from inside the sandbox whatever a taken-over reader might, and print what the system let it do.

`python -m tests.isolation.run [--user other]`: one line an attempt. As root, `--user other` tries as another user.
The last line is `isolation ok: …`, or the exit code is 1.
"""

import argparse
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from docmill.pipeline.extract.sandbox.process import ExtractorProcess
from docmill.pipeline.extract.sandbox.walls import Walls
from tests.isolation.tampered_reader import ATTEMPTS, NEEDED

_OTHER_USER = 54_321
_NEW_MOUNTS, _MS_BIND, _MS_REC_PRIVATE = 0x00020000, 4096, (1 << 14) | (1 << 18)


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--user", choices=["same", "other"], default="same")
    options.add_argument("--json", action="store_true", help="print one JSON object instead")
    chosen = options.parse_args()
    if chosen.user == "other" and os.getuid() == 0:
        become_another_user(["-m", "tests.isolation.run", *(["--json"] if chosen.json else [])])
    walls, outcomes = try_everything()
    if chosen.json:
        print(json.dumps({"missing": walls.missing, "outcomes": outcomes, "user": os.getuid()}))
        return 0
    print(f"user {os.getuid()}; walls that stand: {', '.join(walls.standing)}")
    for sentence in walls.sentences():
        print(sentence)
    for name, outcome in outcomes.items():
        print(f"{name:60} {outcome}")
    wrong = [name for name, outcome in outcomes.items() if outcome.startswith("ALLOWED") != (name in NEEDED)]
    print(
        f"isolation {'FAILED: ' + ', '.join(wrong) if wrong else f'ok: {len(outcomes) - len(NEEDED)} attempts refused'}"
    )
    return 1 if wrong else 0


def try_everything() -> tuple[Walls, dict[str, str]]:
    """The walls, and the outcome of each attempt by its name."""
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="docmill-isolation-")))
        tempfile.tempdir = str(temporary)
        secret, other = temporary / "secret", temporary / "other.txt"
        for path in (secret, other):
            path.write_text("secret")
            path.chmod(0o600)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(temporary / "socket"))
        unix.listen()
        bystander = stack.enter_context(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        stack.callback(bystander.kill)
        sibling, process = (ExtractorProcess(reader="tests.isolation.tampered_reader") for _ in range(2))
        stack.callback(sibling.close)
        stack.callback(process.close)
        sibling.start()
        walls = process.start()
        assert process._running
        outside = {
            "secret": str(secret),
            "other_document": str(other),
            "temporary": str(temporary),
            "home": str(Path.home()),
            "port": tcp.getsockname()[1],
            "unix_socket": str(temporary / "socket"),
            "worker": os.getpid(),
            "sibling": sibling.pid,
            "bystander": bystander.pid,
            "lent": str(process._running._workspace.readable / "document.txt"),
        }
        document = temporary / "document.txt"
        outcomes = {}
        for name in ATTEMPTS:
            document.write_text(f"{name}\n{json.dumps(outside)}")
            with process.open(document, "text/plain") as extraction:
                for page in extraction:
                    _, _, outcome = page.text.partition("\t")
                    outcomes[name] = outcome
        assert bystander.poll() is None
        return walls, outcomes


def become_another_user(arguments: list[str]) -> None:
    """Start again as a user that is not root, with a copy of the interpreter that this user can reach."""
    libc = ctypes.CDLL(None, use_errno=True)
    reachable = Path(tempfile.mkdtemp(prefix="docmill-python-"))
    reachable.chmod(0o755)
    if os.fork():
        status = os.wait()[1]
        shutil.rmtree(reachable, ignore_errors=True)
        sys.exit(os.waitstatus_to_exitcode(status))
    assert libc.unshare(_NEW_MOUNTS) == 0
    assert libc.mount(None, b"/", None, _MS_REC_PRIVATE, None) == 0
    assert libc.mount(sys.base_prefix.encode(), bytes(reachable), None, _MS_BIND, None) == 0
    os.setgroups([])
    os.setresgid(_OTHER_USER, _OTHER_USER, _OTHER_USER)
    os.setresuid(_OTHER_USER, _OTHER_USER, _OTHER_USER)
    python = str(reachable / "bin" / Path(sys.executable).resolve().name)
    environ = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path and not path.startswith(sys.base_prefix)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/",
    }
    os.execve(python, [python, *arguments], environ)


if __name__ == "__main__":
    sys.exit(main())
