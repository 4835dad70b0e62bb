"""Tables that scoring writes: losses, their daily means, calibration counts, verdicts, champions, signals."""

from dataclasses import replace

from market_pipeline.storage.schema import Column, Table
from market_pipeline.storage.tables.forecasts import BASELINE, QUANTILES, RANGES, TAILS_AT
from market_pipeline.storage.tables.keys import HORIZON, MARKET, MODEL, ORIGIN, SYMBOL, TARGET_SESSION
from market_pipeline.storage.tables.portfolios import CONSTANT
from market_pipeline.storage.tables.prices import ADJUSTED_CLOSE

# fmt: off

LOSSES = {
    "return": "squared_error", "direction": "brier", "range": "crps", "rank": "rps", "tail": "fz_025",
    "portfolio": "crps",
}
"""Each question with the loss that answers it."""

QUESTIONS = tuple(LOSSES)

OF_SYMBOLS = ("return", "direction", "range", "tail")
"""Questions whose losses are of one symbol each, so that `daily_scores` has their means."""

DIFFERENCES = ("tail",)
"""Questions whose loss is a logarithm, which may be negative: its differences count, and no ratio is formed."""

TAIL_LOSS = "tail: FZ0 loss at 2.5 %"

BASELINES = {question: CONSTANT if question == "portfolio" else BASELINE for question in QUESTIONS}
"""The model that each question compares with."""

SIGNAL_QUESTIONS = ("return", "direction", "range")
"""Those that a signal answers: its model is champion of one of them, or the random walk."""

VERDICTS = ("beats_baseline", "no_evidence", "worse", "insufficient_data")

TRENDS = ("up", "flat", "down")

TAIL_TESTS = {
    "kupiec": "are exceedances of var_025 as many as they should be",
    "christoffersen_independence": "does an exceedance not follow another more often than otherwise",
    "christoffersen": "both of these",
    "dynamic_quantile": "do earlier exceedances and the value at risk itself not predict them",
    "shortfall": "are the losses beyond var_025 no larger than es_025",
    "traffic_light": "how many symbols have more exceedances of var_01 than a right model seldom has",
}
"""Tests of tails, and what each asks."""

PORTFOLIO_TESTS = ("fissler_ziegel", "realised_volatility")
"""Tests of joint models; scores/portfolios.py makes them."""

FURTHER_TESTS = (
    "clark_west", "pesaran_timmermann", "model_confidence_set", "e_value", "effective_origins", *TAIL_TESTS,
    *PORTFOLIO_TESTS,
)

PIECES = (*(f"below_{name}" for name in QUANTILES), "above_q975")
"""The ten pieces that nine quantiles cut a distribution into, lowest first."""

_OUTCOME = tuple(f"prices.{name}" for name in ADJUSTED_CLOSE)


def _forecast(*names: str) -> tuple[str, ...]:
    return tuple(f"forecasts.{name}" for name in names)


_TAIL = (*_forecast(*QUANTILES), *_OUTCOME)
"""What the tails are computed from as well: the asset `forecasts` shows the columns of its first table."""


def _among(values: tuple[str, ...]) -> str:
    return f"in ({', '.join(repr(value) for value in values)})"


SCORES = Table(
    "scores",
    "Forecasts whose target session has closed, against what happened.",
    (
        *(column.of("forecasts") for column in (MARKET, SYMBOL, ORIGIN, HORIZON, TARGET_SESSION, MODEL)),
        Column("realised", "double",
               "Log return from the origin to the target session, dividends reinvested", sources=_OUTCOME),
        Column("abs_error", "double",
               "Distance of the median from what happened, log return", check=">= 0",
               sources=(*_forecast("q50"), *_OUTCOME)),
        Column("squared_error", "double",
               "Squared distance of the mean from what happened, squared log return", check=">= 0",
               sources=(*_forecast("mean"), *_OUTCOME)),
        Column("crps", "double",
               "Continuous ranked probability score of the distribution, log return", check=">= 0",
               sources=(*_forecast(*QUANTILES), *_OUTCOME)),
        Column("brier", "double",
               "Squared distance of p_up from 1 if it rose, 0 if not", check="between 0 and 1",
               sources=(*_forecast("p_up"), *_OUTCOME)),
        *(
            Column(f"covered_{percent}", "boolean",
                   f"What happened lay between {low} and {high}", sources=(*_forecast(low, high), *_OUTCOME))
            for percent, (low, high) in RANGES.items()
        ),
        *(
            Column(f"fz_{name}", "double",
                   f"FZ0 loss of value at risk and expected shortfall at {level:g}; smaller is better, also below 0; "
                   "NULL without a tail", nullable=True, sources=_TAIL)
            for name, level in TAILS_AT.items()
        ),
        *(
            Column(f"exceeded_{name}", "boolean",
                   f"What happened lay below var_{name}; NULL without a tail", nullable=True,
                   sources=_TAIL)
            for name in TAILS_AT
        ),
    ),
    key=("symbol", "origin", "horizon", "model"),
    partition="target_session",
    order=("horizon", "model", "symbol", "origin"),
)

