"""A search from its request to its answer, readable top to bottom."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from docmill import adapters
from docmill.documents import word_index
from docmill.documents.models import Chunk
from docmill.documents.query_vectors import query_vector
from docmill.documents.search.candidates import POOL, Candidate, Candidates, chunks_of
from docmill.documents.search.presentation import context, facets, highlights
from docmill.documents.search.request import Answer, Found, SearchRequest
from docmill.documents.search.spelling import corrections
from docmill.documents.vector_index import verify_index
from docmill.documents.word_index import ChunkKey
from docmill.pipeline.chunking.chunker import passage_text
from docmill.pipeline.errors import PermanentError
from docmill.pipeline.rank import Collection, WordScorer, calibration, score
from docmill.pipeline.text import clean
from docmill.pipeline.words.query import Query, parsed, respelled

_DEEPER = (1_000, 5_000, 10_000)
"""Nearest passages to look at when so many of one document may be answered that the pool does not suffice."""
_RERANKED = 20


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its score."""

    key: ChunkKey
    score: float
    vector_similarity: float
    term_similarity: float


def search(user_id: int, request: SearchRequest) -> Answer:
    """The best passages of the user's completed documents, best first, at most `top_k` from `offset` on.

    Raises TransientError or PermanentError when a part is down or refuses, and `bad_request` for a query that only
    excludes.
    """
    verify_index()
    query = parsed(clean(request.query))
    if not query.text:
        raise PermanentError("bad_request", "The query only says what must not be there; add what to look for.")
    query, known, corrected = _spelled_right(user_id, query)
    scorer = WordScorer(query.terms, known)
    candidates = Candidates(user_id, query, query_vector(user_id, query.text), scorer, request.filter)
    ranked = _ranked(request, query, scorer, candidates)
    page = ranked[request.offset : request.offset + request.top_k]
    chunks = _by_key(one.key for one in (ranked if request.facets else page))
    found = [_found(one, chunks[one.key], request, query, scorer) for one in page if one.key in chunks]
    return Answer(found, corrected, facets(request.facets, chunks.values()))


def _spelled_right(user_id: int, query: Query) -> tuple[Query, Collection, dict[str, str]]:
    """The query with unknown words corrected, the statistics of its words, and what was corrected."""
    known = _statistics(user_id, query)
    corrected = corrections(user_id, query, known)
    if not corrected:
        return query, known, {}
    better = respelled(query, corrected)
    return better, _statistics(user_id, better), {query.spelled[word]: one for word, one in corrected.items()}


def _statistics(user_id: int, query: Query) -> Collection:
    return word_index.collection(user_id, [form for term in query.terms for form in term.forms])


def _ranked(request: SearchRequest, query: Query, scorer: WordScorer, candidates: Candidates) -> list[Scored]:
    """Best first, above the threshold, with no more of one document than allowed: the pool, and what lies deeper where
    that is not enough."""
    ranked = _reranked(query, _scored(request, scorer, candidates.first()))
    kept = list(_spread(request, ranked))
    for depth in _DEEPER:
        if len(kept) >= request.offset + request.top_k or candidates.exhausted:
            break
        ranked += _scored(request, scorer, candidates.nearest(depth))
        kept = list(_spread(request, ranked))
    return kept


def _scored(request: SearchRequest, scorer: WordScorer, some: Iterable[Candidate]) -> list[Scored]:
    of = calibration(adapters.embedder().model)
    scored = []
    for one in some:
        words = scorer.similarity(one.words.count, one.words.length)
        # As it is shown, so that a threshold taken from an answer keeps what had it.
        total = round(score(one.vector_similarity, words, of, request.weights), 6)
        scored.append(Scored(one.key, total, one.vector_similarity, words))
    return sorted(scored, key=lambda one: (-one.score, one.key))


def _reranked(query: Query, ranked: list[Scored]) -> list[Scored]:
    """The first few in the order of the reranker, where there is one, with its scores; none after them scores more."""
    reranker = adapters.reranker()
    if reranker is None or not ranked:
        return ranked
    first = ranked[:_RERANKED]
    chunks = _by_key(one.key for one in first)
    first = [one for one in first if one.key in chunks]
    texts = [passage_text(chunks[one.key].headings, chunks[one.key].text) for one in first]
    judged = [
        Scored(one.key, round(judgement, 6), one.vector_similarity, one.term_similarity)
        for one, judgement in zip(first, reranker.scores(query.text, texts), strict=True)
    ]
    judged.sort(key=lambda one: (-one.score, one.key))
    most = judged[-1].score if judged else 1.0
    rest = [
        Scored(one.key, min(one.score, most), one.vector_similarity, one.term_similarity) for one in ranked[_RERANKED:]
    ]
    return judged + rest


def _spread(request: SearchRequest, ranked: Iterable[Scored]) -> Iterator[Scored]:
    taken: Counter[UUID] = Counter()
    for one in ranked:
        if one.score < request.score_threshold:
            continue
        taken[one.key[0]] += 1
        if request.chunks_a_document is None or taken[one.key[0]] <= request.chunks_a_document:
            yield one


def _by_key(keys: Iterable[ChunkKey]) -> dict[ChunkKey, Chunk]:
    return {(chunk.document_id, chunk.ordinal): chunk for chunk in chunks_of(keys)}


def _found(one: Scored, chunk: Chunk, request: SearchRequest, query: Query, scorer: WordScorer) -> Found:
    spans, sentence = highlights(query, scorer, chunk.text)
    around = context(chunk, request.before, request.after) if request.before or request.after else None
    return Found(chunk, one.score, one.vector_similarity, one.term_similarity, spans, sentence, around)


LONGEST_ANSWER = POOL
"""Passages that can be paged through with `offset` and `top_k`."""
