"""Code, data and notebooks, by what people write."""

import json
from pathlib import Path
from typing import Any

import pytest

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import detect_type, read_document
from docmill.pipeline.types import Page
from tests.unit.documents import blocks_of


def pages(tmp_path: Path, name: str, text: str | bytes) -> list[Page]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_document(path, detect_type(path, name)).pages)


def headings(tmp_path: Path, name: str, text: str) -> list[tuple[int, str]]:
    (page,) = pages(tmp_path, name, text)
    return [(block.level, page.text[block.start : block.end]) for block in page.blocks if block.kind == "heading"]


def test_python_as_its_functions_and_classes(tmp_path: Path) -> None:
    code = (
        '"""Ships."""\nimport os\n\n@cache\nclass Ship(Hull):\n    """A ship."""\n\n    async def sail(self, x: int):\n'
    )
    code += "        # go\n        return x\n\ndef load():\n    if x:\n        pass\n"
    (page,) = pages(tmp_path, "ship.py", code)
    assert blocks_of(page) == [
        ("code", '"""Ships."""\nimport os\n\n@cache'), ("heading", "class Ship(Hull)"), ("code", '    """A ship."""'),
        ("heading", "async def sail(self, x: int)"), ("code", "        # go\n        return x"),
        ("heading", "def load()"), ("code", "    if x:\n        pass"),
    ]  # fmt: skip
    assert [level for level, _ in headings(tmp_path, "ship.py", code)] == [1, 2, 1]


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("a.js", "export default class Auk extends Hull {\n  sail(x) {\n    if (x) {\n      go(x);\n    }\n  }\n}\n"
         "const load = async (cargo) => {\n};\nfunction sink() { }\nlet y = 1;\n",
         ["export default class Auk extends Hull", "sail(x)", "const load = async (cargo) =>", "function sink() { }"]),
        ("a.ts", "export interface Ship {\n  tons: number;\n}\nenum Kind { Brig }\n",
         ["export interface Ship", "enum Kind { Brig }"]),
        ("a.java", "package x;\npublic final class Auk<T> {\n    @Override\n    public int tons(int a) throws E {\n"
         "        for (int i = 0; i < a; i++) {\n        }\n        return call(a);\n    }\n}\n",
         ["public final class Auk<T>", "public int tons(int a) throws E"]),
        ("a.go", "package main\n\n" "type Ship struct {\n\tTons int\n}\n\n"
         "func (s *Ship) Sail(x int) error {\n\treturn nil\n}\n",
         ["type Ship struct", "func (s *Ship) Sail(x int) error"]),
        ("a.rs", "pub struct Ship {\n}\n"
         "impl<T> Hull for Ship {\n    pub(crate) async fn sail(&self) -> u8 {\n        1\n    }\n}\n",
         ["pub struct Ship", "impl<T> Hull for Ship", "pub(crate) async fn sail(&self) -> u8"]),
        ("a.c", "#include <x.h>\nstruct ship {\n  int tons;\n};\n"
         "static int sail(int x)\n{\n  if (x) {\n    go(x);\n  }\n  return 0;\n}\n",
         ["struct ship", "static int sail(int x)"]),
        ("a.cpp", "namespace sea {\nclass Auk : public Hull {\n};\nint Auk::sail(int x) const {\n}\n}\n",
         ["namespace sea", "class Auk : public Hull", "int Auk::sail(int x) const"]),
        ("a.cs", "public record Ship(int Tons) {\n    internal static void Sail(string x) {\n    }\n}\n",
         ["public record Ship(int Tons)", "internal static void Sail(string x)"]),
        ("a.rb", "module Sea\n  class Auk < Hull\n    def sail(x)\n    end\n  end\nend\n",
         ["module Sea", "class Auk < Hull", "def sail(x)"]),
        ("a.php", "<?php\nfinal class Auk {\n    public static function sail($x) {\n    }\n}\n",
         ["final class Auk", "public static function sail($x)"]),
        ("a.sql", "SELECT 1;\nCREATE TABLE ship (\n  tons int\n);\n"
         "create or replace function sail() returns int as $$\n",
         ["CREATE TABLE ship (", "create or replace function sail() returns int as $$"]),
        ("a.sh", "set -e\nload() {\n  echo hi\n}\nfunction sail {\n}\n", ["load()", "function sail"]),
        ("a.yaml", "name: auk\nships:\n  auk:\n    tons: 7\n# note\nports:\n- Hull\n", ["ships", "ports"]),
        ("a.toml", "name = 'x'\n[ship]\ntons = 7\n[[ship.mast]]\n", ["[ship]", "[[ship.mast]]"]),
        ("a.ini", "; note\n[ship]\ntons=7\n", ["[ship]"]),
    ],
)  # fmt: skip
def test_the_definitions_of_a_language_are_headings_and_no_line_is_lost(
    tmp_path: Path, name: str, code: str, expected: list[str]
) -> None:
    assert [text for _, text in headings(tmp_path, name, code)] == expected
    (page,) = pages(tmp_path, name, code)
    words = set("".join(each if each.isalnum() else " " for each in code).split())
    assert words <= set("".join(each if each.isalnum() else " " for each in page.text).split())


