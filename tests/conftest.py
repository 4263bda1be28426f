"""Which tests share a process of pytest-xdist: those of one system, so that it starts once (`--dist loadgroup`)."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
_SHARED = {"system": "docmill up", "database_url": "postgresql"}
"""Fixtures of a whole session that start servers, and the group of the tests that use them."""
_ONE_GROUP_A_MODULE = {"contract", "faults", "integration"}
"""Folders whose modules start what they need themselves."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))


def _group(item: pytest.Item) -> str | None:
    for fixture in getattr(item, "fixturenames", ()):
        if fixture in _SHARED:
            return _SHARED[fixture]
    place = item.path.relative_to(HERE)
    return place.stem if place.parts[0] in _ONE_GROUP_A_MODULE else None
