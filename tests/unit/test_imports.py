"""Data flows one way: cli, up → api → documents → pipeline, with worker and embedded beside. Read off the imports."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import docmill

ROOT = Path(docmill.__file__).parent
MAY_IMPORT: Mapping[str, set[str]] = {
    "config": set(),
    "pipeline": set(),
    "embedded": set(),
    "worker": set(),
    "storage": {"pipeline"},
    "sentry": {"pipeline"},
    "adapters": {"pipeline", "storage"},
    "documents": {"pipeline", "storage", "adapters", "sentry", "worker"},
    "api": {"pipeline", "storage", "adapters", "sentry", "worker", "documents"},
    "up": {"embedded", "worker", "documents"},
    "cli": {"pipeline", "adapters", "worker", "documents", "api", "up", "embedded"},
    "__main__": {"cli"},
}
"""Which of docmill's packages each one knows; each knows itself."""
NOT_IN_PIPELINE = {"django", "celery", "rest_framework", "kombu", "environ"}


@cache
def modules() -> Mapping[str, Path]:
    """Every module of docmill by its dotted name."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported_by(module: str) -> Iterator[str]:
    """Names of modules that it imports, at its top or within a function; `from package import module` names the
    module."""
    for node in ast.walk(ast.parse(modules()[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules() else node.module


def own_imports(module: str) -> set[str]:
    return {name for name in imported_by(module) if name in modules() and name not in ("docmill", module)}


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_each_package_knows_only_those_to_its_right() -> None:
    against = [
        f"{module} imports {name}"
        for module in modules()
        for name in own_imports(module)
        if package_of(module) != package_of(name)
        and package_of(name) not in MAY_IMPORT.get(package_of(module), set())
        and "migrations" not in module
    ]
    assert not against


def test_no_module_imports_itself_by_way_of_others() -> None:
    circles: list[str] = []
    done: set[str] = set()

    def follow(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            circles.append(" → ".join((*path[path.index(module) :], module)))
        elif module not in done:
            for name in sorted(own_imports(module)):
                follow(name, (*path, module))
            done.add(module)

    for module in sorted(modules()):
        follow(module, ())
    assert not circles


def test_the_pipeline_knows_neither_django_nor_celery() -> None:
    against = [
        f"{module} imports {name}"
        for module in modules()
        if package_of(module) == "pipeline"
        for name in imported_by(module)
        if name.split(".")[0] in NOT_IN_PIPELINE
    ]
    assert not against


def test_no_file_is_longer_than_400_lines() -> None:
    long = [str(path) for path in ROOT.rglob("*.py") if len(path.read_text().splitlines()) > 400]
    assert not long
