"""Words of a query that no passage of the tenant has, read as words that passages do have."""

from docmill.documents import word_index
from docmill.pipeline.rank import Collection
from docmill.pipeline.words.query import Query, Term

_SHORTEST = 4
"""Characters of a word that may be corrected: of shorter ones too much is alike."""
_TWO_EDITS_FROM = 8


def corrections(user_id: int, query: Query, collection: Collection) -> dict[str, str]:
    """For each word without digits that the collection lacks in all its forms: the nearest word that it has, by edits,
    the more frequent one of several. Quoted words are left as they are."""
    quoted = {word for run in query.phrases for word in run}
    unknown = [term for term in query.terms if term.word not in quoted and _may_be_wrong(term, query, collection)]
    found = {}
    for term in unknown:
        allowed = 2 if len(term.word) >= _TWO_EDITS_FROM else 1
        near = [
            (edits, -chunks, word)
            for word, chunks in word_index.alike(user_id, term.word)
            if (edits := distance(term.word, word)) <= allowed
        ]
        if near:
            found[term.word] = min(near)[2]
    return found


def _may_be_wrong(term: Term, query: Query, collection: Collection) -> bool:
    known = any(collection.frequencies.get(form) for form in term.forms)
    return not known and term.word in query.spelled and len(term.word) >= _SHORTEST and term.word.isalpha()


def distance(one: str, other: str) -> int:
    """Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, right in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
