"""The Gemini embedder through the official SDK against a server that refuses what the service refuses."""

import json
import threading
import time
from typing import Any

import numpy as np
import pytest

from docmill.pipeline.embed.gemini import MAX_REQUEST_BYTES, GeminiEmbedder
from docmill.pipeline.embed.gemma_tokens import likely_tokens
from docmill.pipeline.errors import DocmillError, PermanentError, TransientError
from tests.contract.gemini_server import MODEL, GeminiServer
from tests.contract.wire import Fault

TEXTS = ["Ferries wait for the last train.", "Dams were washed out by the storm.", "Ropes are checked in May."]


def embedder(server: GeminiServer, **options: object) -> GeminiEmbedder:
    values = {"api_key": server.key, "base_url": server.url} | options
    return GeminiEmbedder(**values)  # type: ignore[arg-type]


def failure(server: GeminiServer, **options: object) -> DocmillError:
    with pytest.raises(DocmillError) as caught:
        embedder(server, **options).embed_passages(TEXTS, "handbook.pdf")
    return caught.value


@pytest.mark.parametrize("dimension", [768, 1536, 3072])
def test_vectors_have_the_dimension_asked_for_and_unit_length(gemini: GeminiServer, dimension: int) -> None:
    model = embedder(gemini, dimension=dimension)
    vectors = np.vstack([model.embed_passages(TEXTS, "handbook.pdf"), model.embed_query("when do ferries wait?")])
    assert vectors.shape == (4, dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.argmax(vectors[:3] @ vectors[3]) == 0


def test_passages_carry_the_title_and_their_task_and_queries_theirs(gemini: GeminiServer) -> None:
    model = embedder(gemini)
    model.embed_passages(TEXTS, "handbook.pdf")
    model.embed_query("ropes")
    assert gemini.tasks == ["RETRIEVAL_DOCUMENT"] * 3 + ["RETRIEVAL_QUERY"]
    assert gemini.titles == ["handbook.pdf"] * 3 + [""]
    assert gemini.texts == [*TEXTS, "ropes"]


def test_another_dimension_is_refused_at_once_with_those_there_are() -> None:
    with pytest.raises(PermanentError, match=r"768, 1536, 3072"):
        GeminiEmbedder("key", dimension=512)


def test_a_hundred_texts_are_one_request_and_more_are_several(gemini: GeminiServer) -> None:
    texts = [f"passage {number}" for number in range(250)]
    vectors = embedder(gemini).embed_passages(texts, "t")
    assert gemini.calls[f"POST /v1/models/{MODEL}:batchEmbedContents"] == 3
    assert gemini.texts == texts
    assert vectors.shape == (250, 768)
    np.testing.assert_array_equal(vectors[249], embedder(gemini).embed_passages(texts[249:], "t")[0])


def test_a_request_stays_below_four_mebibytes_however_json_writes_the_texts(gemini: GeminiServer) -> None:
    class Careless(GeminiEmbedder):
        max_tokens = 100_000

    texts = ["\u00e9" * 40_000] * 50  # two bytes each, six as JSON has them
    requests = list(Careless(gemini.key, tokens_per_request=10**9)._requests(texts))
    assert sum(map(len, requests)) == 50
    assert all(len(json.dumps(request)) < MAX_REQUEST_BYTES for request in requests)
    assert len(requests) == 3


@pytest.mark.parametrize("text", ["😀", "a", "9", "漢", "é", "\u0f40", "\U0002a6d6"])
def test_a_text_of_as_many_tokens_as_are_counted_is_never_too_long(gemini: GeminiServer, text: str) -> None:
    model = embedder(gemini)
    longest = text
    while model.count_tokens([longest + text])[0] <= model.max_tokens:
        longest += text
    assert model.embed_passages([longest], "t" * 250).shape == (1, 768)
    assert gemini.texts == [longest]


def test_a_text_beyond_the_limit_is_cut_between_characters_and_embedded(gemini: GeminiServer) -> None:
    assert embedder(gemini).embed_passages(["漢😀" * 3000], "t").shape == (1, 768)
    assert set(gemini.texts[0]) == {"漢", "😀"}


def test_where_the_service_counts_more_than_the_estimate_the_texts_are_cut_to_what_is_certain(
    gemini: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("docmill.pipeline.embed.gemini.likely_tokens", lambda text: 1)
    assert embedder(gemini).embed_passages(["brief", "9" * 5000], "t" * 300).shape == (2, 768)
    assert [len(text) for text in gemini.texts] == [5, 1928]
    assert sum(gemini.calls.values()) == 2


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("The harbour office opens at seven, and the last boat leaves when the evening train has come in. ", 3.2, 4.2),
        ("Die Hafenbehörde öffnet um sieben Uhr, und das letzte Boot wartet auf den Abendzug aus Bremen. ", 3.0, 4.1),
        ("Le bureau du port ouvre à sept heures et le dernier bateau attend le train du soir. ", 3.0, 3.9),
        ("for index in range(10):\n    total += values[index] * factor\n", 1.8, 3.9),
        ("港务局七点开门，末班船等待晚间列车。", 0.9, 1.3),
        ("港湾事務所は七時に開き、最終便は夜の列車を待ちます。", 0.9, 1.7),
        ("0123456789", 0.9, 1.0),
    ],
)
def test_the_estimate_leans_to_the_high_side_of_what_gemma_takes(text: str, least: float, most: float) -> None:
    """Characters a token; the upper bounds are Gemma's averages for these languages."""
    assert least <= len(text) * 20 / likely_tokens(text * 20) <= most


