"""Evaluation corpora in the layout of Chroma's chunking evaluation, and how retrieval from them is judged.

Metrics follow Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024); recall within a
budget of tokens is ours: the best-ranked chunks fill the budget, the last one is cut.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Span = tuple[int, int]
"""Character offsets (start, end) into a corpus."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question and where in its corpus the answer stands."""

    text: str
    corpus: str
    references: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved span of a corpus with its size in tokens."""

    corpus: str
    start: int
    end: int
    tokens: int


def load(folder: Path) -> tuple[dict[str, str], list[Question]]:
    """The corpora (`*.md`) of a folder by name, and the questions (`questions.csv`) about them."""
    corpora = {path.stem: path.open(encoding="utf-8", newline="").read() for path in sorted(folder.glob("*.md"))}
    corpora.pop("README", None)
    questions = []
    with (folder / "questions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["corpus_id"] in corpora:
                spans = tuple((ref["start_index"], ref["end_index"]) for ref in json.loads(row["references"]))
                questions.append(Question(row["question"], row["corpus_id"], spans))
    return corpora, questions


def merged(spans: Sequence[Span]) -> list[Span]:
    """The union of spans, in order and without overlap."""
    union: list[Span] = []
    for start, end in sorted(spans):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        elif end > start:
            union.append((start, end))
    return union


def length(spans: Sequence[Span]) -> int:
    return sum(end - start for start, end in merged(spans))


def covered(question: Question, passages: Sequence[Passage]) -> int:
    """Characters of the question's references that the passages hold."""
    found = merged([(p.start, p.end) for p in passages if p.corpus == question.corpus])
    parts = [
        (max(a, start), min(b, end))
        for a, b in merged(question.references)
        for start, end in found
        if max(a, start) < min(b, end)
    ]
    return length(parts)


def within_budget(ranked: Sequence[Passage], budget: int) -> list[Passage]:
    """The best-ranked passages that fill `budget` tokens; the last one is cut in proportion."""
    taken, room = [], budget
    for passage in ranked:
        if room <= 0:
            break
        part = min(1.0, room / max(passage.tokens, 1))
        end = passage.start + round((passage.end - passage.start) * part)
        taken.append(Passage(passage.corpus, passage.start, end, passage.tokens))
        room -= passage.tokens
    return taken


def recall(question: Question, passages: Sequence[Passage]) -> float:
    return covered(question, passages) / length(question.references)


def precision(question: Question, passages: Sequence[Passage]) -> float:
    retrieved = sum(p.end - p.start for p in passages)
    return covered(question, passages) / retrieved if retrieved else 0.0


def iou(question: Question, passages: Sequence[Passage]) -> float:
    hit = covered(question, passages)
    return hit / (length(question.references) + sum(p.end - p.start for p in passages) - hit)
