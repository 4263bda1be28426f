"""The local models by their names in the setting LOCAL_MODEL."""

from importlib import import_module

from django.conf import settings

from docmill.pipeline.embed.local import LOCAL_MODELS
from docmill.pipeline.embed.local.embedder import LocalEmbedder


def embedder_of(name: str) -> LocalEmbedder:
    """The embedder of a model, made of this process's settings."""
    made: LocalEmbedder = import_module(LOCAL_MODELS[name].module).from_settings(settings)
    return made
