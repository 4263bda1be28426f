"""Term similarity: rare words lead, whatever else a query says."""

from docmill.pipeline.rank import Collection, WordScorer
from docmill.pipeline.words.query import Term

QUESTION = [Term(word) for word in ("what", "does", "err-7781-qx", "mean", "for", "the", "value")]
FREQUENCIES = {"what": 900, "does": 800, "mean": 200, "for": 5000, "the": 9000, "value": 700, "err-7781-qx": 1}


def similarity(*words: str) -> float:
    scorer = WordScorer(QUESTION, Collection(10_000, 20, FREQUENCIES))
    return scorer.similarity(words.count, 20)


def test_the_one_passage_with_an_identifier_leads_those_with_every_other_word() -> None:
    assert similarity("err-7781-qx") > 0.7 > similarity("what", "does", "mean", "for", "the", "value")


def test_more_of_the_querys_words_score_more() -> None:
    assert 1 >= similarity("err-7781-qx", "value") > similarity("err-7781-qx")
    assert similarity("value", "mean") > similarity("mean") > similarity("the") > similarity("other") == 0
