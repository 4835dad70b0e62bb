"""Fitted models in a store: written whole, read back without executing anything in a file.

A file is named by its content, so a registry row and its file can never disagree silently.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Collection, Mapping
from io import BytesIO
from typing import Any, TypeAlias
from zipfile import BadZipFile, ZipFile, ZipInfo, is_zipfile

import numpy as np

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.store import Store

Parameters: TypeAlias = Mapping[str, Any]
"""What was learned, as data: arrays, numbers and scikit-learn estimators by name."""

MODELS = "models"
"""The folder of a store that has the models; the registry names them from there on."""

NPZ, SKOPS = ".npz", ".skops"
"""The formats of files: numpy's for arrays alone; skops' for whatever else a forecaster learns, whose import takes two
seconds."""

SCHEMA = "schema.json"
"""What only a file of skops has."""

ADDRESS = re.compile(r'"(?:__id__": |file": ")(\d+)')
"""The number of an object in skops' schema, or of the file that holds it."""

FIX = "Train the month again: materialise its models partition."

TRUSTED = (
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""Types beyond skops' own list that the forecasters save; a file with any other is refused."""


def serialised(parameters: Parameters) -> bytes:
    """Parameters as a file's content, the same for the same parameters in any process."""
    if all(type(value) is np.ndarray and not value.dtype.hasobject for value in parameters.values()):
        written = BytesIO()
        with ZipFile(written, "w") as write:  # np.savez takes no array that is called "file"
            for name, value in parameters.items():
                with write.open(ZipInfo(f"{name}.npy"), "w") as part:
                    np.lib.format.write_array(part, value, allow_pickle=False)
        return written.getvalue()
    import skops.io as sio

    return reproducible(sio.dumps(dict(parameters)))


def save(content: bytes, store: Store, name: str) -> tuple[str, str]:
    """Put serialised parameters among the models of a store; the name under which they are, and their SHA-256.

    `name` has the market, the model and the month: stocks/linear/2024-01-01.
    """
    digest = hashlib.sha256(content).hexdigest()
    ending = SKOPS if is_zipfile(BytesIO(content)) and SCHEMA in _parts(content) else NPZ
    path = f"{name}-{digest[:12]}{ending}"
    store.put(f"{MODELS}/{path}", content)
    return path, digest


def reproducible(content: bytes) -> bytes:
    """The same file without what differs from process to process: addresses of objects, and the time of writing.

    skops numbers objects by their address; here they are numbered in the order in which they appear.
    """
    with ZipFile(BytesIO(content)) as read:
        schema = read.read(SCHEMA).decode()
        number = {address: str(place) for place, address in enumerate(dict.fromkeys(ADDRESS.findall(schema)))}
        files = {name: read.read(name) for name in read.namelist() if name != SCHEMA}
    written = BytesIO()
    with ZipFile(written, "w") as write:
        for name, part in files.items():
            write.writestr(ZipInfo(f"{number[name.split('.')[0]]}.npy"), part)
        numbered = ADDRESS.sub(lambda found: found[0].replace(found[1], number[found[1]]), schema)
        write.writestr(ZipInfo(SCHEMA), numbered)
    return written.getvalue()


def load(store: Store, name: str, digest: str) -> Parameters:
    """Read parameters back; raises WarehouseError when the file is missing, changed, or holds a foreign type."""
    path = store.address(f"{MODELS}/{name}")
    try:
        content = store.get(f"{MODELS}/{name}")
    except FileNotFoundError:
        raise WarehouseError(f"The model file {path} is missing. {FIX}") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise WarehouseError(f"The model file {path} is not the one that was registered. {FIX}")
    return deserialised(content, path)


def deserialised(content: bytes, path: str) -> Parameters:
    """The parameters that a file's content has; raises WarehouseError, which names `path`, for a foreign type."""
    try:
        if SCHEMA not in _parts(content):
            with np.load(BytesIO(content), allow_pickle=False) as arrays:
                return dict(arrays)
        import skops.io as sio

        foreign = set(sio.get_untrusted_types(data=content)) - set(TRUSTED)
    except (BadZipFile, ValueError):
        raise WarehouseError(f"The model file {path} is neither in numpy's nor in skops' format. {FIX}") from None
    if foreign:
        raise WarehouseError(f"The model file {path} holds {min(foreign)}, which no forecaster saves. {FIX}")
    parameters: Parameters = sio.loads(content, trusted=list(TRUSTED))
    return parameters


def _parts(content: bytes) -> list[str]:
    """The names of a zip file's parts; raises BadZipFile."""
    with ZipFile(BytesIO(content)) as read:
        return read.namelist()


def remove_unregistered(store: Store, registered: Collection[str], since: dt.datetime) -> list[int]:
    """Remove the model files of a store that no name of `registered` is of, if written before `since`; their sizes.

    Nobody may be training or forecasting: a month that is trained again takes a file from the registry that a run may
    still be about to read.
    """
    named = {f"{MODELS}/{name}" for name in registered}
    lost = [
        stored
        for stored in store.list(MODELS)
        if stored.name.endswith((NPZ, SKOPS, ".new")) and stored.name not in named and stored.written_at < since
    ]
    for stored in lost:
        store.remove(stored.name)
    return [stored.size for stored in lost]