DAILY_SCORES = Table(
    "daily_scores",
    "The scores of one origin, horizon and model: means over the symbols of the market, beside those of the random "
    "walk for the same symbols. Averages over days and models read this, not every score.",
    (
        MARKET, TARGET_SESSION, ORIGIN, HORIZON, MODEL,
        Column("symbols", "integer",
               "Symbols they are means over: both this model and the random walk were scored on each", check="> 0"),
        Column("squared_error", "double", "Mean squared distance of the mean from what happened, squared log return"),
        Column("brier", "double", "Mean squared distance of p_up from 1 if it rose, 0 if not"),
        Column("crps", "double", "Mean continuous ranked probability score, log return"),
        *(
            Column(f"baseline_{loss}", "double", f"{loss} of the random walk, for the same symbols")
            for loss in ("squared_error", "brier", "crps")
        ),
        *(
            Column(f"covered_{percent}", "double",
                   f"Share of what happened that lay between {low} and {high}", check="between 0 and 1")
            for percent, (low, high) in RANGES.items()
        ),
        Column("rose", "double", "Share of the symbols that rose"),
        Column("called_up", "double", "Share of the symbols whose p_up was above one half"),
        Column("called_up_and_rose", "double", "Share of the symbols whose p_up was above one half and that rose"),
        Column("product", "double",
               "Mean of twice the return times its forecast, over forecasts that are not zero: what the test of "
               "Clark & West needs; NULL where all are zero", nullable=True),
        Column("fz_025", "double",
               "Mean FZ0 loss at 2.5 %, of the symbols where both have a tail; NULL without one", nullable=True),
        Column("baseline_fz_025", "double", "fz_025 of the random walk, for the same symbols", nullable=True),
        *(
            Column(f"exceeded_{name}", "double",
                   f"Share of what happened that lay below var_{name}; NULL without a tail", nullable=True,
                   check="between 0 and 1")
            for name in TAILS_AT
        ),
    ),
    key=("target_session", "horizon", "model"),
    partition="target_session",
    order=("horizon", "model", "origin"),
)

PIT = Table(
    "pit",
    "How many outcomes fell between which quantiles of their forecasts: the counts of a PIT histogram.",
    (
        MARKET, TARGET_SESSION, HORIZON, MODEL,
        *(
            Column(f"below_{name}", "integer", f"Outcomes at or below {name} and above the quantile before it")
            for name in QUANTILES
        ),
        Column("above_q975", "integer", "Outcomes above the highest quantile; 2.5 % of them should be"),
    ),
    key=("target_session", "horizon", "model"),
    partition="target_session",
)

RANK_SCORES = Table(
    "rank_scores",
    "Ranked probability score of the rank forecasts of one origin; 0.16 for 0.2 in each quintile.",
    (
        MARKET, ORIGIN, HORIZON, MODEL,
        Column("rps", "double", "Mean over symbols; 0 is perfect", check="between 0 and 1"),
    ),
    key=("origin", "horizon", "model"),
    partition="origin",
)

_JUDGED = tuple(f"scores.{LOSSES[question]}" for question in OF_SYMBOLS)
_QUESTION = Column("question", "varchar",
       f"return: squared error; direction: Brier; range: CRPS; rank: RPS; {TAIL_LOSS}; portfolio: CRPS of portfolios "
       "that nobody chose, against constant correlations", check=_among(QUESTIONS))

LEADERBOARD = Table(
    "leaderboard",
    "Each model against the random walk, by horizon and question; on the symbols of the configuration (survivors), "
    "which both are scored on.",
    (
        MARKET.of("scores"),
        HORIZON.of("scores"),
        replace(MODEL.of("scores"), description="Forecaster that is judged"),
        _QUESTION,
        Column("n_origins", "integer",
               "Origins scored for both model and baseline", check="> 0", sources=("scores.origin",)),
        Column("loss", "double", "Mean over origins of the cross-sectional mean loss", sources=_JUDGED),
        Column("baseline_loss", "double",
               "The same of the random walk, for the same symbols and origins", sources=_JUDGED),
        Column("skill", "double", "1 - loss / baseline_loss; of the tail, 1 - exp(loss - baseline_loss)",
               nullable=True, sources=_JUDGED),
        Column("p_value", "double",
               "One-sided Diebold-Mariano test that the loss is smaller; NULL without enough origins", nullable=True,
               check="between 0 and 1", sources=_JUDGED),
        Column("p_adjusted", "double",
               "Benjamini-Hochberg over all comparisons of the market", nullable=True, check="between 0 and 1",
               sources=_JUDGED),
        Column("verdict", "varchar", ", ".join(VERDICTS), check=_among(VERDICTS), sources=_JUDGED),
    ),
    key=("horizon", "model", "question"),
)

