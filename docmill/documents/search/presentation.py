"""What is shown of a passage beyond its text: the query's words in it, its best sentence, its neighbours, facets."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import sentencex

from docmill.documents.models import Chunk
from docmill.documents.search.request import Context, Span
from docmill.pipeline.rank import WordScorer
from docmill.pipeline.words.index_words import STEM
from docmill.pipeline.words.query import Query
from docmill.pipeline.words.stems import language, stem
from docmill.pipeline.words.tokens import Token, tokens

METADATA = "metadata."


def highlights(query: Query, scorer: WordScorer, text: str) -> tuple[list[Span], Span | None]:
    """The spans of the query's words in a passage, in order and without overlap, and the sentence that holds most of
    their rarity."""
    spoken = language(text)
    rarity = {form: scorer.rarity(scorer.frequency(term)) for term in query.terms for form in term.forms}
    matched: list[tuple[Token, str]] = []
    for token in tokens(text):
        forms = list(token.forms)
        if spoken and token.spelling:
            forms.append(STEM + stem(token.spelling, spoken))
        match = next((form for form in forms if form in rarity), None)
        if match is not None:
            matched.append((token, match))
    return _merged([(token.start, token.end) for token, _ in matched]), _best_sentence(text, matched, rarity)


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _best_sentence(text: str, matched: Sequence[tuple[Token, str]], rarity: dict[str, float]) -> Span | None:
    best, most, start = None, 0.0, 0
    for segment in sentencex.segment("en", text):
        end = start + len(segment)
        weight = sum(rarity[form] for form in {form for token, form in matched if start <= token.start < end})
        if weight > most:
            lead = len(segment) - len(segment.lstrip())
            best, most = (start + lead, start + len(segment.rstrip())), weight
        start = end
    return best


def context(chunk: Chunk, before: int, after: int) -> Context:
    """The passage with so many before and after it, joined where they meet; what two share stands once."""
    some = list(
        Chunk.objects.filter(
            document_id=chunk.document_id, ordinal__range=(chunk.ordinal - before, chunk.ordinal + after)
        ).order_by("ordinal")
    )
    text, end = "", some[0].start
    for one in some:
        if one.start > end:
            text += "\n" * min(one.start - end, 2)
        text += one.text[max(end - one.start, 0) :]
        end = max(end, one.end)
    pages = [page for one in some for page in (one.first_page, one.last_page)]
    return Context(text, some[0].start, end, min(pages), max(pages))


def facets(keys: Sequence[str], chunks: Iterable[Chunk]) -> dict[str, dict[str, int]]:
    """How many of the passages have each value of a key (`filename`, `content_type`, `metadata.NAME`), most first."""
    counts: dict[str, Counter[str]] = {key: Counter() for key in keys}
    for chunk in chunks:
        for key in keys:
            for value in _values(chunk, key):
                counts[key][value] += 1
    return {key: dict(count.most_common()) for key, count in counts.items()}


def _values(chunk: Chunk, key: str) -> list[str]:
    document = chunk.document
    value: Any = document.metadata.get(key[len(METADATA) :]) if key.startswith(METADATA) else getattr(document, key)
    if value is None or isinstance(value, dict):
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
