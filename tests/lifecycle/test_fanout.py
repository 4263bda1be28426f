"""A long scan's pages are read by whoever is free; each once, and none is lost with its reader."""

import pytest

from docmill.documents import lifecycle, ocr_fanout
from docmill.documents.models import Document, ScannedPage
from docmill.documents.ocr_fanout import help_with
from docmill.pipeline.errors import HandedOverError, PermanentError
from docmill.worker.queues import NEW, PAGES
from tests.lifecycle.fakes import SCANNED
from tests.lifecycle.house import House, another_session

PAGES_OF_SCAN = [f"{SCANNED}page {number}" for number in range(1, 7)]


@pytest.fixture
def scan(house: House) -> Document:
    """A long scan that a worker began and let go, so that its pages are written down and none is read."""
    document = house.document(*PAGES_OF_SCAN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ocr_fanout.SharedPages, "content", _let_go)
        seen = house.work_on(document, has_helpers=True)
    assert seen.stage == "queued"
    assert ScannedPage.objects.filter(content=None, reserved=False).count() == 6
    house.broker.taken()
    return document


def _let_go(*_: object) -> None:
    raise HandedOverError


def test_as_many_helpers_are_asked_as_there_are_pages_to_read_beside_the_holders(house: House) -> None:
    asked: list[int] = []
    house.extractor.after_page = lambda number: asked.append(len(house.broker.taken([PAGES])))
    ended = house.work_on(house.document(*PAGES_OF_SCAN), has_helpers=True)
    assert ended.status == "completed"
    assert asked[0] == 5
    assert house.extractor.read_here == [1, 2, 3, 4, 5, 6], "nobody came"


@pytest.mark.parametrize(("pages", "has_helpers"), [(3, True), (6, False)])
def test_a_short_scan_or_one_without_helpers_is_read_alone(house: House, pages: int, has_helpers: bool) -> None:
    assert house.work_on(house.document(*PAGES_OF_SCAN[:pages]), has_helpers=has_helpers).status == "completed"
    assert not ScannedPage.objects.exists()
    assert house.broker.taken() == []


def test_helpers_leave_the_first_page_to_the_holder_who_reads_no_other(house: House, scan: Document) -> None:
    assert not help_with(scan.id)
    assert house.extractor.read_here == [2, 3, 4, 5, 6]
    house.extractor.read_here.clear()
    ended = house.work_on(scan, has_helpers=True)
    assert ended.status == "completed"
    assert house.extractor.read_here == [1]
    assert list(scan.chunks.order_by("ordinal").values_list("text", flat=True)) == PAGES_OF_SCAN


def test_a_page_that_another_reads_is_left_to_it(house: House, scan: Document) -> None:
    with another_session() as session:
        session.execute("SELECT FROM api_scannedpage WHERE number = 3 FOR UPDATE")
        help_with(scan.id)
    assert house.extractor.read_here == [2, 4, 5, 6]


def test_a_page_whose_reader_died_is_free_again(house: House, scan: Document) -> None:
    with another_session() as session:
        session.execute("SELECT FROM api_scannedpage WHERE number = 3 FOR UPDATE")
    help_with(scan.id)
    assert 3 in house.extractor.read_here


def test_the_holder_waits_for_a_page_that_a_helper_reads(house: House, scan: Document) -> None:
    with another_session() as helper:
        helper.execute("SELECT FROM api_scannedpage WHERE number = 3 FOR UPDATE")

        def helper_has_read_it() -> None:
            content = ocr_fanout.packed({"text": f"{SCANNED}page 3, by a helper"})
            helper.execute("UPDATE api_scannedpage SET content = %s WHERE number = 3", [content])
            helper.commit()

        house.clock.on_sleep = helper_has_read_it
        ended = house.work_on(scan, has_helpers=True)
    assert ended.status == "completed"
    assert house.extractor.read_here == [1, 2, 4, 5, 6]
    assert scan.chunks.get(ordinal=2).text == f"{SCANNED}page 3, by a helper"


def test_trouble_with_a_page_is_left_to_the_holder_who_fails_with_it(house: House, scan: Document) -> None:
    house.extractor.unreadable = {4: PermanentError("corrupt")}
    help_with(scan.id)
    assert ScannedPage.objects.get(number=4).reserved
    assert house.seen(scan).status == "processing", "a helper ends nobody's document"
    ended = house.work_on(scan, has_helpers=True)
    assert ended.error is not None
    assert (ended.status, ended.error["code"]) == ("failed", "corrupt")


def test_pages_that_a_lost_holder_reserved_are_free_when_the_scan_is_begun_anew(house: House, scan: Document) -> None:
    ScannedPage.objects.filter(number__in=[2, 3]).update(reserved=True)
    free: list[int] = []
    house.extractor.after_page = lambda number: free.append(ScannedPage.objects.filter(reserved=False).count())
    house.work_on(scan, has_helpers=True)
    assert free[0] == 5, "all but the one being read"


def test_what_was_read_is_not_read_again_after_a_lost_worker(house: House) -> None:
    document = house.document(*PAGES_OF_SCAN)

    def dies(number: int) -> None:
        if number == 4:
            raise MemoryError

    house.extractor.after_page = dies
    with pytest.raises(MemoryError):
        lifecycle.process(document.id, has_helpers=True)
    house.extractor.after_page = lambda number: None
    house.extractor.read_here.clear()
    assert house.work_on(document, has_helpers=True).status == "completed"
    assert house.extractor.read_here == [5, 6]


@pytest.mark.parametrize("others_wait", [True, False])
def test_a_long_scan_gives_way_to_documents_that_wait_when_its_turn_is_over(house: House, others_wait: bool) -> None:
    document = house.document(*PAGES_OF_SCAN)
    if others_wait:
        house.broker.send_task("docmill.api.tasks.process_document", ("key", 1, "id"), NEW)
    house.extractor.after_page = lambda number: house.clock.passes(3)
    seen = house.work_on(document, has_helpers=True)
    if others_wait:
        assert (seen.status, seen.stage, seen.crashes) == ("processing", "queued", 0)
        assert house.extractor.read_here == [1, 2], "after five seconds"
    else:
        assert seen.status == "completed"


def test_a_helper_stops_after_a_page_when_documents_wait(house: House, scan: Document) -> None:
    house.broker.send_task("docmill.api.tasks.process_document", ("key", 1, "id"), NEW)
    assert help_with(scan.id), "there may be more"
    assert house.extractor.read_here == [2]


def test_a_helper_whose_worker_is_told_to_stop_reads_no_further_page(house: House, scan: Document) -> None:
    house.extractor.after_page = lambda number: house.tells_the_worker_to_stop()
    assert help_with(scan.id), "there may be more"
    assert house.extractor.read_here == [2]


def test_a_helper_reads_nothing_of_a_document_that_has_ended(house: House, scan: Document) -> None:
    lifecycle.mark_deleted(scan)
    assert not help_with(scan.id)
    assert house.extractor.read_here == []


def test_the_pages_of_a_document_that_has_ended_are_forgotten(house: House, scan: Document) -> None:
    assert ocr_fanout.forget_ended() == 0
    house.work_on(scan, has_helpers=True)
    assert ocr_fanout.forget_ended() == 6
    assert not ScannedPage.objects.exists()
