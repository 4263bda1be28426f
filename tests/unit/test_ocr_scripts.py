"""Letters that the models do not know are noticed, and nothing that was made of them is believed."""

import numpy as np
import pytest

from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.ocr import scripts
from docmill.pipeline.extract.ocr.engine import OcrReading

BLANK = np.full((200, 300, 3), 255, np.uint8)


def reading(confidence: float, coverage: float) -> OcrReading:
    return OcrReading([Segment("oa", 0, 0, 90, 20, 16, ocr=True)], 0, "rapidocr", confidence, 5, 20.0, coverage)


@pytest.mark.parametrize(("confidence", "coverage"), [(0.99, 2.1), (0.95, 0.8)], ids=["Latin print", "Chinese print"])
def test_print_that_the_models_know_is_believed(confidence: float, coverage: float) -> None:
    assert not scripts.is_doubtful(reading(confidence, coverage))


@pytest.mark.parametrize(
    ("confidence", "coverage"), [(0.91, 0.0), (0.99, 0.03), (0.67, 2.1)], ids=["Russian", "Thai", "Hindi"]
)
def test_what_is_made_of_unknown_letters_is_dropped(
    monkeypatch: pytest.MonkeyPatch, confidence: float, coverage: float
) -> None:
    monkeypatch.setattr(scripts, "installed_languages", frozenset)
    doubtful = reading(confidence, coverage)
    assert scripts.is_doubtful(doubtful)
    found = scripts.read_other_script(BLANK, doubtful)
    assert found.unknown_script and not found.segments


def test_a_poor_copy_is_kept_where_no_other_engine_is_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "installed_languages", frozenset)
    poor = reading(0.82, 1.4)
    assert scripts.is_doubtful(poor) and scripts.read_other_script(BLANK, poor) is poor
