"""Pieces of work that tests have done in threads, in processes and on a cluster."""

import os
import threading
from pathlib import Path

import numpy as np

from market_pipeline.models.forecasters.plugins import Plugins, load_plugins

MATRIX = np.random.default_rng(5).normal(0, 0.05, (300, 300))


def product(matrix: np.ndarray, power: int) -> np.ndarray:
    """Sums in many orders; a second thread would change the last bits."""
    return np.linalg.matrix_power(matrix, power) @ matrix


def process_of(_: np.ndarray, __: int) -> int:
    return os.getpid()


def failing(_: np.ndarray, number: int) -> int:
    if number == 2:
        raise KeyError("no good")
    return number


class Locked:
    """Holds what cannot be sent."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def held(_: np.ndarray, item: Locked | int) -> int:
    return os.getpid() if isinstance(item, Locked) else item


OWN_MODELS = """
from dataclasses import dataclass
import numpy as np

@dataclass(frozen=True)
class Mine:
    name: str
    def fit(self, past):
        if self.name == "broken":
            raise ValueError("no good")
        return {"last": np.log(past.history.close[:, -1])}
    def forecast(self, parameters, known, origins):
        raise NotImplementedError

MINE, BROKEN = Mine("mine"), Mine("broken")
"""
BROKEN_LINE = 10


def own_models(folder: Path) -> Plugins:
    """A good and a broken one, in a file `only_here.py` that only this process can import."""
    (folder / "only_here.py").write_text(OWN_MODELS, encoding="utf-8")
    named = " ".join(f"{folder / 'only_here.py'}:{model}" for model in ("MINE", "BROKEN"))
    plugins = load_plugins((), {"MARKET_PIPELINE_MODELS": named})
    assert not plugins.broken
    return plugins
