"""Plugins: forecasters named in MARKET_PIPELINE_MODELS, and those that installed packages provide.

A plugin that cannot be loaded, or fails later, is reported by its name, file and line. It stops nothing else.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TypeAlias

from market_pipeline.errors import PluginError
from market_pipeline.models.forecasters.plugin import FAILURES, Plugin, place_of

VARIABLE = "MARKET_PIPELINE_MODELS"
GROUP = "market_pipeline.forecasters"
"""Entry points of this group are forecasters."""

Reference: TypeAlias = str | EntryPoint


class Plugins(NamedTuple):
    """What was found."""

    usable: tuple[Plugin, ...]
    broken: tuple[str, ...]
    """What is wrong with each of the others."""

    def faults(self, log: Callable[[str], None]) -> "Faults":
        """The faults of a run, beginning with the broken ones; each goes to `log`."""
        faults = Faults(log, [])
        for fault in self.broken:
            faults.report(fault)
        return faults


@dataclass(frozen=True)
class Faults:
    """The faults of plugins in one run: those that cannot be loaded, and what `report` is called with."""

    log: Callable[[str], None]
    found: list[str]

    def report(self, fault: str) -> None:
        """Log a fault that is new."""
        if fault not in self.found:
            self.found.append(fault)
            self.log(fault)

    @property
    def metadata(self) -> dict[str, str]:
        """What the UI shows of them; nothing if there is none."""
        return {"own models left out": "\n\n".join(self.found)} if self.found else {}


def load_plugins(taken: Collection[str], environment: Mapping[str, str] = os.environ) -> Plugins:
    """The forecasters of MARKET_PIPELINE_MODELS, then those of installed packages; `taken` are the names in use.

    The variable has one or more of `my_module:MODEL` or `/path/to/file.py:MODEL`, separated by spaces.
    """
    found, broken = dict[str, Plugin](), list[str]()
    for reference in _references(environment):
        try:
            plugin = _load(reference, {*taken, *found})
        except PluginError as error:
            broken.append(str(error))
        else:
            found[plugin.name] = plugin
    return Plugins(tuple(found.values()), tuple(broken))


def source_digest(folder: Path, files: Iterable[Path]) -> str:
    """The SHA-256 of files with their names below `folder`, in hexadecimal; their order does not matter."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(folder)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _references(environment: Mapping[str, str]) -> Iterator[Reference]:
    yield from (environment.get(VARIABLE) or "").split()
    yield from entry_points(group=GROUP)


def _load(reference: Reference, taken: Collection[str]) -> Plugin:
    """The forecaster that a reference names; raises PluginError where it cannot be used."""
    if isinstance(reference, EntryPoint):
        where, module, name = f"The entry point {reference.name} of {GROUP}", reference.module, reference.attr
    else:
        where, (module, _, name) = f"{reference} of {VARIABLE}", reference.rpartition(":")
    if not module or not name.isidentifier():
        raise PluginError(f"{where} names no model: it has to be my_module:MODEL or /path/to/file.py:MODEL.")
    try:
        loaded = _module_of(Path(module).expanduser()) if module.endswith(".py") else import_module(module)
        own = "" if isinstance(reference, EntryPoint) else loaded.__name__.partition(".")[0]
        plugin = Plugin(getattr(loaded, name), where, str(loaded.__file__), _source_of(loaded), own)
        repr(plugin)
    except PluginError:
        raise
    except FAILURES as error:
        raise PluginError(
            f"{where} cannot be loaded: {type(error).__name__}: {error} ({place_of(error, module)}). A module must be "
            "installed or on PYTHONPATH; a file is named by its whole path."
        ) from error
    if plugin.name in taken:
        raise PluginError(f"{where} is called {plugin.name!r}, and another model is already. Give it another name.")
    return plugin


@cache
def _module_of(path: Path) -> ModuleType:
    """The module in a file, under a name that no other module has: a file json.py does not stand in for json.

    It is registered in sys.modules, where dataclasses look for it.
    """
    name = f"own_model_{hashlib.sha256(bytes(path.absolute())).hexdigest()[:12]}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _source_of(module: ModuleType) -> str:
    """A digest of a module's file, or of all files of the package that it belongs to."""
    file = Path(str(module.__file__))
    top = sys.modules[module.__name__.partition(".")[0]]
    if hasattr(top, "__path__") and top.__file__:
        folder = Path(top.__file__).parent
        return source_digest(folder, folder.rglob("*.py"))
    return source_digest(file.parent, [file])
