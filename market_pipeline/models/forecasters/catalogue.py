"""Every forecaster of the house, in the order of the tables."""

from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.forecasters.boosting import BOOSTING
from market_pipeline.models.forecasters.classical import ETS, THETA
from market_pipeline.models.forecasters.drift import DRIFT
from market_pipeline.models.forecasters.garch import GARCH
from market_pipeline.models.forecasters.har import HAR
from market_pipeline.models.forecasters.linear import LINEAR
from market_pipeline.models.forecasters.logistic import LOGISTIC
from market_pipeline.models.forecasters.plugins import own_forecasters
from market_pipeline.models.forecasters.prophet import PROPHET
from market_pipeline.models.forecasters.protocol import Forecaster
from market_pipeline.models.forecasters.random_walk import EWMA, RANDOM_WALK

_HOUSE: tuple[Forecaster, ...] = (
    RANDOM_WALK, DRIFT, EWMA, GARCH, HAR, LOGISTIC, LINEAR, BOOSTING, ETS, THETA, PROPHET,
)  # fmt: skip

_OWN = own_forecasters({*(forecaster.name for forecaster in _HOUSE), "ensemble", "joint"})

FORECASTERS: tuple[Forecaster, ...] = (*_HOUSE, *_OWN)

REFITTED = (ETS.name, THETA.name, PROPHET.name)
"""Fitted anew at each origin, on all that is known there."""

MEMBERS = (EWMA.name, GARCH.name, HAR.name)
"""Three views of the range, equally weighted in the ensemble."""

ENSEMBLE = "ensemble"

JOINT = "joint"
"""The simulation of all symbols together: it speaks of ranks only."""

_CLAIMS = {
    **dict.fromkeys((EWMA.name, GARCH.name, HAR.name, ENSEMBLE), ("range",)),
    LOGISTIC.name: ("direction",),
    JOINT: ("rank",),
    **{forecaster.name: tuple(forecaster.claims) for forecaster in _OWN if hasattr(forecaster, "claims")},
}


def ensemble(members: list[Distribution]) -> Distribution:
    """Equal weights on each mean, quantile and probability (Vincent 1912: averaging quantiles keeps the shape)."""
    count = len(members)
    return Distribution(
        mean=sum((m.mean for m in members[1:]), members[0].mean) / count,
        quantiles=sum((m.quantiles for m in members[1:]), members[0].quantiles) / count,
        p_up=sum((m.p_up for m in members[1:]), members[0].p_up) / count,
    )


def claims_of(model: str) -> tuple[str, ...]:
    """The questions on which a model may earn its place: one with a mean of its own on return and direction."""
    return _CLAIMS.get(model, ("return", "direction"))
