"""What computes: independent pieces of work over one shared input. Knows no model and no market."""

from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Compute(Protocol):
    """A place where pieces of work run at once, each with one thread, so that its result has the same bits anywhere."""

    def each(
        self,
        work: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Sequence[Item],
        *,
        modules: Collection[str] = (),
    ) -> Generator[Result, None, None]:
        """The results of `work(shared, item)`, in the order of `items`.

        If one raises, its error is raised in place of its result, and what has not begun does not begin. `modules` are
        names of modules, or of packages, that only this process has: their code is sent with the work. Raises
        ComputeError where the work cannot be done at all.
        """
        ...

    def ready(self, start: Callable[[], None]) -> AbstractContextManager[None]:  # noqa: ARG002  it is near
        """A context in which work will be asked for: what is far away connects and calls `start` meanwhile.

        It changes no result, and a fault of it is none: `each` meets what hinders it itself.
        """
        return nullcontext()