CHAMPIONS = Table(
    "champions",
    "Every change of the model that is selected for a question, as the reviews at the ends of months made it with what "
    "was known then.",
    (
        MARKET, HORIZON, _QUESTION,
        Column("since", "date", "Session of the review that made it champion"),
        Column("model", "varchar", "Champion from then on: random_walk until something has beaten it"),
        Column("reason", "varchar", "Why it became champion, or why the one before lost its place"),
    ),
    key=("horizon", "question", "since"),
)

TESTS = Table(
    "tests",
    "Further tests beside the verdicts.",
    (
        MARKET, HORIZON, MODEL,
        replace(_QUESTION, check=""),
        Column("test", "varchar",
               "clark_west: does it predict a return at all; pesaran_timmermann: do its calls and rises come "
               "together; model_confidence_set: may it be the best of its question; e_value: how strong is the "
               "evidence that a champion has come to lose; effective_origins: how many origins that do not overlap "
               f"they are worth; {'; '.join(f'{name}: {asks}' for name, asks in TAIL_TESTS.items())}; fissler_ziegel: "
               "are value at risk and expected shortfall of portfolios better than the baseline's; "
               "realised_volatility: of the joint model's own portfolio of least variance",
               check=_among(FURTHER_TESTS)),
        Column("n_origins", "integer",
               "Origins it is computed from; for e_value and the tests of tails those that do not overlap"),
        Column("value", "double",
               "P-value; for e_value the evidence, which passes 20 with a chance of at most 5 % while nothing is "
               "wrong; for effective_origins their number; for tests of tails twice the median of the symbols' "
               "p-values, valid however they depend; for traffic_light the share of symbols that are not green, of "
               "which a right model has about 0.11; for realised_volatility "
               "the root mean square of simple returns over one session"),
    ),
    key=("horizon", "model", "question", "test"),
)

TRIED = Table(
    "tried",
    "Every setting of every model that was ever judged: each counts when p-values are adjusted for their number.",
    (MARKET, MODEL, Column("settings", "varchar", "The model as code spells it, with all its settings")),
    key=("model", "settings"),
)

STRATEGIES = Table(
    "strategies",
    "Signal backtest, net of costs: the trend of the champion of each time, taken at the next close; on symbols that "
    "survived.",
    (
        MARKET, HORIZON,
        Column("sessions", "integer", "Sessions from the first origin to the newest close"),
        Column("net_return", "double", "Compound growth in a year, after costs"),
        Column("buy_and_hold", "double", "The same of holding all symbols in equal parts, before costs"),
        Column("sharpe", "double", "Mean over standard deviation of daily net returns, for a year"),
        Column("deflated_sharpe", "double",
               "Probability that the true Sharpe ratio is above 0, given how many models were tried"),
        Column("max_drawdown", "double", "Largest fall from a peak, as a share of it"),
        Column("turnover", "double", "Share of the capital traded in a year"),
        Column("exposure", "double", "Mean share of the capital that is invested"),
        Column("cost_bps", "double", "Cost of trading in basis points of the value traded"),
        Column("trials", "integer", "Models and horizons that were tried on return or direction"),
    ),
    key=("horizon",),
)

SIGNALS = Table(
    "signals",
    "The newest forecast of the champion of each horizon.",
    (
        MARKET.of("forecasts"),
        SYMBOL.of("forecasts"),
        Column("as_of", "date", "Origin of the forecast", sources=_forecast("origin")),
        HORIZON.of("forecasts"),
        Column("trend", "varchar",
               "up or down when mean and probability agree, else flat", check=_among(TRENDS),
               sources=_forecast("mean", "p_up")),
        Column("p_up", "double", "Probability that the log return is above 0", sources=_forecast("p_up")),
        Column("expected_return", "double", "Mean log return", sources=_forecast("mean")),
        Column("low_80", "double", "Log return, quantile 0.1", sources=_forecast("q10")),
        Column("high_80", "double", "Log return, quantile 0.9", sources=_forecast("q90")),
        Column("model", "varchar",
               "Champion of the horizon: random_walk unless something has beaten it",
               sources=(*_forecast("model"), "leaderboard.verdict")),
        Column("verdict", "varchar", "Verdict on the champion", sources=("leaderboard.verdict",)),
    ),
    key=("symbol", "horizon"),
)
