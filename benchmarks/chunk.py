"""Chunking measured: retrieval within a budget of tokens, and speed, beside the splitters people use.

    python -m benchmarks.chunk --corpora DIR [--model NAME] [--json FILE] [--picture FILE]

All rows take the same embedder and its tokenizer; budgets are counted by MiniLM's tokenizer whatever the model, so that
tables of several models compare. Peers are retrieved by cosine similarity,
which is what their users would do; `docmill` is what docmill's search returns (cosine and words, pipeline/rank.py), and
`docmill, cosine only` shows the chunks alone. `… + docmill's ranking` gives a peer's chunks our ranking.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentencex

from benchmarks.chunk_corpora import Passage, Question, Span, iou, load, precision, recall, within_budget
from benchmarks.chunk_peers import PEERS
from benchmarks.collection import WordCollection
from benchmarks.models import embedder_of
from docmill.pipeline.chunking.chunker import Chunker, ChunkOptions, embedding_text
from docmill.pipeline.embed.local import DEFAULT_LOCAL_MODEL, LOCAL_MODELS
from docmill.pipeline.embed.local.embedder import LocalEmbedder
from docmill.pipeline.embed.local.minilm import MiniLm
from docmill.pipeline.rank import Weights, calibration, score
from docmill.pipeline.types import Page, Vectors

BUDGETS = (500, 1000, 2000)
CURVE = (250, 500, 750, 1000, 1500, 2000, 3000)
SIZES = ((64, 110), (80, 130), (110, 154), (140, 200))
_RANKED = 200
"""Nearest passages that are ranked."""
_SPEED_BYTES = 2_000_000

Split = Callable[[str], list[tuple[Span, str]]]
"""A corpus cut up: each chunk's span and the text that is embedded for it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to cut and rank; `limit` is the size in tokens that no chunk may exceed."""

    name: str
    split: Split
    limit: int
    ranked_with_words: bool = False


class CachedEmbedder:
    """Each text is embedded once, however many rows share it."""

    def __init__(self, embedder: LocalEmbedder) -> None:
        self.embedder = embedder
        self.budget_tokens = MiniLm().count_tokens
        self._known: dict[str, Any] = {}

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self.embedder.embed_query(text) for text in texts])

    def embed(self, texts: Sequence[str]) -> Vectors:
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        for first in range(0, len(missing), 64):
            some = missing[first : first + 64]
            self._known.update(zip(some, self.embedder.embed_passages(some, ""), strict=True))
        return np.stack([self._known[text] for text in texts])


def docmill_rows(embedder: LocalEmbedder) -> Iterator[Row]:
    for target, limit in sorted({*SIZES, embedder.chunk_sizes}):
        chunker = Chunker(embedder.count_tokens, ChunkOptions(target, limit))

        def split(text: str, chunker: Chunker = chunker) -> list[tuple[Span, str]]:
            return [((c.start, c.end), embedding_text(c)) for c in chunker.chunks([Page(1, text)])]

        is_default = (target, limit) == embedder.chunk_sizes
        suffix = "" if is_default else f" {target}/{limit}"
        yield Row(f"docmill{suffix}", split, limit, ranked_with_words=True)
        if is_default:
            yield Row("docmill, cosine only", split, limit)


def peer_rows(count: Callable[[str], int]) -> Iterator[Row]:
    for peer in PEERS:
        cut = peer.splitter(count)

        def split(text: str, cut: Callable[[str], list[str]] = cut) -> list[tuple[Span, str]]:
            return located(text, cut(text))

        yield Row(peer.name, split, peer.size)
        if peer.name == "LangChain recursive 128/0":
            yield Row(f"{peer.name} + docmill's ranking", split, peer.size, ranked_with_words=True)


def located(text: str, chunks: Sequence[str]) -> list[tuple[Span, str]]:
    """Where each chunk stands; one that was altered on the way is looked for by its beginning."""
    spans, begin = [], 0
    for chunk in chunks:
        start = text.find(chunk, begin)
        if start < 0:
            start = max(text.find(chunk[:40], begin), begin)
        spans.append(((start, min(start + len(chunk), len(text))), chunk))
        begin = start + 1
    return spans


def sentences_cut(text: str, spans: Sequence[Span], fits: Callable[[str], bool]) -> tuple[int, int]:
    """How many sentences have a chunk's edge inside, and how many there are: those that sentencex finds in each line
    and that fit into a chunk."""
    edges = np.array(sorted({place for span in spans for place in span}))
    cut = total = offset = 0
    for segment in (segment for line in text.splitlines(keepends=True) for segment in sentencex.segment("en", line)):
        start, end = offset + len(segment) - len(segment.lstrip()), offset + len(segment.rstrip())
        offset += len(segment)
        if end > start and fits(text[start:end]):
            total += 1
            cut += bool(np.searchsorted(edges, end, "left") - np.searchsorted(edges, start, "right"))
    return cut, total


