"""B6: AutoETS on two years of log prices, as statsforecast makes it, for the same forecasts; a sample, scaled."""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from peers.bars import frames

ORIGINS = 21


def auto_ets(folder: Path, size: float) -> dict[str, float]:
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    sample, count = frames(folder)
    long = pd.concat(
        pd.DataFrame({"unique_id": str(row), "ds": b.index[-500:], "y": np.log(b["close"].to_numpy()[-500:])})
        for row, b in enumerate(sample)
    )
    model = StatsForecast(models=[AutoETS()], freq="B", n_jobs=2)
    model.forecast(df=long, h=20, level=[80])
    began = time.perf_counter()
    model.forecast(df=long, h=20, level=[80])
    return {"seconds": (time.perf_counter() - began) / len(sample) * count * ORIGINS}
