"""Every package that docmill needs has a licence that lets it be used and passed on; `docs/licences.md` lists them."""

import importlib.metadata
import re
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

LIST = Path(__file__).parents[2] / "docs" / "licences.md"
REFUSED = re.compile(r"\bA?GPL|Affero|GNU General Public|SSPL|Server Side Public|Business Source|Commons Clause", re.I)
WEAKLY = re.compile(r"\bLGPL|Lesser|Library General", re.I)


def needed(name: str = "docmill", extras: frozenset[str] = frozenset()) -> set[str]:
    """The names of all installed packages that a package needs, its own needs' needs included."""
    found: set[str] = set()
    open_ones = [(name, extras)]
    while open_ones:
        one, its_extras = open_ones.pop()
        for line in importlib.metadata.distribution(one).requires or ():
            wanted = Requirement(line)
            environments = [{"extra": extra} for extra in ("", *its_extras)]
            if wanted.marker and not any(wanted.marker.evaluate(environment) for environment in environments):
                continue
            other = re.sub(r"[-_.]+", "-", wanted.name).lower()
            if other not in found:
                found.add(other)
                open_ones.append((other, frozenset(wanted.extras)))
    return found


def licence(distribution: Distribution) -> str:
    """What a package says of its licence, on one line."""
    about: Any = distribution.metadata
    classifiers = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if line.startswith("License")]
    first_line = (about.get("License") or "").strip().splitlines()[:1]
    said = about.get("License-Expression") or "; ".join(classifiers) or " ".join(first_line)
    return said[:80] or "in its files"


def listed() -> str:
    lines = [f"| {name} | {licence(importlib.metadata.distribution(name))} |" for name in sorted(needed())]
    return "\n".join(lines)


def test_no_package_has_a_licence_that_binds_what_imports_it() -> None:
    for name in needed():
        said = licence(importlib.metadata.distribution(name))
        # Dynamically imported libraries under the Lesser GPL bind themselves alone.
        assert WEAKLY.search(said) or not REFUSED.search(said), f"{name}: {said}"


def test_the_list_has_every_package_with_its_licence() -> None:
    text = LIST.read_text("utf-8")
    missing = [line for line in listed().splitlines() if line not in text]
    assert missing == [], f"write them into {LIST.name}"


@pytest.mark.parametrize("said", ["AGPL-3.0-only", "GNU General Public License v3 (GPLv3)", "GPL-2.0", "SSPL-1.0"])
def test_a_licence_that_binds_would_be_refused(said: str) -> None:
    assert REFUSED.search(said)
