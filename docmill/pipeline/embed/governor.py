"""One limit of requests and tokens a minute for all workers of an installation, kept in Redis.

Each text of a call is a request to the quota. A caller reserves room before it calls and is told how long to wait;
reservations are served in the order they came. The account is a sliding window in slots of a second, so that a quiet
minute's quota may be spent at once and a busy one's in full. Why no library does this:
docs/decisions/0030-one-governor.md.
"""

import contextlib
import time
from typing import Protocol

import redis

_MARGIN = 0.95
_WINDOW_SECONDS = 62  # a minute, the slot's width, and a second that requests may differ in on their way
_LONGEST_PAUSE = 900.0

# KEYS: spent requests, spent tokens (hashes: second → amount), pause until.  ARGV: both limits, both costs, window.
# Returns the seconds until the reserved second begins, as text.
_RESERVE = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local window = tonumber(ARGV[5])
local start = math.max(math.floor(now), math.ceil(tonumber(redis.call('GET', KEYS[3]) or '0')))
local limits = {tonumber(ARGV[1]), tonumber(ARGV[2])}
local costs = {tonumber(ARGV[3]), tonumber(ARGV[4])}
for i = 1, 2 do
  local spent, gone, last = {}, {}, 0
  local entries = redis.call('HGETALL', KEYS[i])
  for j = 1, #entries, 2 do
    local second = tonumber(entries[j])
    if second <= math.floor(now) - window then
      gone[#gone + 1] = entries[j]
    else
      spent[second] = tonumber(entries[j + 1])
      last = math.max(last, second)
    end
  end
  if #gone > 0 then redis.call('HDEL', KEYS[i], unpack(gone)) end
  start = math.max(start, last)
  local sum = 0
  for second, amount in pairs(spent) do
    if second > start - window then sum = sum + amount end
  end
  while sum > 0 and sum + costs[i] > limits[i] do
    start = start + 1
    sum = sum - (spent[start - window] or 0)
  end
end
for i = 1, 2 do
  redis.call('HINCRBY', KEYS[i], start, costs[i])
  redis.call('EXPIRE', KEYS[i], 7200)
end
return tostring(math.max(start - now, 0))
"""


class Governor(Protocol):
    """Who says when the next request may go."""

    def reserve(self, texts: int, tokens: int) -> float:
        """Reserve a call of so many texts and tokens; the seconds to wait before it is made."""
        ...

    def spend(self, texts: int, tokens: int) -> float:
        """Count a call that does not queue (a search); the seconds that a pause still lasts."""
        ...

    def pause(self, seconds: float) -> None:
        """The service said that nobody may ask for so many seconds."""
        ...

    def paused(self) -> float:
        """The seconds that a pause still lasts, 0 when there is none."""
        ...


class RedisGovernor:
    """The governor that all workers on one Redis share under one `name`.

    Limits of 0 are none. While Redis does not answer nobody is held back: the service's own 429 still is obeyed.
    """

    def __init__(self, redis_url: str, name: str, requests_per_minute: int, tokens_per_minute: int) -> None:
        self._redis = redis.Redis.from_url(redis_url, socket_connect_timeout=2, socket_timeout=2)
        self._keys = [f"docmill:governor:{name}:{part}" for part in ("requests", "tokens", "pause")]
        self._limits = [
            max(int(limit * _MARGIN), 1) if limit else 10**12 for limit in (requests_per_minute, tokens_per_minute)
        ]
        self._script = self._redis.register_script(_RESERVE)
        self._paused_here_until = 0.0

    def reserve(self, texts: int, tokens: int) -> float:
        """The seconds until the reserved second; a call above the whole minute's limit counts as that limit."""
        costs = map(min, (texts, tokens), self._limits)
        arguments = [*self._limits, *costs, _WINDOW_SECONDS]
        try:
            return float(self._script(keys=self._keys, args=arguments))
        except redis.RedisError:
            return self.paused()

    def spend(self, texts: int, tokens: int) -> float:
        """Book a call in the present second, ahead of all that wait."""
        with contextlib.suppress(redis.RedisError):
            second = str(int(self._now()))
            for key, amount in zip(self._keys[:2], (texts, tokens), strict=True):
                self._redis.hincrby(key, second, amount)
                self._redis.expire(key, 7200)
        return self.paused()

    def pause(self, seconds: float) -> None:
        """Hold everybody back, at most a quarter of an hour; a longer pause stays."""
        seconds = min(seconds, _LONGEST_PAUSE)
        self._paused_here_until = max(self._paused_here_until, time.monotonic() + seconds)
        with contextlib.suppress(redis.RedisError):
            if self._paused_for_all() < seconds:
                self._redis.set(self._keys[2], f"{self._now() + seconds:.3f}", px=int(seconds * 1000) + 1)

    def paused(self) -> float:
        """What is left of the longest pause known here or to all."""
        for_all = 0.0
        with contextlib.suppress(redis.RedisError):
            for_all = self._paused_for_all()
        return max(self._paused_here_until - time.monotonic(), for_all, 0.0)

    def _paused_for_all(self) -> float:
        return max(int(self._redis.pttl(self._keys[2])), 0) / 1000

    def _now(self) -> float:
        seconds, microseconds = self._redis.time()
        return float(seconds) + float(microseconds) / 1e6


class NoGovernor:
    """No limit but what the service says to this process: for a library's use and for tests."""

    def __init__(self) -> None:
        self._until = 0.0

    def reserve(self, texts: int, tokens: int) -> float:
        return self.paused()

    def spend(self, texts: int, tokens: int) -> float:
        return self.paused()

    def pause(self, seconds: float) -> None:
        self._until = max(self._until, time.monotonic() + seconds)

    def paused(self) -> float:
        return max(self._until - time.monotonic(), 0.0)
