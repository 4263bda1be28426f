"""Which index is in use, where it lies, with which model it was built: a mismatch is an error, never a wrong answer."""

from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from docmill import adapters
from docmill.documents.models import Document, VectorIndex
from docmill.pipeline.errors import DocmillError, PermanentError

_SETTINGS = "EMBEDDER, LOCAL_MODEL, EMBEDDING_DIMENSIONS, VECTOR_STORE and PINECONE_INDEX"


def setup_index() -> VectorIndex:
    """Create the vector store's index and its row if there is none, and verify that it fits the settings."""
    if not VectorIndex.objects.filter(active=True).exists():
        adapters.vector_store().setup()
        row = wanted_index()
        try:
            with transaction.atomic():
                VectorIndex.objects.filter(id=row.id).update(active=True)
        except IntegrityError:
            pass  # another process was first
    active = VectorIndex.objects.get(active=True)
    _verify_name(active)
    make_wanted_index()
    wanted_index()
    return verify_index()


def verify_index() -> VectorIndex:
    """The index in use. Raises PermanentError `index_mismatch` unless it is the one of this process's settings, and
    what the vector store raises when it is first asked for its address."""
    active = verify_index_name()
    address = adapters.vector_store().address()
    if active.address not in ("", address):
        raise PermanentError(
            "index_mismatch",
            f"The index in use, {active}, lies at {active.address}; the settings lead to another one at {address}."
            f" Run 'docmill reindex' to move there, or set the key in {settings.VECTOR_STORE.upper()}_API_KEY back to"
            " the project of the first.",
        )
    return active


def verify_index_name() -> VectorIndex:
    """As `verify_index`, without asking the vector store: for a process that is to fork."""
    active = VectorIndex.objects.filter(active=True).first()
    if active is None:
        raise PermanentError("index_mismatch", "There is no index yet: run 'docmill setup'.")
    _verify_name(active)
    return active


def index_is_ours(*, hold: bool = False) -> bool:
    """Whether the index in use is the one of this process's settings. With `hold`, inside a transaction, it stays in
    use until the transaction ends. A vector store that is down is for the work itself to find."""
    with connection.cursor() as cursor:
        if hold:
            cursor.execute("SELECT FROM api_vectorindex WHERE active FOR SHARE")
    active = VectorIndex.objects.filter(active=True).first()
    if active is None or not _has_wanted_name(active):
        return False
    try:
        return active.address in ("", adapters.vector_store().address())
    except DocmillError:
        return True


def make_wanted_index() -> None:
    """Create the store's index where it is missing or of an earlier version's form, but never anew while documents are
    in it: an empty one would answer every search with nothing."""
    active = VectorIndex.objects.filter(active=True).first()
    documents = Document.objects.completed().count()
    if active is not None and documents and _has_wanted_name(active):
        _check_in_use(documents)
    adapters.vector_store().setup()


def _check_in_use(documents: int) -> None:
    try:
        adapters.vector_store().check()
    except PermanentError as error:
        if error.code != "index_mismatch":
            raise
        raise PermanentError(
            "index_mismatch",
            f"{error.message} It is the index in use, with {documents} documents. If it is lost, name a new one in"
            " PINECONE_INDEX and run 'docmill reindex'.",
        ) from error


def wanted_index() -> VectorIndex:
    """The row of the index that the settings name, made where there is none; it need not be in use, but it must be in
    the store."""
    wanted, address = _wanted(), adapters.vector_store().address()
    named: dict[str, Any] = {"store": wanted.store, "model": wanted.model, "dimension": wanted.dimension}
    if address:  # rows of earlier versions have none
        VectorIndex.objects.filter(**named, address="").update(address=address)
    return VectorIndex.objects.get_or_create(**named, address=address)[0]


def _wanted() -> VectorIndex:
    embedder = adapters.embedder()
    return VectorIndex(store=adapters.vector_store().name, model=embedder.model, dimension=embedder.dimension)


def _has_wanted_name(active: VectorIndex) -> bool:
    wanted = _wanted()
    return (active.store, active.model, active.dimension) == (wanted.store, wanted.model, wanted.dimension)


def _verify_name(active: VectorIndex) -> None:
    if not _has_wanted_name(active):
        raise PermanentError(
            "index_mismatch",
            f"The index in use is {active}, but the settings of this process say {_wanted()}. If you moved with"
            " 'docmill reindex', start this process again with the new settings; if not, run 'docmill reindex', or set"
            f" {_SETTINGS} back.",
        )
