"""How requests to a vendor are made: repeated after growing waits.

Knows neither a vendor nor a bar: names, a function that requests one, and which failures are transient.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class RetryPolicy:
    """When a failed request is repeated; all waits are in seconds.

    A transient failure is repeated, `attempts` requests in all, after waits that double from `first_wait` up to
    `longest_wait`. When `refused_after` names in a row have failed so, the vendor refuses all: nothing is requested for
    `first_pause`, then one name once. While that fails, the pauses double up to `longest_pause`, `rounds` rounds in
    all. No pause is made for names that fail while others are answered.
    """

    attempts: int = 5
    first_wait: float = 2.0
    longest_wait: float = 120.0
    refused_after: int = 3
    first_pause: float = 30.0
    longest_pause: float = 300.0
    rounds: int = 8
    sleep: Callable[[float], None] = time.sleep

    def request_all(
        self, names: Sequence[str], request: Callable[[str], Answer], is_transient: Callable[[BaseException], bool]
    ) -> dict[str, Answer | Exception]:
        """The answer for each name, or what went wrong; a name that was never requested has the last failure."""
        answers = dict[str, Answer | Exception]()

        def has_failed(name: str) -> bool:
            answer = answers[name]
            return isinstance(answer, Exception) and is_transient(answer)

        def request_open() -> bool:
            """Request names never requested, then those that failed; True if the vendor refuses all of them."""
            first_after_pause, failed = bool(answers), 0
            for name in sorted(names, key=answers.__contains__):
                if name in answers and not has_failed(name):
                    continue
                answers[name] = self._request(name, request, is_transient, 1 if first_after_pause else self.attempts)
                failed = failed + 1 if has_failed(name) else 0
                if failed == (1 if first_after_pause else self.refused_after):
                    return len(answers) < len(names) or all(map(has_failed, answers))
                first_after_pause = False
            return False

        Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(self.rounds),
            wait=wait_exponential(self.first_pause, self.longest_pause) + wait_random(0, self.first_pause),
            sleep=self.sleep,
            retry_error_callback=_last_result,
        )(request_open)
        failures = [answers[name] for name in answers if has_failed(name)]
        return {name: answers[name] if name in answers else failures[-1] for name in names}

    def _request(
        self,
        name: str,
        request: Callable[[str], Answer],
        is_transient: Callable[[BaseException], bool],
        attempts: int,
    ) -> Answer | Exception:
        trying = Retrying(
            retry=retry_if_exception(is_transient),
            stop=stop_after_attempt(attempts),
            wait=wait_exponential(self.first_wait, self.longest_wait) + wait_random(0, self.first_wait),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return trying(request, name)
        except Exception as error:  # noqa: BLE001  every failure of one name is its answer
            return error


def _last_result(state: RetryCallState) -> bool:
    return bool(state.outcome and state.outcome.result())
