"""Text is clean before it is counted, hashed or stored."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from docmill.pipeline.text import clean

ANY_TEXT = st.text(st.characters(codec=None), max_size=200)


@given(ANY_TEXT)
def test_clean_text_can_be_encoded_stored_and_read_back(text: str) -> None:
    cleaned = clean(text)
    assert json.loads(json.dumps(cleaned.encode("utf-8").decode("utf-8"))) == cleaned
    assert "\x00" not in cleaned
    assert unicodedata.is_normalized("NFC", cleaned)


@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_line_ends_become_one_kind_and_tabs_stay() -> None:
    assert clean("a\r\nb\rc\u2028d\te\x0cf") == "a\nb\nc\nd\te\nf"


def test_control_characters_surrogates_and_marks_are_dropped() -> None:
    assert clean("a\x00b\x07c\ud800d\ufeffe\x1bf\x9fg") == "abcdefg"


def test_decomposed_letters_are_composed() -> None:
    assert clean("e\u0301te\u0301") == "été"