def measure(
    row: Row, corpora: dict[str, str], questions: Sequence[Question], queries: Vectors, embedder: CachedEmbedder
) -> dict[str, Any]:
    """One row of the table, percentages in percent."""
    passages: list[Passage] = []
    texts: list[str] = []
    cut = sentences = overruns = 0

    def fits(sentence: str) -> bool:
        return embedder.embedder.count_tokens([sentence])[0] <= row.limit

    for name, text in corpora.items():
        parts = row.split(text)
        shown = [text[a:b] for (a, b), _ in parts]
        tokens = embedder.embedder.count_tokens(shown)
        budget = embedder.budget_tokens(shown)
        passages += [Passage(name, a, b, count) for ((a, b), _), count in zip(parts, budget, strict=True)]
        texts += [embedded for _, embedded in parts]
        some_cut, some = sentences_cut(text, [span for span, _ in parts], fits)
        cut, sentences = cut + some_cut, sentences + some
        overruns += sum(count > row.limit for count in tokens)
    similarities = queries @ embedder.embed(texts).T
    words = WordCollection(texts) if row.ranked_with_words else None
    ranked = [
        _ranked(question, passages, words, similarities[number], embedder.embedder.model)
        for number, question in enumerate(questions)
    ]

    def mean(metric: Callable[[Question, Sequence[Passage]], float], choose: Callable[[list[Passage]], Any]) -> float:
        return round(
            100 * statistics.mean(metric(q, choose(found)) for q, found in zip(questions, ranked, strict=True)), 2
        )

    return {
        "name": row.name,
        **{f"recall_{budget}": mean(recall, lambda found, b=budget: within_budget(found, b)) for budget in BUDGETS},
        "recall": mean(recall, lambda found: found[:5]),
        "precision": mean(precision, lambda found: found[:5]),
        "iou": mean(iou, lambda found: found[:5]),
        "mean_tokens": round(statistics.mean(passage.tokens for passage in passages), 1),
        "sentences_cut": round(100 * cut / sentences, 2),
        "overruns": overruns,
        "mb_per_s": round(speed(row.split, list(corpora.values())), 2),
        "curve": {budget: mean(recall, lambda found, b=budget: within_budget(found, b)) for budget in CURVE},
    }


def _ranked(
    question: Question, passages: Sequence[Passage], words: WordCollection | None, similarities: Any, model: str
) -> list[Passage]:
    """The passages in order of docmill's score, or of the cosine similarity where no words are given."""
    near = np.argsort(-similarities, kind="stable")[:_RANKED]
    if words:
        terms, of = words.similarities(question.text), calibration(model)
        scores = [score(float(similarities[place]), float(terms[place]), of, Weights()) for place in near]
        near = near[np.argsort(-np.array(scores), kind="stable")]
    return [passages[place] for place in near]


def speed(split: Split, texts: Sequence[str]) -> float:
    """Megabytes of text cut in a second, the median of three."""
    size = sum(len(text.encode()) for text in texts)
    rounds = max(1, _SPEED_BYTES // size // 3)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(rounds):
            for text in texts:
                split(text)
        seconds.append(time.perf_counter() - began)
    return size * rounds / 1e6 / statistics.median(seconds)


def embedder_speed(embedder: LocalEmbedder, texts: Sequence[str]) -> float:
    """Megabytes of text embedded in a second on one thread, for comparison."""
    some = [text for text in texts if text][:128]
    began = time.perf_counter()
    for first in range(0, len(some), embedder.batch_size):
        embedder.embed_passages(some[first : first + embedder.batch_size], "")
    return sum(len(text.encode()) for text in some) / 1e6 / (time.perf_counter() - began)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    names = [name for name in rows[0] if name != "curve"]
    lines = [names, ["---"] * len(names), *([str(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Recall against the budget of tokens, one line a row."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 6))
    for row in rows:
        ours = row["name"].startswith("docmill")
        axes.plot(
            *zip(*row["curve"].items(), strict=True), label=row["name"], lw=2.5 if ours else 1, ls="-" if ours else "--"
        )
    axes.set(xlabel="tokens retrieved", ylabel="recall, %", title="Recall within a budget of tokens")
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--model", choices=LOCAL_MODELS, default=DEFAULT_LOCAL_MODEL)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    corpora, questions = load(asked.corpora)
    embedder = CachedEmbedder(embedder_of(asked.model))
    queries = embedder.embed_queries([question.text for question in questions])

    def count(text: str) -> int:
        return embedder.embedder.count_tokens([text])[0]

    rows = []
    for row in [*docmill_rows(embedder.embedder), *peer_rows(count)]:
        rows.append(measure(row, corpora, questions, queries, embedder))
        print(rows[-1]["name"], *(f"{rows[-1][f'recall_{budget}']:.1f}" for budget in BUDGETS), flush=True)
    print(f"\n{len(questions)} questions about {', '.join(corpora)}\n\n{table(rows)}")
    print(f"\nThe embedder takes {embedder_speed(embedder.embedder, list(embedder._known)):.3f} MB/s on one thread.")
    if asked.json:
        asked.json.write_text(json.dumps({"rows": rows}, indent=1))
    if asked.picture:
        draw(rows, asked.picture)


if __name__ == "__main__":
    main()
