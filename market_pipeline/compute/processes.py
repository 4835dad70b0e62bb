"""Work in processes of this host: much of it is Python in small markets, and of threads one runs Python at a time."""

import itertools
import os
import pickle
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from market_pipeline.compute.protocol import Compute, Item, Result, Shared
from market_pipeline.compute.sending import sendable, sent_by_value, with_one_thread
from market_pipeline.compute.threads import AT_ONCE, THREADS, OneByOne
from market_pipeline.errors import ComputeError

WATCH = 1.0
"""Seconds between two looks of a process at the one that started it."""

ONE_CORE = {"LOKY_MAX_CPU_COUNT": "1"}
"""For each process: its work starts no further threads."""

PICKLER = "cloudpickle"


@dataclass(frozen=True)
class Processes(Compute):
    """As many processes as there are cores, at most AT_ONCE, where there are enough pieces.

    A process reads what is shared once, from a file that all of them map into memory. What it then keeps in it, such as
    results that later pieces need again, stays its own.
    """

    enough: int
    """Pieces from which on processes pay: each of them imports for three seconds what computes."""
    ahead: int
    """Results of a process that may wait until they are taken."""
    otherwise: Compute
    """Where fewer pieces are done, and where there is one core."""

    def each(
        self,
        work: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Sequence[Item],
        *,
        modules: Collection[str] = (),
    ) -> Generator[Result, None, None]:
        """The results in the order of `items`, as Compute.each."""
        import joblib
        from joblib.externals.loky import ProcessPoolExecutor

        jobs = min(joblib.cpu_count(), AT_ONCE)
        if jobs == 1 or len(items) < self.enough:
            yield from self.otherwise.each(work, shared, items, modules=modules)
            return
        with _shared(shared) as file, sent_by_value(modules, PICKLER):
            pool = ProcessPoolExecutor(jobs, env=ONE_CORE, initializer=belong_to, initargs=(os.getpid(),))
            sent = ((item, sendable(item, PICKLER)) for item in items)
            begun = ((item, content and pool.submit(_done, file, work, content)) for item, content in sent)
            waiting = deque(itertools.islice(begun, jobs * (1 + self.ahead)))
            try:
                while waiting:
                    item, future = waiting.popleft()
                    yield _result(future) if future else with_one_thread(work, shared, item)
                    waiting.extend(itertools.islice(begun, 1))
            finally:
                pool.shutdown(kill_workers=True)


FITS = Processes(enough=100, ahead=20, otherwise=THREADS)
"""For fits, which are small and of very different lengths."""

MONTHS = Processes(enough=12, ahead=1, otherwise=OneByOne())
"""For the rows of months, which are large."""


@contextmanager
def _shared(shared: object) -> Iterator[Path]:
    """A file of what is shared; it is removed at the end, if this process is killed by loky's resource tracker."""
    import joblib
    from joblib.externals.loky.backend import resource_tracker

    with tempfile.TemporaryDirectory(prefix="market-pipeline-", ignore_cleanup_errors=True) as folder:
        resource_tracker.register(folder, "folder")
        try:
            try:
                joblib.dump(shared, Path(folder, "shared"))
            except OSError as error:
                raise ComputeError(
                    f"What processes share could not be written to {folder}: {error}. Free space there, or name "
                    "another folder in TMPDIR, then run it again."
                ) from error
            yield Path(folder, "shared")
        finally:
            resource_tracker.unregister(folder, "folder")


def _result(future: Future[Result]) -> Result:
    """What a process returned; what it raised, without the text of its traceback."""
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        return future.result()
    except BrokenProcessPool as error:
        raise ComputeError(
            f"A process that computed was ended from outside: {' '.join(str(error).split())[:300]}. Mostly the system "
            "does that where memory is short. Free some, then run it again; what was stored is whole."
        ) from error
    except Exception as error:
        raise error from None


def belong_to(parent: int) -> None:
    """At the start of a process: Ctrl-C is for the one that started it, and it ends with that one."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()


@lru_cache(1)
def _read(file: Path) -> Any:
    import joblib

    return joblib.load(file, mmap_mode="r")


def _done(file: Path, work: Callable[[Shared, Item], Result], item: bytes) -> Result:
    return with_one_thread(work, _read(file), pickle.loads(item))  # noqa: S301  written by the process that waits
