"""Realistic vectors for the bench on search: the local model over many different sentences, kept in a file.

The sentences are real: the docstrings of the standard library and of the packages that are installed, and the
questions that the bench asks of them are sentences that were left out. Beyond what is embedded, the collection is
extended by points between two neighbours and noise, which keeps it as clustered as language is; rows made that way say
so ("interpolated").
"""

import ast
import hashlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import sentencex

from docmill.pipeline.embed import Embedder
from docmill.pipeline.text import clean
from docmill.pipeline.types import Vectors

_BATCH = 64
_NOISE = 0.35
"""Length of the noise that is added to a point between two neighbours, of unit length each."""


def sentences(count: int, cache: Path, seed: int = 1) -> list[str]:
    """So many different sentences, in an order that the seed gives; looked for once, then read from a file."""
    file = cache / f"sentences-{count}-{seed}.json"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(_found(count, seed)))
    kept: list[str] = json.loads(file.read_text())
    return kept


def _found(count: int, seed: int) -> list[str]:
    found: dict[str, None] = {}
    files = sorted(path for root in _roots() for path in root.rglob("*.py") if "test" not in path.parts)
    random.Random(seed).shuffle(files)
    for path in files:
        for sentence in _of(path):
            found.setdefault(sentence)
        if len(found) >= count:
            return list(found)[:count]
    raise SystemExit(f"Only {len(found)} different sentences were found; {count} are needed.")


def _roots() -> list[Path]:
    return [Path(ast.__file__).parent, *(Path(place) for place in sys.path if place.endswith("site-packages"))]


def _of(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for sentence in sentencex.segment("en", " ".join((ast.get_docstring(node) or "").split())):
                if 40 <= len(sentence.strip()) <= 300:
                    yield clean(sentence.strip())


def embedded(embedder: Embedder, texts: list[str], cache: Path) -> Vectors:
    """The texts' vectors, shape (texts, dimension); embedded once, then read from a file in the folder `cache`."""
    key = hashlib.sha256("\n".join([embedder.model, *texts]).encode()).hexdigest()[:16]
    file = cache / f"vectors-{key}.npy"
    if not file.exists():
        parts = [embedder.embed_passages(texts[at : at + _BATCH], "") for at in range(0, len(texts), _BATCH)]
        np.save(file, np.concatenate(parts))
    vectors: Vectors = np.load(file)
    return vectors


def extended(vectors: Vectors, count: int, seed: int = 2) -> Vectors:
    """`count` vectors: those given, then points between one of them and one of its neighbours, with noise."""
    if count <= len(vectors):
        return vectors[:count]
    generator = np.random.default_rng(seed)
    near = _neighbours(vectors, 8)
    more = count - len(vectors)
    first = generator.integers(0, len(vectors), more)
    second = near[first, generator.integers(0, near.shape[1], more)]
    made = np.empty((more, vectors.shape[1]), dtype=np.float32)
    for at in range(0, more, 50_000):
        one, other = vectors[first[at : at + 50_000]], vectors[second[at : at + 50_000]]
        share = generator.random((len(one), 1), dtype=np.float32)
        noise = generator.standard_normal(one.shape, dtype=np.float32) * (_NOISE / np.sqrt(vectors.shape[1]))
        mixed = one * share + other * (1 - share) + noise
        made[at : at + len(one)] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return np.concatenate([vectors, made])


def _neighbours(vectors: Vectors, count: int) -> "np.ndarray":
    found = np.empty((len(vectors), count), dtype=np.int64)
    for at in range(0, len(vectors), 1000):
        similar = vectors[at : at + 1000] @ vectors.T
        similar[np.arange(len(similar)), np.arange(at, at + len(similar))] = -1
        found[at : at + 1000] = np.argpartition(-similar, count, axis=1)[:, :count]
    return found


def subjects(vectors: Vectors, count: int, seed: int = 3) -> "np.ndarray":
    """The subject of each vector: the nearest of `count` vectors drawn from them (0 to count - 1)."""
    drawn = np.random.default_rng(seed).choice(len(vectors), count, replace=False)
    parts = [np.argmax(vectors[at : at + 50_000] @ vectors[drawn].T, axis=1) for at in range(0, len(vectors), 50_000)]
    return np.concatenate(parts)
