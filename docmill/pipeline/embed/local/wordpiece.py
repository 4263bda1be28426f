"""English encoders of BERT's kind: WordPiece tokens in, token states out."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import tokie
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from docmill.pipeline.embed.local.embedder import Ids, LocalEmbedder, PaddedBatch, cut
from docmill.pipeline.model_files import open_session

SPECIAL_TOKENS = 2


class WordPieceEmbedder(LocalEmbedder):
    """An encoder with its `model.onnx` and `tokenizer.json`."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads

    def model_file(self) -> Path:
        """Where the model lies."""
        raise NotImplementedError

    def tokenizer_file(self) -> Path:
        """Where its tokenizer lies."""
        raise NotImplementedError

    def prepare(self) -> Path:
        """The folder of the model, which comes ready in its package."""
        self.tokenizer_file()
        return self.model_file().parent

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of WordPiece tokens of each text, without the special ones."""
        counts: list[int] = self._tokenizer.count_tokens_batch(list(texts))
        return counts

    def ids(self, text: str) -> Ids:
        return cut(self._tokenizer.encode(text).ids, self.max_tokens + SPECIAL_TOKENS)

    def _states(self, batch: PaddedBatch) -> NDArray[np.float32]:
        inputs = {
            "input_ids": batch.ids,
            "attention_mask": batch.mask,
            "token_type_ids": np.zeros_like(batch.ids),
        }
        return np.asarray(self._session.run(["last_hidden_state"], inputs)[0], dtype=np.float32)

    @cached_property
    def _tokenizer(self) -> tokie.Tokenizer:
        os.environ.setdefault("RAYON_NUM_THREADS", "1")
        tokenizer = tokie.Tokenizer.from_json(str(self.tokenizer_file()))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _session(self) -> InferenceSession:
        return open_session(self.model_file(), self._threads)
