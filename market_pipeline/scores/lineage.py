"""Where the columns of scores, leaderboard and signals come from."""

from market_pipeline.models.calibration.distribution import QUANTILES
from market_pipeline.storage.columns import Lineage

_KEYS = ("market", "symbol", "origin", "horizon", "target_session", "model")
_HAPPENED = tuple(("prices", column) for column in ("close", "dividend", "split_ratio"))


def _said(*columns: str) -> tuple[tuple[str, str], ...]:
    return tuple(("forecasts", column) for column in columns)


SCORES: Lineage = {
    **{key: _said(key) for key in _KEYS},
    "realised": _HAPPENED,
    "abs_error": (*_said("q50"), *_HAPPENED),
    "squared_error": (*_said("mean"), *_HAPPENED),
    "crps": (*_said(*QUANTILES), *_HAPPENED),
    "brier": (*_said("p_up"), *_HAPPENED),
    "covered_50": (*_said("q25", "q75"), *_HAPPENED),
    "covered_80": (*_said("q10", "q90"), *_HAPPENED),
    "covered_95": (*_said("q025", "q975"), *_HAPPENED),
}

_LOSSES = tuple(("scores", column) for column in ("squared_error", "brier", "crps"))
LEADERBOARD: Lineage = {
    **{key: (("scores", key),) for key in ("market", "horizon", "model")},
    "n_origins": (("scores", "origin"),),
    **dict.fromkeys(("loss", "baseline_loss", "skill", "p_value", "p_adjusted", "verdict"), _LOSSES),
}

SIGNALS: Lineage = {
    **{key: _said(key) for key in ("market", "symbol", "horizon")},
    "as_of": _said("origin"),
    "trend": _said("mean", "p_up"),
    "p_up": _said("p_up"),
    "expected_return": _said("mean"),
    "low_80": _said("q10"),
    "high_80": _said("q90"),
    "model": (*_said("model"), ("leaderboard", "verdict")),
    "verdict": (("leaderboard", "verdict"),),
}