def test_json_by_the_keys_of_its_top(tmp_path: Path) -> None:
    data = '{"name": "Auk", "tons": 7.50, "big": 123456789012345678901234567890, "crew": [{"who": "Ann", "ok": true},'
    data += ' {"who": "Bob", "of": {"a": null, "b": [1, "x"]}}], "ports": ["Hull", "Bergen"], "empty": {}, "tons": 8}'
    (page,) = pages(tmp_path, "a.json", data)
    assert blocks_of(page) == [
        ("paragraph", "name: Auk"), ("paragraph", "tons: 7.50"), ("paragraph", "big: 123456789012345678901234567890"),
        ("heading", "crew"), ("paragraph", "who: Ann\nok: true"),
        ("paragraph", "who: Bob\nof:\n  a: null\n  b:\n    - 1\n    - x"), ("heading", "ports"),
        ("paragraph", "- Hull\n- Bergen"), ("paragraph", "empty:"), ("paragraph", "tons: 8"),
    ]  # fmt: skip


def test_json_lines_are_a_record_each_and_what_is_no_json_stands_as_it_is(tmp_path: Path) -> None:
    (page,) = pages(tmp_path, "a.jsonl", '{"a": 1, "b": "x"}\n\nnot json\n["y", 2]\n')
    assert [text for _, text in blocks_of(page)] == ["a: 1\nb: x", "not json", "- y\n- 2"]
    (page,) = pages(tmp_path, "a.json", "{\n  // a comment\n  x: 1\n}")
    assert blocks_of(page) == [("code", "{\n  // a comment\n  x: 1\n}")]


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.json", "[" * 100_000), ("a.json", "[" * 300 + "]" * 300), ("a.jsonl", '{"a":' * 50_000),
     ("a.xml", "<a>" * 100_000)],
)  # fmt: skip
def test_data_of_endless_depth_is_too_complex(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(PermanentError) as caught:
        pages(tmp_path, name, text)
    assert caught.value.code == "too_complex"


def test_xml_of_data_and_of_documents(tmp_path: Path) -> None:
    data = '<fleet><port name="Hull"><ship id="1"><name>Auk</name><tons>7</tons></ship><ship id="2"/></port></fleet>'
    (page,) = pages(tmp_path, "a.xml", data)
    assert blocks_of(page) == [
        ("heading", "port (name=Hull)"), ("paragraph", "ship (id=1)\nname: Auk\ntons: 7"), ("paragraph", "ship (id=2)"),
    ]  # fmt: skip
    book = (
        '<?xml version="1.0" encoding="iso-8859-2"?><!DOCTYPE book><book><title>Loď</title><chapter><title>One</title>'
        "<para>Some <b>bold</b> words &amp; more&hellip;</para><!-- no --><para>Two</para></chapter></book>"
    )
    path = tmp_path / "b.xml"
    path.write_bytes(book.encode("iso8859-2"))
    reading = read_document(path, "application/xml")
    (page,) = reading.pages
    assert reading.title == "Loď"
    assert blocks_of(page) == [
        ("heading", "Loď"), ("heading", "chapter"), ("heading", "One"), ("paragraph", "Some bold words & more…"),
        ("paragraph", "Two"),
    ]  # fmt: skip


def test_xml_expands_and_fetches_nothing(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    bomb += "<a><b>&y;&f; ok</b></a>"
    (page,) = pages(tmp_path, "a.xml", bomb)
    assert "lol" not in page.text and "root:" not in page.text and "ok" in page.text


def notebook(*cells: dict[str, Any], **more: Any) -> str:
    return json.dumps({"cells": cells, "metadata": more, "nbformat": 4, "nbformat_minor": 5})


def test_notebooks_are_a_page_a_cell(tmp_path: Path) -> None:
    outputs = [
        {"output_type": "stream", "text": ["\x1b[31m7 tons\x1b[0m\n"]},
        {"output_type": "display_data", "data": {"image/png": "iVBORw0", "text/plain": ["<Figure size 6x4>"]}},
        {"output_type": "execute_result", "data": {"text/html": ["<b>no</b>"], "text/plain": ["  a\n0 1"]}},
        {"output_type": "error", "ename": "ValueError", "evalue": "too heavy", "traceback": ["no"]},
    ]
    text = notebook(
        {"cell_type": "markdown", "source": ["# Ships #\n", "words\n", "\n", "more\n", "```\n", "# no\n", "```"]},
        {"cell_type": "code", "source": "", "outputs": []},
        {"cell_type": "code", "source": ["import x\n", "def load(a):\n", "    return a"], "outputs": outputs},
        title="The fleet",
    )
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    reading = read_document(path, detect_type(path, "a.ipynb"))
    first, third = reading.pages
    assert reading.title == "The fleet"
    assert (first.number, third.number) == (1, 3)
    assert blocks_of(first) == [("heading", "Ships"), ("paragraph", "words"), ("paragraph", "more\n```\n# no\n```")]
    assert blocks_of(third) == [
        ("code", "import x"), ("heading", "def load(a)"), ("code", "    return a"), ("paragraph", "7 tons"),
        ("paragraph", "a\n0 1"), ("paragraph", "ValueError: too heavy"),
    ]  # fmt: skip
    old = json.dumps({"worksheets": [{"cells": [{"cell_type": "heading", "level": 2, "source": ["Old"]}]}]})
    assert blocks_of(pages(tmp_path, "b.ipynb", old)[0]) == [("heading", "Old")]


@pytest.mark.parametrize("text", ["[1, 2]", "{", '{"cells": 7}', "[" * 100_000])
def test_a_notebook_that_is_none_is_corrupt(tmp_path: Path, text: str) -> None:
    with pytest.raises(PermanentError) as caught:
        pages(tmp_path, "a.ipynb", text)
    assert caught.value.code == "corrupt"


@pytest.mark.parametrize("suffix", ["js", "java", "cpp", "php", "sql", "yaml", "rs", "kt", "py", "sh"])
@pytest.mark.parametrize(
    "line", ["a" * 399, "a(" * 199, "a b " * 99, "public " * 57, "a()" * 130, "( " * 199, "a, " * 130]
)
def test_lines_made_to_be_looked_at_for_long_are_read_in_linear_time(tmp_path: Path, suffix: str, line: str) -> None:
    """The pytest limit of time is what fails: a pattern that backtracks takes hours."""
    pages(tmp_path, f"a.{suffix}", f"{line}\n" * 200)
