"""How a vendor is asked: with waits that grow, and not at all for a while."""

from market_pipeline.sources.retry import RetryPolicy


class RefusedError(Exception):
    """A failure that may pass."""


def is_transient(error: BaseException) -> bool:
    return isinstance(error, RefusedError)


class Clock:
    """A clock that only sleeping moves, and what the vendor at its other end was asked."""

    def __init__(self, names: list[str], outage: float = 0.0, failing: tuple[str, ...] = ()) -> None:
        self.now, self.outage, self.failing, self.names = 0.0, outage, failing, names
        self.waits: list[float] = []
        self.asked: list[tuple[float, str]] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def ask(self, name: str) -> str:
        self.asked.append((self.now, name))
        if self.now < self.outage or name in self.failing:
            raise RefusedError(name)
        return f"bars of {name}"

    def all(self) -> dict[str, str | Exception]:
        return RetryPolicy(sleep=self.sleep).request_all(self.names, self.ask, is_transient)


NAMES = [f"S{number}" for number in range(30)]


def test_without_trouble_each_name_is_asked_once_and_nobody_waits() -> None:
    clock = Clock(NAMES)
    assert clock.all() == {name: f"bars of {name}" for name in NAMES}
    assert [name for _, name in clock.asked] == NAMES
    assert not clock.waits


def test_an_outage_of_ten_minutes_costs_few_requests_and_every_name_is_answered_after_it() -> None:
    clock = Clock(NAMES, outage=600)
    assert clock.all() == {name: f"bars of {name}" for name in NAMES}
    during = [moment for moment, _ in clock.asked if moment < 600]
    assert len(during) <= 3 * 5 + 8
    pauses = [wait for wait in clock.waits if wait >= 30]
    assert pauses == sorted(pauses)
    assert pauses[-1] <= 330
    assert clock.waits[:4] == sorted(clock.waits[:4])  # the waits for one name
    assert clock.now < 1200


def test_an_outage_without_end_is_given_up_and_names_never_asked_have_a_cause() -> None:
    clock = Clock(NAMES, outage=1e9)
    answers = clock.all()
    assert all(isinstance(answer, RefusedError) for answer in answers.values())
    assert list(answers) == NAMES
    assert len(clock.asked) <= 3 * 5 + 8
    assert clock.now < 3600


def test_one_failing_name_stops_no_neighbour_and_is_not_waited_for() -> None:
    clock = Clock(NAMES, failing=("S3",))
    answers = clock.all()
    assert {name for name, answer in answers.items() if isinstance(answer, Exception)} == {"S3"}
    assert len([name for _, name in clock.asked if name == "S3"]) == 5
    assert clock.now < 120


def test_several_failing_names_in_a_row_hide_no_healthy_ones() -> None:
    failing = ("S0", "S1", "S2", "S3", "S20")
    clock = Clock(NAMES, failing=failing)
    answers = clock.all()
    assert {name for name, answer in answers.items() if isinstance(answer, Exception)} == set(failing)


def test_other_failures_are_answers_at_once() -> None:
    answers = RetryPolicy().request_all(["A"], lambda _: 1 / 0, is_transient)
    assert isinstance(answers["A"], ZeroDivisionError)
