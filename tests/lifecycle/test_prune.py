"""Hourly upkeep removes what nobody will ever ask for, and nothing else."""

import uuid
from datetime import timedelta

import pytest

from docmill.documents import lifecycle
from docmill.documents.models import CachedVector, IndexedDocument, VectorIndex
from docmill.documents.prune import ORPHANS_AFTER, UNUSED_VECTORS_AFTER, prune
from docmill.pipeline.errors import TransientError
from tests.lifecycle.house import House

DAY = ORPHANS_AFTER.total_seconds()


def stored(house: House, key: str, age: float) -> str:
    """An object of the bucket that no row names."""
    house.originals.kept[key] = b"content"
    house.originals.ages[key] = age
    return key


def test_an_original_without_a_row_goes_after_a_day(house: House) -> None:
    old = stored(house, f"documents/1/{uuid.uuid4()}/original", DAY + 1)
    young = stored(house, f"documents/1/{uuid.uuid4()}/original", DAY - 1)
    assert prune()["originals"] == 1
    assert old not in house.originals.kept
    assert young in house.originals.kept, "its row may be written in a moment"


def test_the_original_of_a_document_stays_however_old_and_whatever_became_of_it(house: House) -> None:
    documents = [house.completed(), house.document(), house.work_on(house.document(""))]
    lifecycle.mark_deleted(documents[0])  # the purge's
    house.originals.ages = dict.fromkeys(house.originals.kept, 100 * DAY)
    assert prune()["originals"] == 0
    assert len(house.originals.kept) == 3


@pytest.mark.parametrize(
    "key",
    ["documents/1/holiday.jpg", "documents/x/{id}/original", "documents/1/{id}/copy", "documents/1/{ID}/original"],
)
def test_what_others_keep_in_the_bucket_stays(house: House, key: str) -> None:
    id_ = str(uuid.uuid4())
    others = stored(house, key.format(id=id_, ID=id_.replace("-", "")), 100 * DAY)
    assert prune()["originals"] == 0
    assert others in house.originals.kept


def test_an_upload_in_parts_that_never_ended_goes_after_a_day(house: House) -> None:
    house.originals.parts = {"documents/1/a": DAY + 1, "documents/1/b": DAY - 1, "others": DAY + 1}
    assert prune()["uploads"] == 1
    assert set(house.originals.parts) == {"documents/1/b", "others"}


def test_a_vector_that_no_chunk_of_its_tenant_has_goes_a_week_after_its_last_use(house: House) -> None:
    document = house.completed("one", "two")
    (key, other) = document.chunks.order_by("ordinal").values_list("vector_key", flat=True)
    CachedVector.objects.create(user=house.stranger, key=bytes(key), values=b"")
    CachedVector.objects.update(used_at=house.clock.now())
    document.chunks.filter(vector_key=other).delete()
    house.clock.passes(UNUSED_VECTORS_AFTER.total_seconds() - 1)
    assert prune()["vectors"] == 0
    house.clock.passes(2)
    assert prune()["vectors"] == 2
    left = CachedVector.objects.get()
    assert (left.user_id, bytes(left.key)) == (house.tenant.id, bytes(key)), "a chunk has it"


def test_a_vector_in_use_again_stays_another_week(house: House) -> None:
    house.completed("one").chunks.all().delete()
    CachedVector.objects.update(used_at=house.clock.now() + timedelta(days=3))
    house.clock.passes(UNUSED_VECTORS_AFTER.total_seconds() + 1)
    assert prune()["vectors"] == 0


def test_what_a_reindexing_wrote_of_a_document_that_is_gone_since_is_removed(house: House) -> None:
    gone, kept = house.completed(), house.completed()
    for document in (gone, kept):
        assert document.completed_at is not None
        IndexedDocument.objects.create(
            index=VectorIndex.objects.get(), document_id=document.id, user_id=document.user_id,
            completed_at=document.completed_at,
        )  # fmt: skip
    lifecycle.mark_deleted(gone)
    assert prune()["removed_documents"] == 1
    assert not house.vectors(gone)
    assert len(house.vectors(kept)) == 2
    assert IndexedDocument.objects.get().document_id == kept.id


def test_storage_that_is_down_is_said(house: House) -> None:
    house.originals.trouble = TransientError("storage_unavailable")
    with pytest.raises(TransientError):
        prune()
