"""The header fields of draft-ietf-httpapi-ratelimit-headers-10, the IETF's draft on rate limits."""

from docmill.documents.limits import Allowance, LimitReachedError


def rate_limit_headers(allowance: Allowance) -> dict[str, str]:
    """`RateLimit-Policy`: name, quota and window in seconds; `RateLimit`: what is left, and for how many seconds."""
    return {
        "RateLimit-Policy": f'"{allowance.name}";q={allowance.limit};w={allowance.window}',
        "RateLimit": f'"{allowance.name}";r={allowance.remaining};t={allowance.reset}',
    }


def limited_headers(error: LimitReachedError) -> dict[str, str]:
    """The headers of a 429."""
    return {"Retry-After": str(error.allowance.reset), **rate_limit_headers(error.allowance)}
