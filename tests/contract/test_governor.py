"""One limit for all workers: processes that share a Redis never ask for more than the minute's quota."""

import subprocess
import sys
import time
import uuid

import pytest
import redis

from docmill.pipeline.embed.gemini import GeminiEmbedder
from docmill.pipeline.embed.governor import RedisGovernor
from tests.contract.gemini_server import GeminiServer
from tests.contract.wire import Fault


def governor(redis_url: str, requests: int = 0, tokens: int = 0, name: str = "") -> RedisGovernor:
    return RedisGovernor(redis_url, name or uuid.uuid4().hex, requests, tokens)


def test_a_quiet_minutes_quota_may_be_spent_at_once(redis_url: str) -> None:
    one = governor(redis_url, requests=100)
    assert [one.reserve(1, 1) for _ in range(95)] == [0.0] * 95


def test_what_exceeds_the_quota_waits_for_the_next_minute(redis_url: str) -> None:
    one = governor(redis_url, requests=100)
    waits, due = [], []
    for _ in range(285):
        waits.append(one.reserve(1, 1))
        due.append(round(time.time() + waits[-1]) if waits[-1] else 0)
    assert due == sorted(due), "first come, first served"
    assert waits[94] == 0.0
    assert 60 < waits[95] <= 63
    assert 120 < waits[190] <= 125


def test_tokens_are_counted_as_requests_are(redis_url: str) -> None:
    one = governor(redis_url, requests=1000, tokens=1000)
    assert [one.reserve(1, 475), one.reserve(1, 475)] == [0.0, 0.0]
    assert 60 < one.reserve(1, 1) <= 63


def test_each_text_of_a_call_is_a_request(redis_url: str) -> None:
    one = governor(redis_url, requests=100)
    assert [one.reserve(50, 1), one.reserve(45, 1)] == [0.0, 0.0]
    assert 60 < one.reserve(1, 1) <= 63


def test_the_smallest_quota_is_a_quota(redis_url: str) -> None:
    one = governor(redis_url, requests=1)
    assert one.reserve(1, 1) == 0.0
    assert 60 < one.reserve(1, 1) <= 63


def test_a_request_above_the_whole_quota_goes_alone_instead_of_never(redis_url: str) -> None:
    one = governor(redis_url, tokens=1000)
    assert one.reserve(1, 5000) == 0.0
    assert 60 < one.reserve(1, 5000) <= 63


def test_reservations_of_several_processes_are_one_account(redis_url: str) -> None:
    name = uuid.uuid4().hex
    program = (
        "import sys; from docmill.pipeline.embed.governor import RedisGovernor;"
        f"g = RedisGovernor({redis_url!r}, {name!r}, 200, 0);"
        "print(sum(g.reserve(1, 1) == 0 for _ in range(60)))"
    )
    children = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(4)]
    assert sum(int(child.communicate()[0]) for child in children) == 190


def test_a_pause_holds_everybody_back_and_only_grows(redis_url: str) -> None:
    name = uuid.uuid4().hex
    one, other = governor(redis_url, name=name), governor(redis_url, name=name)
    one.pause(30)
    one.pause(5)
    assert 29 < other.paused() <= 30
    assert 29 < other.reserve(1, 1) <= 31


def test_a_search_is_counted_but_does_not_queue(redis_url: str) -> None:
    one = governor(redis_url, requests=100)
    for _ in range(150):
        one.reserve(1, 1)
    assert one.spend(1, 1) == 0.0
    one.pause(20)
    assert one.spend(1, 1) > 19


def test_without_redis_nobody_is_held_back_but_by_the_service() -> None:
    one = governor("redis://127.0.0.1:1")
    assert one.reserve(1, 10**9) == 0.0
    one.pause(20)
    assert one.reserve(1, 1) > 19


def test_the_account_leaves_nothing_behind_for_ever(redis_url: str) -> None:
    one = governor(redis_url, requests=10, name="forgotten")
    one.reserve(1, 1)
    one.spend(1, 1)
    one.pause(1)
    server = redis.Redis.from_url(redis_url)
    keys = server.keys("docmill:governor:forgotten:*")
    assert len(keys) == 3
    assert all(0 < server.ttl(key) <= 7200 for key in keys)


@pytest.mark.parametrize("quota", [{"requests_per_minute": 40}, {"tokens_per_minute": 4000}])
def test_workers_under_one_governor_are_never_refused_by_the_service(redis_url: str, quota: dict[str, int]) -> None:
    """Four embedders ask for far more than a minute's quota; the strict server refuses none of what they send."""
    limits = {"requests_per_minute": 0, "tokens_per_minute": 0} | quota
    text = "four word text here " * 10

    class Waited(Exception):  # noqa: N818
        pass

    def stop(seconds: float) -> None:
        raise Waited

    with GeminiServer(
        requests_per_minute=limits["requests_per_minute"], tokens_per_minute=limits["tokens_per_minute"]
    ) as server:
        name, sent = uuid.uuid4().hex, 0
        models = [
            GeminiEmbedder(server.key, base_url=server.url, governor=RedisGovernor(redis_url, name, **limits))
            for _ in range(4)
        ]
        for number in range(100):
            try:
                models[number % 4].embed_passages([text, f"{text} {number}"], "t", stop)
            except Waited:
                break
            sent += 2
        assert server.refused_by_quota == 0
        assert sent >= 34, "and most of the quota is used"


def test_one_workers_429_pauses_the_others(redis_url: str) -> None:
    name = uuid.uuid4().hex
    with GeminiServer() as server:
        one, other = (
            GeminiEmbedder(server.key, base_url=server.url, governor=governor(redis_url, name=name)) for _ in range(2)
        )
        server.faults.add(Fault(status=429, retry_after=1.5))
        began = time.monotonic()
        one.embed_passages(["a"], "t")
        assert time.monotonic() - began >= 1.5
        server.faults.add(Fault(status=429, retry_after=30))
        waits: list[float] = []

        def note(seconds: float) -> None:
            waits.append(seconds)
            raise TimeoutError

        for model in (one, other):
            with pytest.raises(TimeoutError):
                model.embed_passages(["a"], "t", note)
        assert all(28 < seconds <= 31 for seconds in waits)
