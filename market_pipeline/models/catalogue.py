"""Every forecaster of the house, in the order of the tables."""

from market_pipeline.models.boosting import BOOSTING
from market_pipeline.models.distribution import Distribution
from market_pipeline.models.linear import LINEAR
from market_pipeline.models.prophet import PROPHET
from market_pipeline.models.protocol import Forecaster
from market_pipeline.models.random_walk import EWMA, RANDOM_WALK

BASELINE = RANDOM_WALK.name

DIRECTIONLESS = (RANDOM_WALK.name, EWMA.name)
"""Models without a mean of their own: they speak of the range only."""

FORECASTERS: tuple[Forecaster, ...] = (RANDOM_WALK, EWMA, LINEAR, BOOSTING, PROPHET)

ENSEMBLE = "ensemble"

JOINT = "joint"
"""The simulation of all symbols together: it speaks of ranks only."""

MEMBERS = (RANDOM_WALK.name, EWMA.name, LINEAR.name, BOOSTING.name)
"""The daily forecasters, equally weighted in the ensemble."""


def ensemble(members: list[Distribution]) -> Distribution:
    """Equal weights on each mean, quantile and probability (Vincent 1912: averaging quantiles keeps the shape)."""
    count = len(members)
    return Distribution(
        mean=sum((m.mean for m in members[1:]), members[0].mean) / count,
        quantiles=sum((m.quantiles for m in members[1:]), members[0].quantiles) / count,
        p_up=sum((m.p_up for m in members[1:]), members[0].p_up) / count,
    )
