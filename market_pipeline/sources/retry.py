"""Requests to a vendor: a rate that all processes share, waits that grow, a circuit breaker.

Knows neither a vendor nor a bar: names, a function that asks for one, and which failures may pass.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from pybreaker import STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker
from pyrate_limiter import Limiter, Rate, SQLiteBucket
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from market_pipeline.errors import SourceError

Answer = TypeVar("Answer")
NEVER = 1e9
"""Seconds after which the breaker would try again by itself: this file decides when."""


class SharedRate:
    """At most one request every `interval` seconds by all processes that name the same file."""

    def __init__(self, path: Path, interval: float) -> None:
        self.path, self.interval = path, interval

    def __call__(self) -> None:
        """Wait for a turn. Raises SourceError when the file cannot be used."""
        if self.interval > 0:
            self._limiter.try_acquire("request")

    @cached_property
    def _limiter(self) -> Limiter:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            bucket = SQLiteBucket.init_from_file(
                [Rate(1, max(1, round(1000 * self.interval)))], db_path=str(self.path), use_file_lock=True
            )
            bucket.leak(time.time_ns() // 1_000_000)
        except (OSError, sqlite3.Error) as error:
            raise SourceError(
                f"{self.path}, through which processes share a vendor's rate, cannot be used: {error}. "
                "Delete it, or name another cache folder with XDG_CACHE_HOME."
            ) from error
        return Limiter(bucket)


@dataclass(frozen=True)
class RetryPolicy:
    """What happens after a failed request; all waits are in seconds.

    A failure that may pass is tried again, `attempts` times in all, after waits that double from `first_wait` up to
    `longest_wait`. When `opens_after` names in a row have failed so, nothing is asked for `first_pause`; then one name
    is tried once. While that fails, the pauses double up to `longest_pause`, `rounds` rounds in all. A name that fails
    alone is not waited for.
    """

    attempts: int = 5
    first_wait: float = 2.0
    longest_wait: float = 120.0
    opens_after: int = 3
    first_pause: float = 30.0
    longest_pause: float = 300.0
    rounds: int = 8
    sleep: Callable[[float], None] = time.sleep


class Requests(Generic[Answer]):
    """Asks for one name after the other and tries failures again; `before` is called ahead of every single request."""

    def __init__(
        self, policy: RetryPolicy, may_pass: Callable[[BaseException], bool], before: Callable[[], None] = lambda: None
    ) -> None:
        self.may_pass, self.before = may_pass, before
        self.trying = Retrying(
            retry=retry_if_exception(may_pass),
            stop=stop_after_attempt(policy.attempts),
            wait=wait_exponential(policy.first_wait, policy.longest_wait) + wait_random(0, policy.first_wait),
            sleep=policy.sleep,
            reraise=True,
        )
        self.rounds = Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(policy.rounds),
            wait=wait_exponential(policy.first_pause, policy.longest_pause) + wait_random(0, policy.first_pause),
            sleep=policy.sleep,
            retry_error_callback=_last_result,
        )
        self.breaker = CircuitBreaker(
            fail_max=policy.opens_after,
            reset_timeout=NEVER,
            exclude=[lambda error: not may_pass(error)],
            throw_new_error_on_trip=False,
        )

    def ask_all(self, names: Sequence[str], ask: Callable[[str], Answer]) -> dict[str, Answer | Exception]:
        """The answer for each name, or what went wrong; a name that was never asked has the last failure."""
        answers: dict[str, Answer | Exception] = {}
        self.rounds(self._round, names, ask, answers)
        failures = [answer for answer in answers.values() if isinstance(answer, Exception) and self.may_pass(answer)]
        return {name: answers[name] if name in answers else failures[-1] for name in names}

    def _round(
        self, names: Sequence[str], ask: Callable[[str], Answer], answers: dict[str, Answer | Exception]
    ) -> bool:
        """Ask for every name that is open, those never asked first; whether another round is worth its pause."""
        if self.breaker.current_state == STATE_OPEN:
            self.breaker.half_open()
        for name in sorted(names, key=lambda name: name in answers):
            if name in answers and not self._passing(answers[name]):
                continue
            try:
                answers[name] = self.breaker.call(self._one, ask, name)
            except Exception as error:  # noqa: BLE001  every failure of one name is its answer
                answers[name] = error
            if self.breaker.current_state == STATE_OPEN:
                return any(name not in answers for name in names) or all(map(self._passing, answers.values()))
        return False

    def _one(self, ask: Callable[[str], Answer], name: str) -> Answer:
        def once() -> Answer:
            self.before()
            return ask(name)

        return once() if self.breaker.current_state == STATE_HALF_OPEN else self.trying(once)

    def _passing(self, answer: Answer | Exception) -> bool:
        return isinstance(answer, Exception) and self.may_pass(answer)


def _last_result(state: RetryCallState) -> bool:
    return bool(state.outcome and state.outcome.result())
