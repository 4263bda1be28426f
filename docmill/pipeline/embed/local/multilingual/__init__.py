"""multilingual-e5-small, int8: a hundred languages, 512 tokens, a question in one finds passages in another."""

from pathlib import Path
from typing import Any

from docmill.pipeline.embed.local.multilingual.embedder import MultilingualE5


def from_settings(settings: Any) -> MultilingualE5:
    """The embedder, its files in the folder of the setting DOCMILL_MODELS."""
    return MultilingualE5(Path(settings.MODELS_DIR))
