"""The local reranker puts what answers first, and says how sure it is."""

import pytest
from django.conf import settings as django_settings

from docmill import adapters
from docmill.pipeline.errors import PermanentError
from docmill.pipeline.rerank.local import MiniLmCrossEncoder

QUESTION = "When does the last boat leave?"
PASSAGES = [
    "The last boat that the yard built was sold to a farmer.",
    "The last sailing from Gull Rock is at nine in the evening.",
    "The keeper trims the lamp and winds the clockwork.",
]


@pytest.fixture(scope="module")
def reranker() -> MiniLmCrossEncoder:
    return MiniLmCrossEncoder()


def test_the_passage_that_answers_is_first_though_another_has_more_of_the_words(reranker: MiniLmCrossEncoder) -> None:
    scores = reranker.scores(QUESTION, PASSAGES)
    assert max(scores) == scores[1]
    assert scores[2] < 0.05 < scores[1] <= 1


def test_a_score_is_the_same_beside_other_passages(reranker: MiniLmCrossEncoder) -> None:
    assert reranker.scores(QUESTION, PASSAGES[:1]) == reranker.scores(QUESTION, PASSAGES)[:1]
    assert reranker.scores(QUESTION, []) == []


def test_long_queries_and_passages_are_read_as_far_as_there_is_room(reranker: MiniLmCrossEncoder) -> None:
    assert 0 <= reranker.scores("boat " * 2000, ["lamp " * 2000])[0] <= 1
    answer_first = reranker.scores("boat " * 2000 + QUESTION, [PASSAGES[1] + " lamp" * 2000])
    assert len(answer_first) == 1


def test_the_setting_chooses_and_none_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters.reranker.cache_clear()
    assert adapters.reranker() is None
    for value, expected in (("local", MiniLmCrossEncoder), ("other", None)):
        adapters.reranker.cache_clear()
        monkeypatch.setattr(django_settings, "RERANKER", value)
        if expected:
            assert isinstance(adapters.reranker(), expected)
        else:
            with pytest.raises(PermanentError, match="RERANKER must be one of local"):
                adapters.reranker()
    adapters.reranker.cache_clear()
