"""What another process needs of a piece of work: the item, code that only this process has, and one thread."""

import importlib
import logging
import socket
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager

from threadpoolctl import threadpool_limits

import market_pipeline.config.process  # noqa: F401  other processes import this before what they compute with
from market_pipeline.compute.protocol import Item, Result, Shared

LOG = logging.getLogger(__name__)


def sendable(item: object, pickler: str) -> bytes | None:
    """An item as bytes for other processes; None for one that cannot be sent, on which the work is done here.

    A plugin may hold what exists in one process only, such as a lock or an open file. `pickler` names the module that
    sends.
    """
    try:
        sent: bytes = importlib.import_module(pickler).dumps(item)
    except Exception as error:  # noqa: BLE001  whatever an object's own __reduce__ raises
        here, reason = socket.gethostname(), f"{type(error).__name__}: {error}"
        LOG.warning(
            "A piece of work cannot be sent to other processes, and is done in one of %s: %s. To spread it, let the "
            "model hold no lock, connection or open file.", here, reason,
        )  # fmt: skip
        return None
    return sent


def with_one_thread(work: Callable[[Shared, Item], Result], shared: Shared, item: Item) -> Result:
    """The result of a piece of work: in another order of summation the last digits would differ."""
    with threadpool_limits(1):
        return work(shared, item)


@contextmanager
def sent_by_value(modules: Collection[str], pickler: str) -> Iterator[None]:
    """Send what these modules define as code, not as a name that only this process can import."""
    sending = importlib.import_module(pickler)
    with ExitStack() as registered:
        for name in modules:
            sending.register_pickle_by_value(sys.modules[name])
            registered.callback(sending.unregister_pickle_by_value, sys.modules[name])
        yield
