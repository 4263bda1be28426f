"""Words: the same cut for the index, for ranking and for highlighting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docmill.pipeline.words.index_words import passage_words
from docmill.pipeline.words.query import in_a_row, parsed, respelled
from docmill.pipeline.words.stems import language, stem
from docmill.pipeline.words.tokens import tokens


def forms(text: str) -> list[str]:
    return [form for token in tokens(text) for form in token.forms]


@pytest.mark.parametrize(
    ("text", "whole", "parts"),
    [
        ("ERR-7781-QX", "err-7781-qx", ["err", "7781", "qx"]),
        ("snake_case", "snake_case", ["snake", "case"]),
        ("v2.3.1", "v2.3.1", ["v2", "3", "1"]),
        ("10.0.0.1", "10.0.0.1", ["10", "0", "1"]),
        ("jane.doe@example.org", "jane.doe@example.org", ["jane", "doe", "example", "org"]),
        ("parseHTTPResponse", "parsehttpresponse", ["parse", "http", "response"]),
        ("12/34-B", "12/34-b", ["12", "34", "b"]),
    ],
)
def test_an_identifier_is_found_whole_and_in_parts(text: str, whole: str, parts: list[str]) -> None:
    assert set(forms(f"(see {text}.)")) == {"see", whole, *parts}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Café", "cafe\u0301"), ("NAÏVE", "naive"), ("Straße", "STRASSE"), ("ＡＢＣ１２", "abc12"), ("ﬁnd", "find"),
        ("Ёлка", "елка"), ("ΣΊΣΥΦΟΣ", "σισυφοσ"), ("كِتَاب", "كتاب"), ("don’t", "don't"),
    ],
)  # fmt: skip
def test_case_accents_and_compatibility_forms_are_folded(one: str, other: str) -> None:
    assert forms(one) == forms(other)


def test_combining_marks_stay_within_words() -> None:
    assert forms("हिन्दी में") == ["हिन्दी", "में"]


def test_scripts_without_spaces_are_cut_into_overlapping_pairs() -> None:
    assert forms("東京都") == ["東京", "京都"]
    assert forms("ไทย") == ["ไท", "ทย"]
    assert forms("犬 abc東京") == ["犬", "abc", "東京"]


def test_a_token_stands_where_it_says() -> None:
    text = "Über ERR-7781-QX, ﬁnd 東京都."
    for token in tokens(text):
        assert text[token.start : token.end].strip(" ,.") == text[token.start : token.end]
    assert [text[t.start : t.end] for t in tokens(text)][:2] == ["Über", "ERR"]


def test_stems_stand_beside_the_plain_words_of_the_texts_language() -> None:
    english = passage_words("The ferries of the harbour are late and the ferry is full.")
    assert english.places["ferries"] == [2]
    assert english.places["=ferri"] == [2, 10]
    german = passage_words("Die Fähren liegen nicht mehr im Hafen, und die Häuser sind leer.")
    assert "=haus" in german.places


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Where is the heron and what does it eat?", "english"),
        ("Die Fähre fährt um zwölf Uhr ab und nicht später.", "german"),
        ("Où est la gare et pourquoi est-elle dans une rue ?", "french"),
        ("Где стоит цапля?", "russian"),
        ("12345", None),
    ],
)
def test_the_language_of_a_text_is_told(text: str, told: str | None) -> None:
    assert language(text) == told


def test_quotes_and_backslashes_survive_in_a_tsvector() -> None:
    assert "'don''t':1" in passage_words("don't").tsvector()


def test_a_query_is_taken_apart() -> None:
    query = parsed('"New York" ferries -Jersey -"toll road" state-of-the-art -5 degrees')
    assert query.phrases == (("new", "york"),)
    assert query.excluded == (("toll", "road"), ("jersey",))
    assert query.text == "New York ferries state-of-the-art -5 degrees"
    assert {"new", "york", "ferries", "state-of-the-art", "5", "degrees"} <= {term.word for term in query.terms}
    assert in_a_row(query.phrases[0]) == "('new' <-> 'york')"


def test_a_quote_that_is_not_closed_is_text() -> None:
    assert parsed('a 5" pipe').phrases == ()
    assert parsed("don't and o'clock").phrases == ()


def test_a_query_is_respelled_word_by_word() -> None:
    better = respelled(parsed("Wher is the Herron of Herronville"), {"herron": "heron"})
    assert better.text == "Wher is the heron of Herronville"


def test_stems_are_the_same_where_another_stemmer_is_installed(tmp_path: Path) -> None:
    (tmp_path / "Stemmer.py").write_text("def algorithms(): return []\ndef Stemmer(name): raise KeyError(name)\n")
    words = [("ulicami", "polish"), ("boats", "english"), ("лодками", "russian"), ("βάρκες", "greek")]
    program = f"from docmill.pipeline.words.stems import stem\nprint(*(stem(*one) for one in {words!r}))"
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [stem(*one) for one in words]
