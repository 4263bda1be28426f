"""What a key, an address and a tenant may do in a minute and in a day, counted in Redis.

The library `limits` counts. While Redis is away nothing is counted: reads go on, and uploads are refused unless the
setting UPLOADS_WITHOUT_LIMITS says otherwise.
"""

import time
from dataclasses import dataclass
from functools import cache

import structlog
from django.conf import settings
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, RateLimiter, SlidingWindowCounterRateLimiter

from docmill.pipeline.errors import TransientError

log = structlog.get_logger("docmill.limits")

_REDIS_SECONDS = 1.0
_LOOK_AGAIN_AFTER = 2.0
"""Seconds for which a Redis that did not answer is not asked: a request must not wait for each of its limits."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """A limit and how much of it is left; `reset` is in how many seconds it is whole again."""

    name: str
    limit: int
    window: int
    remaining: int
    reset: int


class LimitReachedError(TransientError):
    """More than is allowed; `allowance.reset` says when to come again."""

    def __init__(self, allowance: Allowance, message: str) -> None:
        super().__init__("too_many_requests", message)
        self.allowance = allowance


class _Away(Exception):  # noqa: N818
    """Redis does not answer."""


_away_until = 0.0


@cache
def _storage() -> RedisStorage:
    return RedisStorage(
        settings.RESULTS_URL,
        key_prefix="docmill-limits",
        wrap_exceptions=True,
        socket_connect_timeout=_REDIS_SECONDS,
        socket_timeout=_REDIS_SECONDS,
    )


@cache
def _by_minute() -> RateLimiter:
    return SlidingWindowCounterRateLimiter(_storage())


@cache
def _by_day() -> RateLimiter:
    return FixedWindowRateLimiter(_storage())


def count_request(scope: str, who: str, per_minute: int) -> Allowance | None:
    """Count one request of a `key` or an `address`; None where nothing is limited or counted now. Raises
    LimitReachedError."""
    if not per_minute:
        return None
    item = RateLimitItemPerMinute(per_minute)
    try:
        within, allowance = _hit(_by_minute(), item, scope, who)
    except _Away:
        return None
    if not within:
        raise LimitReachedError(allowance, f"This {scope} may send {per_minute} requests a minute.")
    return allowance


def count_wrong_key(address: str) -> None:
    """Count a key that is none. Raises LimitReachedError for an address that tries too many."""
    per_minute = settings.LIMIT_WRONG_KEYS_PER_MINUTE
    if not per_minute:
        return
    try:
        within, allowance = _hit(_by_minute(), RateLimitItemPerMinute(per_minute), "wrong-key", address)
    except _Away:
        return
    if not within:
        raise LimitReachedError(allowance, "Too many wrong API keys came from this address.")


def check_quota(tenant: int, size_bytes: int) -> None:
    """Whether the tenant may bring in one more document of this size today. Raises LimitReachedError; TransientError
    `unavailable` when that cannot be told."""
    wanted = {"documents": 1, "bytes": size_bytes, "pages": 1, "tokens": 1}
    try:
        for what, amount in wanted.items():
            item = _daily(what)
            if item is None:
                continue
            _ask_again_later()
            limiter = _by_day()
            if not limiter.test(item, "day", what, str(tenant), cost=amount):
                allowance = _allowance(limiter, item, what, "day", what, str(tenant))
                raise LimitReachedError(allowance, _sentence(what, item))
    except (StorageError, _Away) as error:
        _note_away(error)
        if not settings.UPLOADS_WITHOUT_LIMITS:
            raise TransientError("unavailable", "Uploads cannot be counted now; try again shortly.") from error


def spend(tenant: int, **amounts: int) -> None:
    """Count what a tenant has used today: `documents`, `bytes`, `pages`, `tokens`. Nothing is refused here."""
    try:
        for what, amount in amounts.items():
            item = _daily(what)
            if item is not None and amount > 0:
                _ask_again_later()
                _by_day().hit(item, "day", what, str(tenant), cost=amount)
    except (StorageError, _Away) as error:
        _note_away(error)


def _daily(what: str) -> RateLimitItem | None:
    limit: int = getattr(settings, f"LIMIT_{what.upper()}_PER_DAY")
    return RateLimitItemPerDay(limit) if limit else None


def _sentence(what: str, item: RateLimitItem) -> str:
    return f"A tenant may bring in {item.amount} {what} a day; this document would be more."


def _hit(limiter: RateLimiter, item: RateLimitItem, *who: str) -> tuple[bool, Allowance]:
    _ask_again_later()
    try:
        within = limiter.hit(item, *who)
        return within, _allowance(limiter, item, who[0], *who)
    except StorageError as error:
        _note_away(error)
        raise _Away from error


def _allowance(limiter: RateLimiter, item: RateLimitItem, name: str, *who: str) -> Allowance:
    left = limiter.get_window_stats(item, *who)
    reset = max(1, round(left.reset_time - time.time()))
    return Allowance(name, item.amount, item.get_expiry(), max(0, left.remaining), reset)


def _ask_again_later() -> None:
    if time.monotonic() < _away_until:
        raise _Away


def _note_away(error: Exception) -> None:
    global _away_until
    if not isinstance(error, _Away):
        _away_until = time.monotonic() + _LOOK_AGAIN_AFTER
        log.warning("limits_not_counted", error=str(error))
