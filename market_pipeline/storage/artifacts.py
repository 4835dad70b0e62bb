"""Fitted models on disk: written whole, read back without executing anything in a file.

A file is named by its content, so a registry row and its file can never disagree silently.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile

from market_pipeline.errors import WarehouseError

Parameters: TypeAlias = Mapping[str, Any]
"""What was learned, as data: arrays, numbers and scikit-learn estimators by name."""

TRUSTED = (
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""Types beyond skops' own list that the forecasters save; a file with any other is refused."""


def save(parameters: Parameters, folder: Path, name: str) -> tuple[Path, str]:
    """Write parameters below `folder`; returns the file and its SHA-256."""
    import skops.io as sio

    content = sio.dumps(dict(parameters))
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{name}-{digest[:12]}.skops"
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)
    return path, digest


def load(path: Path, digest: str) -> Parameters:
    """Read parameters back; raises WarehouseError when the file is missing, changed, or holds a foreign type."""
    import skops.io as sio

    fix = "Train the month again: materialise its models partition."
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise WarehouseError(f"The model file {path} is missing. {fix}") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise WarehouseError(f"The model file {path} is not the one that was registered. {fix}")
    try:
        foreign = set(sio.get_untrusted_types(data=content)) - set(TRUSTED)
    except BadZipFile:
        raise WarehouseError(f"The model file {path} is not in skops' format. {fix}") from None
    if foreign:
        raise WarehouseError(f"The model file {path} holds {min(foreign)}, which no forecaster saves. {fix}")
    parameters: Parameters = sio.loads(content, trusted=list(TRUSTED))
    return parameters
