"""Sentences in every language, with nothing lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docmill.pipeline.chunking.sentences import guess_language, sentence_spans


def split(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in sentence_spans(text, guess_language(text))]


@settings(max_examples=80, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=400) | st.text(" .。!a1\n", max_size=60))
def test_sentences_cover_the_text(text: str) -> None:
    spans = list(sentence_spans(text, guess_language(text)))
    assert "".join(text[start:end] for start, end in spans) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See Fig. 3.2 for it. Then go on.", ["See Fig. 3.2 for it.", "Then go on."]),
        ("Dr. Smith came. He left.", ["Dr. Smith came.", "He left."]),
        ("Some, e.g. these, cost $3.50 each. Others less.", ["Some, e.g. these, cost $3.50 each.", "Others less."]),
        ("Go to https://a.example/x.html?b=1.5 now. Thanks.", ["Go to https://a.example/x.html?b=1.5 now.", "Thanks."]),
        ("2. Then we go. 3. We stay.", ["2. Then we go.", "3. We stay."]),
        ("今日は晴れ。明日は雨。", ["今日は晴れ。", "明日は雨。"]),
        ("你好吗？我很好。", ["你好吗？", "我很好。"]),
        ("Das kostet z. B. 3,50 €. Das ist viel.", ["Das kostet z. B. 3,50 €.", "Das ist viel."]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert split(text) == expected


def test_text_of_any_length_is_taken() -> None:
    text = "A short sentence. " * 5000 + "x" * 100_000
    assert len(split(text)) >= 5001
