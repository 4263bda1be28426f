"""No text makes chunking slow: a long run of any class of characters takes about as long as prose of the same length.

Regular expressions that try again from every place of a run take its length squared: 100 KB of dots took half a minute.
Compared with prose in the same process, so that a busy machine changes nothing.
"""

import time

import pytest

from docmill.pipeline.chunking.chunker import Chunker, ChunkOptions
from docmill.pipeline.text import clean
from docmill.pipeline.types import Page
from docmill.pipeline.words.index_words import passage_words

CHARACTERS = 40_000
TIMES_PROSE = 12
"""Runs of marks make many more pieces than prose does; what was quadratic took 60 times as long and more."""
PROSE = "The mill stands on the river, where two roads meet. It grinds rye for the whole valley!\n\n"
CLASSES = {
    "dots": ".", "dots apart": ". ", "ideographic stops": "。", "questions": "?!", "colons": ":", "quotes": "'",
    "dots and quotes": ".'", "brackets": ")",
    "spaces": " ", "tabs": "\t", "line ends": "\n", "no-break spaces": "\u00a0",
    "small letters": "a", "capitals": "A", "mixed letters": "aA", "digits": "7", "letters and digits": "a7",
    "numbers": "1. ", "initials": "a. ", "underscores": "_", "equals": "=", "equals apart": "= ", "dashes": "-",
    "dashes apart": "- ", "pipes": "|", "pipes apart": "| ", "rules": "-|", "hashes": "#", "stars": "* ", "ticks": "`",
    "backslashes": "\\", "written line ends": "\\n", "Han": "中", "Arabic": "ا", "Thai": "ก", "marks": "a\u0301",
    "combining marks": "\u0301", "emoji": "😀", "joiners": "\u200d", "carriage returns": "\r", "replacements": "\ufffd",
}  # fmt: skip


def seconds(text: str) -> float:
    """Processor time of the way from a reader's text to chunks and the words of their index."""
    began = time.process_time()
    page = Page(1, clean(text), "text")
    for chunk in Chunker(lambda texts: [len(text.split()) for text in texts], ChunkOptions()).chunks([page]):
        passage_words(chunk.text)
    return time.process_time() - began


@pytest.fixture(scope="module")
def prose_seconds() -> float:
    seconds(PROSE)
    return min(seconds(PROSE * (CHARACTERS // len(PROSE))) for _ in range(3))


@pytest.mark.parametrize("unit", CLASSES.values(), ids=list(CLASSES))
@pytest.mark.parametrize("around", ["", "x"], ids=["alone", "between letters"])
def test_a_run_of_one_class_takes_about_as_long_as_prose(prose_seconds: float, unit: str, around: str) -> None:
    text = around + unit * (CHARACTERS // len(unit)) + around
    fastest = min(seconds(text) for _ in range(2))
    assert fastest < TIMES_PROSE * prose_seconds + 0.2, f"{fastest:.2f} s, prose {prose_seconds:.3f} s"
