"""A reader that a document has taken over can do nothing to anybody else, run by root or by another user.

`make isolation` prints what it tries and what the system says.
"""

import json
import os
import subprocess
import sys

import pytest

from tests.isolation.tampered_reader import ATTEMPTS, NEEDED

BEHIND = {
    "network": "sockets",  # no attempt needs it: without it the wall 'system calls' refuses sockets all the same
    "processes": "see any other process",
}


def outcomes(user: str) -> dict[str, str]:
    command = [sys.executable, "-m", "tests.isolation.run", "--json", "--user", user]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    if found["missing"].keys() - BEHIND.keys():
        pytest.skip(f"this system lacks walls: {found['missing']}")
    assert (found["user"] == 0) == (user == "same" and os.getuid() == 0)
    tried: dict[str, str] = found["outcomes"]
    assert tried.keys() == ATTEMPTS.keys()
    return tried


@pytest.mark.parametrize(
    "user", ["same", pytest.param("other", marks=pytest.mark.skipif(os.getuid() != 0, reason="takes root"))]
)
def test_a_tampered_reader_gets_nothing_but_what_reading_takes(user: str) -> None:
    allowed = {name for name, outcome in outcomes(user).items() if outcome.startswith("ALLOWED")}
    assert allowed == set(NEEDED)
