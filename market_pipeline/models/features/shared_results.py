"""Results that the fits of several months share, found by the content of what they were computed from."""

from collections.abc import Callable
from hashlib import blake2b
from threading import Lock
from typing import TypeVar, cast

import numpy as np

Result = TypeVar("Result")

MOST = 400
"""Results that are remembered; the oldest leave first. A month of all models adds about twenty."""


class SharedResults:
    """What functions returned, by a digest of all that they read; a result is the same wherever it comes from.

    Nobody may write to a result. Threads may ask at once: two that ask for the same result may both compute it. Another
    process starts without any.
    """

    def __init__(self) -> None:
        self._found: dict[bytes, object] = {}
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["SharedResults"], tuple[()]]:
        return SharedResults, ()

    def result(self, compute: Callable[[], Result], *read: np.ndarray | str) -> Result:
        """What `compute` returns, now or when it was computed before; `read` is all that it depends on."""
        key = _digest(read)
        with self._lock:
            if key in self._found:
                return cast("Result", self._found[key])
        found = compute()
        with self._lock:
            self._found[key] = found
            while len(self._found) > MOST:
                del self._found[next(iter(self._found))]
        return found


def _digest(parts: tuple[np.ndarray | str, ...]) -> bytes:
    """The same for equal types, shapes and bits only."""
    digest = blake2b()
    for part in parts:
        if isinstance(part, str):
            content, kind = part.encode(), "text"
        else:
            content, kind = np.ascontiguousarray(part).tobytes(), f"{part.dtype} {part.shape}"
        digest.update(f"{kind} {len(content)}\0".encode())
        digest.update(content)
    return digest.digest()
