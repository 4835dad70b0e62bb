"""Plugins: forecasters named in MARKET_PIPELINE_MODELS, and those that installed packages provide."""

import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from market_pipeline.errors import ConfigurationError
from market_pipeline.models.forecasters.protocol import Forecaster

VARIABLE = "MARKET_PIPELINE_MODELS"
GROUP = "market_pipeline.forecasters"
"""Entry points of this group are forecasters."""


def load_plugins(taken: Collection[str], environment: Mapping[str, str] = os.environ) -> tuple[Forecaster, ...]:
    """The forecasters of MARKET_PIPELINE_MODELS, then those of installed packages; `taken` are the names in use.

    The variable has one or more of `my_module:MODEL` or `/path/to/file.py:MODEL`, separated by spaces. Raises
    ConfigurationError for one that cannot be loaded or used.
    """
    found = dict[str, Forecaster]()
    for where, model in _candidates(environment):
        name = _require_usable(where, model)
        if name in taken or name in found:
            raise ConfigurationError(f"{where} is called {name!r}, and another model is already. Give it another name.")
        found[name] = cast("Forecaster", model)
    return tuple(found.values())


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Where each was named, and what was found there."""
    for reference in (environment.get(VARIABLE) or "").split():
        yield f"{reference} of {VARIABLE}", _load(reference)
    for point in entry_points(group=GROUP):
        yield f"The entry point {point.name} of {GROUP}", point.load()


def _load(reference: str) -> Any:
    module, _, name = reference.rpartition(":")
    if not module or not name.isidentifier():
        raise ConfigurationError(
            f"{VARIABLE} has {reference!r}, but names a model as my_module:MODEL or /path/to/file.py:MODEL."
        )
    try:
        loaded = _module_of(Path(module).expanduser()) if module.endswith(".py") else import_module(module)
    except Exception as error:
        raise ConfigurationError(
            f"{VARIABLE} names {reference}, which cannot be loaded: {type(error).__name__}: {error}. A module must be "
            "installed or on PYTHONPATH; a file is named by its whole path."
        ) from error
    if not hasattr(loaded, name):
        raise ConfigurationError(f"{VARIABLE} names {reference}, but {module} has no {name}.")
    return getattr(loaded, name)


@cache
def _module_of(path: Path) -> ModuleType:
    """The module in a file; registered in sys.modules, where dataclasses look for it."""
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _require_usable(where: str, model: Any) -> str:
    """The name of a model that has what the protocol Forecaster requires."""
    if missing := [name for name in ("name", "fit", "forecast") if not hasattr(model, name)]:
        raise ConfigurationError(
            f"{where} has no {missing[0]}, so it is no forecaster. It needs a name, fit(past) and forecast(parameters, "
            "known, origins), as described in market_pipeline/models/forecasters/protocol.py."
        )
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(model.name)):
        raise ConfigurationError(f"{where} is called {model.name!r}; a name is small letters, digits and '_'.")
    return str(model.name)
