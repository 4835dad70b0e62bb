"""One plugin: a forecaster from outside the package, whose faults are its own."""

import importlib
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import market_pipeline
from market_pipeline.errors import PluginError
from market_pipeline.models.calibration.distribution import Distribution, is_coherent
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.protocol import CLAIMS, Origins
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.tables.forecasts import HORIZONS, LEVELS
from market_pipeline.storage.tables.scores import QUESTIONS

FAILURES = (Exception, SystemExit)
"""What code from outside may raise. KeyboardInterrupt is the user's."""

REQUIRED = ("name", "fit", "forecast")

CALLERS = (Path(str(market_pipeline.__file__)).parent, Path(str(importlib.__file__)).parent)


@dataclass(frozen=True, repr=False, eq=False)
class Plugin:
    """A Forecaster. Whatever its model raises becomes a PluginError with the model's name, file and line."""

    model: Any
    where: str
    """Where it is named."""
    file: str
    source: str
    """A digest of its source, in hexadecimal."""
    module: str = ""
    """The module, or the package, that only this process may have; empty for one that is installed."""

    def __post_init__(self) -> None:
        """Raise PluginError where the model does not have what the protocol requires."""
        if missing := [name for name in REQUIRED if not hasattr(self.model, name)]:
            raise PluginError(
                f"{self.where} has no {missing[0]}, so it is no forecaster ({self.file}). It needs a name, fit(past) "
                "and forecast(parameters, known, origins), as described in "
                "market_pipeline/models/forecasters/protocol.py."
            )
        if not re.fullmatch(r"[a-z][a-z0-9_]*", str(self.model.name)):
            raise PluginError(
                f"{self.where} is called {self.model.name!r}; a name is small letters, digits and '_' ({self.file})."
            )
        claims = getattr(self.model, "claims", CLAIMS)
        if isinstance(claims, str) or not {*claims} <= {*QUESTIONS}:
            raise PluginError(
                f"{self.where} has the claims {claims!r}; they are some of {', '.join(QUESTIONS)}, in a tuple "
                f"({self.file})."
            )

    @property
    def name(self) -> str:
        return str(self.model.name)

    @property
    def claims(self) -> tuple[str, ...]:
        return tuple(getattr(self.model, "claims", CLAIMS))

    @property
    def refitted(self) -> bool:
        return bool(getattr(self.model, "refitted", False))

    def __repr__(self) -> str:
        """The settings of the model, the same in every process."""
        return re.sub(r" at 0x[0-9a-f]+", "", repr(self.model))

    def fit(self, past: Panel) -> Parameters:
        with self.named_faults("fit"):
            parameters = self.model.fit(past)
            if not isinstance(parameters, Mapping):
                raise TypeError(f"it returned {type(parameters).__name__}, not parameters by name")
        return parameters

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        shape = (len(known.history.symbols), len(origins.position))
        with self.named_faults("forecast"):
            found = self.model.forecast(parameters, known, origins)
            return {horizon: require_possible(found[horizon], shape) for horizon in HORIZONS}

    @contextmanager
    def named_faults(self, doing: str) -> Iterator[None]:
        """Whatever is raised within, as a PluginError."""
        try:
            yield
        except FAILURES as error:
            raise PluginError(
                f"The own model {self.name!r} failed in {doing}, so it is left out: {type(error).__name__}: {error} "
                f"({place_of(error, self.file)}). The other models are not affected."
            ) from error


def require_possible(found: Any, shape: tuple[int, int]) -> Distribution:
    """The same distribution as arrays; raises TypeError or ValueError where `shape`, (symbols, origins), differs."""
    if not isinstance(found, Distribution):
        raise TypeError(f"it returned {type(found).__name__}, not a Distribution for each horizon")
    shapes = {"mean": shape, "quantiles": (*shape, len(LEVELS)), "p_up": shape}
    parts = {name: np.asarray(getattr(found, name), np.float64) for name in shapes}
    for name, expected in shapes.items():
        if parts[name].shape != expected:
            raise ValueError(f"{name} has the shape {parts[name].shape}, not {expected}")
    if ((parts["p_up"] < 0) | (parts["p_up"] > 1)).any():
        raise ValueError("p_up is not between 0 and 1")
    with np.errstate(invalid="ignore"):
        if (np.diff(parts["quantiles"], axis=-1) < 0).any():
            raise ValueError("a quantile lies above the next higher one")
    made = Distribution(**parts, quantile_function=found.quantile_function, errors=found.errors)
    if not is_coherent(made).all():
        raise ValueError(
            "mean, quantiles and p_up are not of one distribution: a median above 0 means a p_up above one half, and "
            "the mean lies within the quantiles or is 0"
        )
    return made


def place_of(error: BaseException, file: str) -> str:
    """The file and line of a fault: in the plugin's own file if the error passed it, else in the code that it called.

    The file alone if no line of it was reached.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _loads(frame.filename)]
    own = [frame for frame in frames if Path(frame.filename) == Path(file).expanduser().absolute()]
    return next((f"{frame.filename}, line {frame.lineno}" for frame in reversed(own or frames)), file)


def _loads(file: str) -> bool:
    """Whether a file is part of this package or of Python's imports, which only load and call a plugin."""
    return file.startswith("<frozen") or any(Path(file).is_relative_to(folder) for folder in CALLERS)
