"""Search measured as users ask: docmill over HTTP beside what people build instead, the same embedder for all.

    python -m benchmarks.retrieval [--qa DIR] [--model NAME] [--sets NAME …] [--json FILE]

Rows are named `<system> <set>`: how often the paragraph that answers is first, among the first five, and the mean of
1 / its place (Craswell 2009), in percent. Places count paragraphs, each by the best of its chunks.
"""

import argparse
import json
import logging
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import django

django.setup()

from benchmarks.models import embedder_of  # noqa: E402
from benchmarks.retrieval import peers, service  # noqa: E402
from benchmarks.retrieval.question_sets import QuestionSet, made_sets, squad_sets  # noqa: E402
from docmill.cli.background import BackgroundSystem  # noqa: E402
from docmill.pipeline.embed.local import DEFAULT_LOCAL_MODEL, LOCAL_MODELS  # noqa: E402


def place(ranked: Sequence[int], wanted: int) -> int | None:
    """The place of a paragraph among those ranked, from 1, each counted once."""
    paragraphs = list(dict.fromkeys(ranked))
    return paragraphs.index(wanted) + 1 if wanted in paragraphs else None


def row(name: str, questions: QuestionSet, ranker: peers.Ranker) -> dict[str, Any]:
    """One row, in percent."""
    places = [place(ranker(question.text), question.paragraph) for question in questions.questions]

    def percent(values: Iterator[float]) -> float:
        return round(100 * statistics.fmean(values), 1)

    return {
        "name": f"{name} {questions.name}",
        "recall_1": percent(float(at == 1) for at in places),
        "recall_5": percent(float(at is not None and at <= 5) for at in places),
        "mrr": percent(1 / at if at else 0.0 for at in places),
    }


def rankers(
    questions: QuestionSet, system: BackgroundSystem, embedder: peers.CachedEmbedder
) -> Iterator[tuple[str, peers.Ranker]]:
    """Each system by name, built for the set."""
    yield "docmill", service.docmill(system, questions)
    yield "cosine only", peers.docmill_chunks_by_cosine(questions, embedder)
    yield "words only (BM25)", peers.words_by_bm25(questions, embedder)
    yield "LangChain + pgvector", peers.langchain_on_pgvector(service.database_url(system))(questions, embedder)
    yield "LlamaIndex hybrid fusion", peers.llama_index_hybrid(questions, embedder)
    yield "chonkie recursive 128 + cosine", peers.chonkie_by_cosine(questions, embedder)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qa", type=Path, help="A folder of SQuAD-shaped *.json or *.json.gz.")
    parser.add_argument("--model", choices=LOCAL_MODELS, default=DEFAULT_LOCAL_MODEL)
    parser.add_argument("--sets", nargs="*", help="Only the sets of these names.")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    sets = [*made_sets(), *(squad_sets(asked.qa) if asked.qa else ())]
    logging.disable(logging.WARNING)  # of the peers' libraries
    embedder = peers.CachedEmbedder(embedder_of(asked.model))
    rows = []
    with service.running_docmill(asked.model) as system:
        for questions in sets:
            if asked.sets and questions.name not in asked.sets:
                continue
            for name, ranker in rankers(questions, system, embedder):
                rows.append(row(name, questions, ranker))
                print(*rows[-1].values(), flush=True)
    print(f"\n{asked.model}\n\n{table(rows)}")
    if asked.json:
        asked.json.write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()
