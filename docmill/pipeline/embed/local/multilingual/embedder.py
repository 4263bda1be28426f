"""The encoder on onnxruntime, word vectors from a file that all processes map."""

import mmap
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from sentencepiece import SentencePieceProcessor

from docmill.pipeline.embed.local.embedder import Ids, LocalEmbedder, PaddedBatch, cut, mean_pooled
from docmill.pipeline.embed.local.multilingual.packed_model import BLOCK, BLOCK_BYTES, unpacked
from docmill.pipeline.embed.local.multilingual.prepared_files import ENCODER, TOKENIZER, WORDS, prepared_files
from docmill.pipeline.model_files import open_session
from docmill.pipeline.types import Vectors

_LONGEST = 512
_START, _END = 0, 2


class MultilingualE5(LocalEmbedder):
    """Mean-pooled, with a prefix that tells queries from passages (intfloat/multilingual-e5-small, MIT; Wang et al.
    2024). `models` is where its files are kept; they are made when they are first needed."""

    model = "multilingual-e5-small-int8"
    max_tokens = _LONGEST - 2 - 3  # <s>, </s>, and three for the longer prefix
    chunk_sizes = (96, 140)
    passage_prefix = "passage: "
    query_prefix = "query: "

    def __init__(self, models: Path, threads: int = 1) -> None:
        self._models = models
        self._threads = threads

    def prepare(self) -> Path:
        """The folder of the model's files, made out of the package's where they are missing."""
        return self._files

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of SentencePiece tokens of each text, without special ones and prefix."""
        return [len(self._tokenizer.encode(text)) for text in texts]

    def ids(self, text: str) -> Ids:
        return cut([_START, *self._tokenizer.encode(text), _END], _LONGEST)

    def pooled(self, batch: PaddedBatch) -> Vectors:
        inputs = {"words": self._word_vectors(batch.ids), "mask": batch.mask.astype(np.int32)}
        states = np.asarray(self._session.run(["last_hidden_state"], inputs)[0], dtype=np.float32)
        return mean_pooled(states, batch.mask)

    def _word_vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Shape (texts, tokens) in, (texts, tokens, dimension) out."""
        table = np.frombuffer(self._words, np.uint8).reshape(-1, self.dimension // BLOCK, BLOCK_BYTES)
        vectors = unpacked(table[ids])
        # The pages stay in the system's cache for all processes; only this one's hold on them ends, which would grow
        # to the whole table.
        self._words.madvise(mmap.MADV_DONTNEED)
        return vectors

    @cached_property
    def _files(self) -> Path:
        return prepared_files(self._models)

    @cached_property
    def _words(self) -> mmap.mmap:
        with (self._files / WORDS).open("rb") as file:
            words = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        words.madvise(mmap.MADV_RANDOM)
        return words

    @cached_property
    def _tokenizer(self) -> SentencePieceProcessor:
        return SentencePieceProcessor(model_file=str(self._files / TOKENIZER))

    @cached_property
    def _session(self) -> InferenceSession:
        return open_session(self._files / ENCODER, self._threads)
