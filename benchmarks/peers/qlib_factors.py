"""B2: the same fourteen factors of Alpha158 by pyqlib, without its caches, on one core."""

from pathlib import Path
from typing import Any

import numpy as np
from stopwatch import Stopwatch, forget

EXPRESSIONS = {
    "ROC20": "Ref($close, 20)/$close",
    "MA20": "Mean($close, 20)/$close",
    "STD20": "Std($close, 20)/$close",
    "BETA20": "Slope($close, 20)/$close",
    "RSQR20": "Rsquare($close, 20)",
    "RESI20": "Resi($close, 20)/$close",
    "MAX20": "Max($high, 20)/$close",
    "MIN20": "Min($low, 20)/$close",
    "QTLU20": "Quantile($close, 20, 0.8)/$close",
    "QTLD20": "Quantile($close, 20, 0.2)/$close",
    "RANK20": "Rank($close, 20)",
    "RSV20": "($close-Min($low, 20))/(Max($high, 20)-Min($low, 20)+1e-12)",
    "IMAX20": "IdxMax($high, 20)/20",
    "IMIN20": "IdxMin($low, 20)/20",
}


def qlib(folder: Path, size: float) -> dict[str, float]:
    """D.features of all stocks and sessions; fails when a number is not ours."""
    import qlib as package
    from qlib.data import D

    package.init(
        provider_uri=str(folder / "qlib"), expression_cache=None, dataset_cache=None, kernels=1, logging_level=40
    )
    forget(folder / "qlib")
    with Stopwatch() as watch:
        made = D.features(D.instruments("all"), list(EXPRESSIONS.values()), freq="day")
    compare(folder, made)
    return {"seconds": watch.seconds}


def compare(folder: Path, made: Any) -> None:
    """Each factor of each whole window to 32 bits' precision; ours is what the other process left in the folder."""
    made = made.sort_index(level=["instrument", "datetime"])
    with np.load(folder / "factors.npz") as ours:
        for name, expression in EXPRESSIONS.items():
            mine = ours[name].ravel()
            theirs = made[expression].to_numpy()
            if mine.shape != theirs.shape:
                raise AssertionError(f"{name}: {mine.shape} values of ours, {theirs.shape} of theirs")
            whole = np.isfinite(mine)
            off = np.abs(mine[whole] - theirs[whole])
            if not whole.any() or not (off <= TOLERANCE.get(name, 2e-5)).all():
                raise AssertionError(f"{name}: {(~(off <= 2e-5)).sum()} values differ, by up to {np.nanmax(off):.3g}")


TOLERANCE = {"RSQR20": 2e-3}
"""Where Qlib's running sums of squares lose digits."""
