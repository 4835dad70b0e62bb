"""Forecasters from outside the house: those that a person names, and those that an installed package brings along.

Knows how they are found and what they must have; not what they compute.
"""

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


def own_forecasters(taken: Collection[str], environment: Mapping[str, str] = os.environ) -> tuple[Forecaster, ...]:
    """The forecasters of MARKET_PIPELINE_MODELS, then those of installed packages; `taken` are the names in use.

    The variable has one or more of `my_module:MODEL` or `/path/to/file.py:MODEL`, separated by spaces. Raises
    ConfigurationError for one that cannot be loaded or used.
    """
    found = dict[str, Forecaster]()
    for where, model in _found(environment):
        name = _refuse_unusable(where, model)
        if name in taken or name in found:
            raise ConfigurationError(f"{where} is called {name!r}, and another model is already. Give it another name.")
        found[name] = cast("Forecaster", model)
    return tuple(found.values())


def _found(environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for spelt in (environment.get(VARIABLE) or "").split():
        yield f"{spelt} of {VARIABLE}", _named(spelt)
    for point in entry_points(group=GROUP):
        yield f"The entry point {point.name} of {GROUP}", point.load()


def _named(spelt: str) -> Any:
    module, _, name = spelt.rpartition(":")
    if not module or not name.isidentifier():
        raise ConfigurationError(
            f"{VARIABLE} has {spelt!r}, but names a model as my_module:MODEL or /path/to/file.py:MODEL."
        )
    try:
        held = _from_file(Path(module).expanduser()) if module.endswith(".py") else import_module(module)
    except Exception as error:
        raise ConfigurationError(
            f"{VARIABLE} names {spelt}, which cannot be loaded: {type(error).__name__}: {error}. A module must be "
            "installed or on PYTHONPATH; a file is named by its whole path."
        ) from error
    if not hasattr(held, name):
        raise ConfigurationError(f"{VARIABLE} names {spelt}, but {module} has no {name}.")
    return getattr(held, name)


@cache
def _from_file(path: Path) -> ModuleType:
    """The module that a file is; kept among the modules, as dataclasses ask for it there."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _refuse_unusable(where: str, model: Any) -> str:
    """The name of a model that has what Forecaster promises."""
    if missing := [name for name in ("name", "fit", "forecast") if not hasattr(model, name)]:
        raise ConfigurationError(
            f"{where} has no {missing[0]}, so it is no forecaster. It needs a name, fit(past) and forecast(parameters, "
            "known, origins), as market_pipeline/models/forecasters/protocol.py says."
        )
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(model.name)):
        raise ConfigurationError(f"{where} is called {model.name!r}; a name is small letters, digits and '_'.")
    return str(model.name)
