"""Models that run on this machine, on onnxruntime: one module a model; the setting LOCAL_MODEL chooses."""

from collections.abc import Mapping
from typing import NamedTuple


class LocalModel(NamedTuple):
    """A model as indexes name it, and the module whose `from_settings(settings)` makes its embedder."""

    model: str
    module: str


LOCAL_MODELS: Mapping[str, LocalModel] = {
    "multilingual": LocalModel("multilingual-e5-small-int8", "docmill.pipeline.embed.local.multilingual"),
    "english": LocalModel("bge-small-en-v1.5-int8", "docmill.pipeline.embed.local.english"),
    "minilm": LocalModel("all-MiniLM-L6-v2-int8", "docmill.pipeline.embed.local.minilm"),
}
"""The setting LOCAL_MODEL, and what it names."""
DEFAULT_LOCAL_MODEL = "multilingual"
"""What an installation gets that has no index yet."""


def local_model_named(model: str | None) -> str | None:
    """The setting for a model that an index names; None for one that is not local."""
    return next((name for name, local in LOCAL_MODELS.items() if local.model == model), None)
