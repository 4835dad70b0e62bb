"""What the other sides read: the bars that `generated.py` left as arrays."""

from pathlib import Path

import numpy as np
import pandas as pd

SAMPLE = 5
"""Symbols that are timed where a side works through them one by one; the rest would take as long each."""


def frames(folder: Path) -> tuple[list[pd.DataFrame], int]:
    """Ten years of bars of each symbol of the sample, and how many symbols there are in all."""
    with np.load(folder / "bars.npz") as stored:
        grids = {name: stored[name] for name in stored.files}
    days = pd.DatetimeIndex(grids.pop("sessions").astype("datetime64[ns]"))
    sample = [pd.DataFrame({name: grid[row] for name, grid in grids.items()}, index=days) for row in range(SAMPLE)]
    return sample, len(grids["close"])
