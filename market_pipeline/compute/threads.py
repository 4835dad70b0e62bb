"""Work in threads of this process, which share its memory."""

from collections import deque
from collections.abc import Callable, Collection, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from market_pipeline.compute.protocol import Compute, Item, Result, Shared
from market_pipeline.compute.sending import with_one_thread

AT_ONCE = 4
"""Pieces at once, however many cores there are: with thousands of symbols each fit takes about 1 GB of memory."""


@dataclass(frozen=True)
class Threads(Compute):
    """As many threads as there are cores, at most AT_ONCE."""

    def each(
        self,
        work: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Sequence[Item],
        *,
        modules: Collection[str] = (),  # noqa: ARG002  this process has them
    ) -> Generator[Result, None, None]:
        """The results in the order of `items`, as Compute.each."""
        from joblib import cpu_count

        # In another order of summation the last digits would differ.
        with threadpool_limits(1), ThreadPoolExecutor(min(cpu_count(), AT_ONCE)) as pool:
            begun = deque(pool.submit(work, shared, item) for item in items)
            try:
                while begun:
                    yield begun.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)


THREADS = Threads()


@dataclass(frozen=True)
class OneByOne(Compute):
    """One piece after the other, as their results are taken."""

    def each(
        self,
        work: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Sequence[Item],
        *,
        modules: Collection[str] = (),  # noqa: ARG002  this process has them
    ) -> Generator[Result, None, None]:
        """The results in the order of `items`, as Compute.each."""
        for item in items:
            yield with_one_thread(work, shared, item)
