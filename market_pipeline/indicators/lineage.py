"""Which columns of `prices` each indicator is computed from; a test changes them one by one to see."""

from market_pipeline.indicators.catalogue import CATALOGUE
from market_pipeline.storage.columns import Lineage

ADJUSTED = ("close", "dividend", "split_ratio")
"""Every price is adjusted by the factor that these make."""

REACH = (
    "adx_14", "directional_14", "stochastic_k_14", "stochastic_d_14", "williams_14", "cci_20", "ultimate_28",
    "natr_14", "true_range_1",
)  # fmt: skip
VOLUME_AND_REACH = ("mfi_14", "money_flow_20")
VOLUME_ALONE = ("volume_ratio_20", "volume_deviation_20")


def read_by(indicator: str, family: str) -> tuple[str, ...]:
    """The columns of a bar that an indicator reads, adjustments included."""
    if indicator == "aroon_25":
        return ("high", "low", *ADJUSTED)
    if indicator in VOLUME_ALONE:
        return ("volume", "split_ratio")
    reach = ("high", "low") if indicator in (*REACH, *VOLUME_AND_REACH) else ()
    return (*reach, *(("volume",) if family == "volume" else ()), *ADJUSTED)


LINEAGE: Lineage = {
    **{name: (("prices", name),) for name in ("market", "symbol", "session")},
    **{
        indicator.name: tuple(("prices", column) for column in read_by(indicator.name, indicator.family))
        for indicator in CATALOGUE
    },
}
