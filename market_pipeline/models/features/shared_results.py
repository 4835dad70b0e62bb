"""Results that the fits of several months share, found by the content of what they were computed from."""

from collections.abc import Callable
from concurrent.futures import Future
from hashlib import blake2b
from threading import Lock
from typing import TypeVar, cast

import numpy as np

Result = TypeVar("Result")

MOST = 400
"""Results that are remembered; the oldest leave first. A month of all models adds about twenty."""


class SharedResults:
    """What functions returned, by a digest of all that they read; a result is the same wherever it comes from.

    Nobody may write to a result. Of threads that ask for the same result at once, one computes it and the others wait.
    Another process starts without any.
    """

    def __init__(self) -> None:
        self._found: dict[bytes, Future[object]] = {}
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["SharedResults"], tuple[()]]:
        return SharedResults, ()

    def result(self, compute: Callable[[], Result], *read: np.ndarray | str) -> Result:
        """What `compute` returns, now or when it was computed before; `read` is all that it depends on.

        An error that it raises is raised for all who wait, and forgotten.
        """
        key, own = _digest(read), Future[object]()
        with self._lock:
            found = self._found.setdefault(key, own)
            while len(self._found) > MOST:
                del self._found[next(iter(self._found))]
        if found is own:
            try:
                own.set_result(compute())
            except BaseException as error:
                own.set_exception(error)
                with self._lock:
                    self._found.pop(key, None)
                raise
        return cast("Result", found.result())


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
