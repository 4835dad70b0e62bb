"""Fitted models on disk: written whole, read back without executing anything in a file.

A file is named by its content, so a registry row and its file can never disagree silently.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Collection, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile, ZipFile, ZipInfo

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.whole_files import remove_older, write_whole

Parameters: TypeAlias = Mapping[str, Any]
"""What was learned, as data: arrays, numbers and scikit-learn estimators by name."""

ADDRESS = re.compile(r'"(?:__id__": |file": ")(\d+)')
"""The number of an object in skops' schema, or of the file that holds it."""

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

    content = reproducible(sio.dumps(dict(parameters)))
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{name}-{digest[:12]}.skops"
    write_whole(path, content)
    return path, digest


def reproducible(content: bytes) -> bytes:
    """The same file without what differs from process to process: addresses of objects, and the time of writing.

    skops numbers objects by their address; here they are numbered in the order in which they appear.
    """
    with ZipFile(BytesIO(content)) as read:
        schema = read.read("schema.json").decode()
        number = {address: str(place) for place, address in enumerate(dict.fromkeys(ADDRESS.findall(schema)))}
        files = {name: read.read(name) for name in read.namelist() if name != "schema.json"}
    written = BytesIO()
    with ZipFile(written, "w") as write:
        for name, part in files.items():
            write.writestr(ZipInfo(f"{number[name.split('.')[0]]}.npy"), part)
        numbered = ADDRESS.sub(lambda found: found[0].replace(found[1], number[found[1]]), schema)
        write.writestr(ZipInfo("schema.json"), numbered)
    return written.getvalue()


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


def remove_unregistered(folder: Path, registered: Collection[str], since: dt.datetime) -> list[int]:
    """Remove the model files below `folder` that no path of `registered` names, if written before `since`; their sizes.

    Nobody may be training or forecasting: a month that is trained again takes a file from the registry that a run may
    still be about to read.
    """
    named = {folder / path for path in registered}
    found = (path for path in sorted(folder.rglob("*.skops")) if path not in named)
    return [size for path in found if (size := remove_older(path, since)) is not None]
