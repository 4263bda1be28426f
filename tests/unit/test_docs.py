"""The pages say what is: names in them exist, links lead somewhere, and the recipes work word for word."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
_NAMED = re.compile(r"`((?:docmill|tests|benchmarks)/[\w/.]*)(?::(\w+))?`")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
_TEST = re.compile(r"`(test_\w+)(…)?`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_functions_that_a_page_names_exist(page: Path) -> None:
    for name, function in _NAMED.findall(page.read_text()):
        path = ROOT / name
        assert path.exists(), f"{page.name} names {name}"
        if function:
            defined = {getattr(node, "name", None) for node in ast.walk(ast.parse(path.read_text()))}
            assert function in defined, f"{page.name} names {function} of {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_decision_stands_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    assert [path.name for path in folder.glob("0*.md") if f"({path.name})" not in index] == []


def test_every_test_that_backs_a_promise_exists() -> None:
    there = {
        node.name
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    for name, shortened in _TEST.findall((ROOT / "docs" / "reliability.md").read_text()):
        assert any(known.startswith(name) if shortened else known == name for known in there), name


# --- the recipes of CONTRIBUTING.md ---


def recipe(title: str) -> Iterator[tuple[str, str, str]]:
    """(file, line to stand after or "", code) for each block of a recipe."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"<!-- (?:file: (\S+)|line: (\S+), after: (.+?)) -->\n```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2, "a recipe is one file and one line"
    for file, table, after, code in blocks:
        yield file or table, after, code


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the code to follow recipes in."""
    shutil.copytree(ROOT / "docmill", tmp_path / "docmill", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def follow(title: str, copy: Path) -> None:
    for file, after, code in recipe(title):
        path = copy / file
        if after:
            text = path.read_text()
            assert text.count(f"{after}\n") == 1
            path.write_text(text.replace(f"{after}\n", f"{after}\n{code}"))
        else:
            assert not path.exists()
            path.write_text(code)


def run(program: str, copy: Path, **settings: str) -> str:
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "docmill.config.settings", "PYTHONPATH": str(copy), **settings}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=copy, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recipe_for_a_format_works(copy: Path) -> None:
    follow("Add a format", copy)
    (copy / "a.shout").write_text("the ferry\nleaves at noon")
    program = (
        "import django; django.setup()\n"
        "from pathlib import Path\n"
        "from docmill import adapters\n"
        "from docmill.pipeline.extract import detect_type\n"
        "path = Path('a.shout').absolute()\n"
        "with adapters.extractor().open(path, detect_type(path, path.name)) as pages:\n"
        "    print(*(page.text for page in pages))\n"
        "adapters.extractor().close()"
    )
    assert run(program, copy).split() == ["THE", "FERRY", "LEAVES", "AT", "NOON"]


def test_the_recipes_for_an_embedder_and_a_vector_store_work(copy: Path) -> None:
    follow("Add an embedder", copy)
    follow("Add a vector store", copy)
    program = (
        "import django; django.setup()\n"
        "from docmill import adapters\n"
        "from docmill.pipeline.types import Record\n"
        "embedder, store = adapters.embedder(), adapters.vector_store()\n"
        "from inspect import signature\n"
        "from docmill.pipeline.embed import Embedder\n"
        "from docmill.pipeline.vector_stores import VectorStore\n"
        "for made, wanted in ((embedder, Embedder), (store, VectorStore)):\n"
        "    for name, method in vars(wanted).items():\n"
        "        if callable(method) and not name.startswith('_'):\n"
        "            assert signature(getattr(type(made), name)) == signature(method), name\n"
        "vectors = embedder.embed_passages(['zzz', 'aaa'], '')\n"
        "store.upsert(7, [Record('d#0', vectors[0]), Record('d#1', vectors[1])])\n"
        "print(store.query(7, embedder.embed_query('a'), 1)[0].id, *store.query(8, vectors[0], 1))"
    )
    assert run(program, copy, EMBEDDER="letters", VECTOR_STORE="memory").strip() == "d#1"
