"""Which index is in use, and with which model it was built: a mismatch is an error, never a wrong answer."""

from django.conf import settings
from django.db import IntegrityError, transaction

from docmill import parts
from docmill.api.models import VectorIndex
from docmill.pipeline.errors import PermanentError


def setup_index() -> VectorIndex:
    """Create the vector store's index and its row if there is none, and verify that it fits the settings."""
    active = VectorIndex.objects.filter(active=True).first()
    if active is None:
        embedder = parts.embedder()
        parts.vector_store().setup()
        try:
            with transaction.atomic():
                active = VectorIndex.objects.create(
                    store=settings.VECTOR_STORE, model=embedder.model, dimension=embedder.dimension, active=True
                )
        except IntegrityError:
            active = VectorIndex.objects.get(active=True)
    _verify(active)
    parts.vector_store().setup()
    return active


def verify_index() -> None:
    """Raise PermanentError `index_mismatch` unless the index in use was built with the model of the settings."""
    active = VectorIndex.objects.filter(active=True).first()
    if active is None:
        raise PermanentError("index_mismatch", "There is no index yet: run 'docmill setup'.")
    _verify(active)


def _verify(active: VectorIndex) -> None:
    embedder = parts.embedder()
    wanted = VectorIndex(store=settings.VECTOR_STORE, model=embedder.model, dimension=embedder.dimension)
    if (active.store, active.model, active.dimension) != (wanted.store, wanted.model, wanted.dimension):
        raise PermanentError(
            "index_mismatch",
            f"The index was built on {active}, the settings say {wanted}."
            " Run 'docmill reindex', or set EMBEDDER, EMBEDDING_DIMENSIONS and VECTOR_STORE back.",
        )
