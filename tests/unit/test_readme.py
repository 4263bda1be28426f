"""The README tells what the code does."""

from pathlib import Path

from docmill.pipeline.extract import ACCEPTED

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_readme_names_every_type_that_is_read_and_no_other() -> None:
    table = README.partition("## What it reads")[2].partition("\n## ")[0]
    named = {word for line in table.splitlines() for word in line.rpartition(" | ")[2].split() if word.startswith(".")}
    assert named == {extension for kind in ACCEPTED for extension in kind.extensions}


def test_the_readme_stays_short() -> None:
    assert len(README.splitlines()) < 150
