"""3,600 calls an hour per project, refilled by one a second, as the RateLimit-* headers tell. Kept in memory."""

from .errors import ApiError

PER_HOUR = 3600


class RateLimit:
    def __init__(self, per_hour: int = PER_HOUR) -> None:
        self._size = per_hour
        self._buckets: dict[str, tuple[float, float]] = {}  # project -> (calls left, when that was true)

    def take(self, project: str, now: float) -> dict[str, str]:
        """Use one call; the headers for the answer. Raises rate_limit_exceeded."""
        left, before = self._buckets.get(project, (float(self._size), now))
        left = min(self._size, left + (now - before) * self._size / PER_HOUR) - 1
        self._buckets[project] = (max(left, 0.0), now)
        if left < 0:
            raise ApiError(429, "rate_limit_exceeded", f"limit of {self._size} requests per hour reached")
        return self.headers(project, now)

    def headers(self, project: str, now: float) -> dict[str, str]:
        left = self._buckets.get(project, (float(self._size), now))[0]
        full = int(now + (self._size - left) * PER_HOUR / self._size)
        return {
            "RateLimit-Limit": str(self._size),
            "RateLimit-Remaining": str(int(left)),
            "RateLimit-Reset": str(full),
        }

    def clear(self) -> None:
        self._buckets.clear()
