"""The local models beside each other: memory of a process, seconds to load, and what texts in groups cost.

    python -m benchmarks.local_models [--json FILE]

Each model and way of grouping runs in a process of its own, on one thread, with the same texts: passages in several
languages of about a chunk's length, and some as long as the model reads, which is when memory is at its largest.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import django

django.setup()

from benchmarks.models import embedder_of  # noqa: E402
from docmill.pipeline.embed.local import LOCAL_MODELS  # noqa: E402
from docmill.pipeline.embed.local.embedder import Ids, LocalEmbedder, padded  # noqa: E402

_BUDGET = 512
"""Tokens a run, padding counted, of the groups that are made by tokens."""
_ROUNDS = 3
_WORDS_A_TEXT = 70
_TEXTS = 64
_CORPUS = Path(__file__).parent

Groups = Callable[[Sequence[Ids]], Iterator[Sequence[Ids]]]


def of_texts(size: int) -> Groups:
    """Groups of so many texts, neighbours by length."""

    def grouped(ids: Sequence[Ids]) -> Iterator[Sequence[Ids]]:
        for first in range(0, len(ids), size):
            yield ids[first : first + size]

    return grouped


def of_tokens(ids: Sequence[Ids]) -> Iterator[Sequence[Ids]]:
    """Groups of at most `_BUDGET` tokens, padding counted."""
    group: list[Ids] = []
    for one in ids:
        if group and (len(group) + 1) * len(one) > _BUDGET:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


GROUPS: dict[str, Groups] = {
    **{f"{size} a run": of_texts(size) for size in (1, 2, 8)},
    f"{_BUDGET} tokens a run": of_tokens,
}


def texts() -> list[str]:
    """Passages of different lengths, cut out of the benchmarks' own English, French, German and Spanish texts."""
    chance = random.Random(20)
    words = [
        word
        for file in sorted([*_CORPUS.glob("corpus/*.md"), *_CORPUS.glob("samples/*.md")])
        for word in file.read_text(encoding="utf-8").split()
    ]
    starts = (chance.randrange(len(words)) for _ in range(_TEXTS))
    return [" ".join(words[start : start + chance.randrange(20, 2 * _WORDS_A_TEXT)]) for start in starts]


def measured(model: str, groups: str) -> dict[str, Any]:
    """One row, of this process: it must have loaded nothing yet."""
    before = _resident_mb()
    began = time.process_time()
    embedder = embedder_of(model)
    embedder.embed_query("ready")
    loaded = time.process_time() - began
    ids = sorted((embedder.ids(embedder.passage_prefix + text) for text in texts()), key=len)
    seconds = min(_run(embedder, GROUPS[groups](ids)) for _ in range(_ROUNDS))
    longest = [ids[-1] + (embedder.max_tokens - len(ids[-1])) * ids[-1][1:2]] * 8
    _run(embedder, GROUPS[groups](longest))
    return {
        "name": f"{model}, {groups}",
        "cpu_ms_a_text": round(1000 * seconds / len(ids), 1),
        "load_cpu_s": round(loaded, 2),
        "resident_mb": round(_resident_mb() - before),
    }


def _run(embedder: LocalEmbedder, groups: Iterator[Sequence[Ids]]) -> float:
    began = time.process_time()
    for group in groups:
        embedder.pooled(padded(group))
    return time.process_time() - began


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "GROUPS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measured(*asked.one)))
        return
    rows = []
    for model in LOCAL_MODELS:
        for groups in GROUPS:
            command = [sys.executable, "-m", "benchmarks.local_models", "--one", model, groups]
            rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            print(*rows[-1].values(), sep=" | ", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()
