"""Which index is in use, and with which model it was built: a mismatch is an error, never a wrong answer."""

from django.conf import settings
from django.db import IntegrityError, connection, transaction

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


def index_is_ours(*, hold: bool = False) -> bool:
    """Whether the index in use is the one of this process's settings. With `hold`, inside a transaction, it stays in
    use until the transaction ends."""
    with connection.cursor() as cursor:
        if hold:
            cursor.execute("SELECT FROM api_vectorindex WHERE active FOR SHARE")
    active = VectorIndex.objects.filter(active=True).first()
    return active is not None and (active.store, active.model, active.dimension) == _wanted()


def wanted_index() -> VectorIndex:
    """The row of the index that the settings name, made where there is none; it need not be in use."""
    store, model, dimension = _wanted()
    return VectorIndex.objects.get_or_create(store=store, model=model, dimension=dimension)[0]


def _wanted() -> tuple[str, str, int]:
    embedder = parts.embedder()
    return settings.VECTOR_STORE, embedder.model, embedder.dimension


def _verify(active: VectorIndex) -> None:
    store, model, dimension = _wanted()
    wanted = VectorIndex(store=store, model=model, dimension=dimension)
    if (active.store, active.model, active.dimension) != (store, model, dimension):
        raise PermanentError(
            "index_mismatch",
            f"The index was built on {active}, the settings say {wanted}."
            " Run 'docmill reindex', or set EMBEDDER, EMBEDDING_DIMENSIONS and VECTOR_STORE back.",
        )