def test_requests_stay_below_the_tokens_of_a_request(gemini: GeminiServer) -> None:
    texts = ["four words of text " * 20] * 10
    embedder(gemini, tokens_per_request=3 * likely_tokens(texts[0])).embed_passages(texts, "t")
    assert sum(gemini.calls.values()) == 4


def test_a_small_quota_makes_small_calls(gemini: GeminiServer) -> None:
    model = embedder(gemini, batch_size=2)
    assert model.embed_passages(TEXTS, "t").shape == (3, 768)
    assert (model.batch_size, sum(gemini.calls.values())) == (2, 2)


def test_a_wrong_key_is_permanent_and_names_the_setting(gemini: GeminiServer) -> None:
    error = failure(gemini, api_key="wrong")
    assert (type(error), error.code) == (PermanentError, "embedder_auth")
    assert "GEMINI_API_KEY" in error.message
    assert "wrong" not in error.message
    assert sum(gemini.calls.values()) == 1


def test_a_missing_key_is_named_before_anything_is_sent(gemini: GeminiServer) -> None:
    error = failure(gemini, api_key="")
    assert (error.code, sum(gemini.calls.values())) == ("embedder_auth", 0)
    assert "GEMINI_API_KEY is not set" in error.message


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_without_permission_is_permanent(gemini: GeminiServer, status: int) -> None:
    gemini.faults.add(Fault(status=status))
    error = failure(gemini)
    assert (type(error), error.code) == (PermanentError, "embedder_auth")


def test_a_429_waits_as_long_as_it_is_told_and_uses_no_retry(gemini: GeminiServer) -> None:
    gemini.faults.add(Fault(status=429, retry_after=0.75, times=2))
    began = time.monotonic()
    assert embedder(gemini).embed_passages(TEXTS, "t").shape == (3, 768)
    assert time.monotonic() - began >= 1.5
    assert sum(gemini.calls.values()) == 3


@pytest.mark.parametrize(("told", "seconds"), [(7.5, 7.5), (None, 10)])
def test_a_429_names_the_time_to_wait_or_it_is_ten_seconds(
    gemini: GeminiServer, told: float | None, seconds: float
) -> None:
    gemini.faults.add(Fault(status=429, retry_after=told))

    def give_up(asked: float) -> None:
        assert asked == pytest.approx(seconds, abs=0.2)
        raise TimeoutError

    with pytest.raises(TimeoutError):
        embedder(gemini).embed_passages(TEXTS, "t", give_up)


def test_waiting_ends_when_the_waiter_says_so(gemini: GeminiServer) -> None:
    gemini.faults.add(Fault(status=429, retry_after=3600, times=None))

    def give_up(seconds: float) -> None:
        raise KeyError("deleted")

    with pytest.raises(KeyError):
        embedder(gemini).embed_passages(TEXTS, "t", give_up)


def test_a_throttled_query_says_so_within_seconds(gemini: GeminiServer) -> None:
    gemini.faults.add(Fault(status=429, retry_after=40, times=None))
    with pytest.raises(TransientError, match="search again") as caught:
        embedder(gemini).embed_query("ropes")
    assert caught.value.code == "embedder_quota"


def test_a_quota_spent_for_the_day_is_permanent_and_says_when_it_is_renewed(gemini: GeminiServer) -> None:
    gemini.faults.add(Fault(status=429, retry_after=3, quota="EmbedContentRequestsPerDayPerProjectPerModel-FreeTier"))
    error = failure(gemini)
    assert (type(error), error.code) == (PermanentError, "embedder_quota")
    assert "quota for the day is spent" in error.message and "midnight Pacific" in error.message
    assert sum(gemini.calls.values()) == 1


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=503), Fault(cut=True)])
def test_short_trouble_is_got_over_within_the_call(gemini: GeminiServer, fault: Fault) -> None:
    gemini.faults.add(fault)
    assert embedder(gemini).embed_passages(TEXTS, "t").shape == (3, 768)
    assert sum(gemini.calls.values()) == 2


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"cut": True}])
def test_lasting_trouble_is_the_documents_to_retry(gemini: GeminiServer, fault: dict[str, Any]) -> None:
    gemini.faults.add(Fault(**fault, times=None))
    error = failure(gemini)
    assert (type(error), error.code) == (TransientError, "embedder_unavailable")


def test_a_search_does_not_wait_for_a_service_that_hangs(gemini: GeminiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docmill.pipeline.embed.gemini._QUERY_SECONDS", 1)
    gemini.faults.add(Fault(seconds=4, times=None))
    with pytest.raises(TransientError) as caught:
        embedder(gemini).embed_query("ropes")
    assert caught.value.code == "embedder_unavailable"


def test_a_slow_answer_is_waited_for(gemini: GeminiServer) -> None:
    gemini.faults.add(Fault(seconds=1.0))
    assert embedder(gemini).embed_passages(TEXTS, "t").shape == (3, 768)


def test_nobody_listening_is_the_documents_to_retry(gemini: GeminiServer) -> None:
    gemini.stop()
    error = failure(gemini)
    assert (type(error), error.code) == (TransientError, "embedder_unavailable")


def test_fewer_vectors_than_texts_are_refused(gemini: GeminiServer) -> None:
    gemini.texts_short = 1
    error = failure(gemini)
    assert (type(error), error.code, error.message) == (
        PermanentError,
        "embedder_rejected",
        "Gemini sent 2 vectors for 3 texts.",
    )


def test_several_calls_share_one_client(gemini: GeminiServer) -> None:
    model, vectors = embedder(gemini), {}

    def embed(number: int) -> None:
        vectors[number] = model.embed_passages([f"text {number}"], "t")

    threads = [threading.Thread(target=embed, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        np.testing.assert_array_equal(vectors[number], embedder(gemini).embed_passages([f"text {number}"], "t"))
