import datetime as dt
import os
import pickle
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io as sio
from sklearn.preprocessing import StandardScaler

from market_pipeline.errors import WarehouseError
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.models.forecasters.protocol import Forecaster
from market_pipeline.storage.artifacts import MODELS, load, remove_unregistered, reproducible, save, serialised
from market_pipeline.storage.store import FolderStore
from market_pipeline_tests.panels import walk_panel


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=lambda forecaster: forecaster.name)
def test_what_every_forecaster_learns_comes_back_from_disk(forecaster: Forecaster, tmp_path: Path) -> None:
    learned = forecaster.fit(walk_panel())
    store = FolderStore(tmp_path)
    back = load(store, *save(serialised(learned), store, "2024-01-01"))
    assert back.keys() == learned.keys()
    for name, value in learned.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(back[name], value)
    assert [file.suffix for file in (tmp_path / MODELS).iterdir()] == [".npz"]


def test_what_is_more_than_arrays_comes_back_and_a_file_of_an_earlier_version_too(tmp_path: Path) -> None:
    store, scaler = FolderStore(tmp_path), StandardScaler().fit(np.arange(6.0).reshape(3, 2))
    name, digest = save(serialised({"scaler": scaler, "n": 3}), store, "m")
    back = load(store, name, digest)
    assert (Path(name).suffix, back["n"]) == (".skops", 3)
    np.testing.assert_array_equal(back["scaler"].mean_, scaler.mean_)
    arrays = {"a": np.arange(3.0)}
    np.testing.assert_array_equal(load(store, *save(reproducible(sio.dumps(arrays)), store, "m"))["a"], arrays["a"])


def test_writing_and_reading_arrays_does_not_import_skops() -> None:
    reading = "import sys; from market_pipeline.storage.artifacts import *; import numpy as np\n"
    reading += "deserialised(serialised({'a': np.zeros(2)}), 'm'); sys.exit('skops' in sys.modules)"
    subprocess.run([sys.executable, "-c", reading], check=True)


FIT = """
import sys
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.storage.artifacts import save, serialised
from market_pipeline.storage.store import store_at
from market_pipeline_tests.panels import walk_panel
padding = [object() for _ in range(int(sys.argv[2]))]
for forecaster in FORECASTERS:
    content = serialised(forecaster.fit(walk_panel(symbols=2, sessions=300)))
    print(forecaster.name, save(content, store_at(sys.argv[1]), "m")[1])
"""


def test_the_same_fit_is_the_same_file_in_any_process(tmp_path: Path) -> None:
    saved = [
        subprocess.run([sys.executable, "-W", "ignore", "-c", FIT, tmp_path, padding], capture_output=True, check=True)
        for padding in ("10", "100000")
    ]
    assert saved[0].stdout == saved[1].stdout
    assert saved[0].stdout.count(b"\n") == len(FORECASTERS)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    name, digest = save(serialised({"a": np.zeros(3)}), FolderStore(tmp_path), "m")
    path = tmp_path / MODELS / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(WarehouseError, match="not the one that was registered"):
        load(FolderStore(tmp_path), name, digest)


def test_a_missing_file_names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="materialise its models partition"):
        load(FolderStore(tmp_path), "gone.skops", "0")


class Hostile:
    """Would run code if a bare pickle were loaded."""

    ran = False

    def __reduce__(self) -> tuple[Any, ...]:
        return setattr, (Hostile, "ran", True)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    array = BytesIO()
    np.savez(array, a=np.array([Hostile()], dtype=object))
    for content in (pickle.dumps(Hostile()), sio.dumps({"a": Hostile()}), array.getvalue()):
        name, digest = save(content, FolderStore(tmp_path), "hostile")
        with pytest.raises(WarehouseError, match=r"no forecaster saves|neither in numpy's nor in skops' format"):
            load(FolderStore(tmp_path), name, digest)
        assert not Hostile.ran


def test_files_without_a_registry_row_go_once_they_are_old(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    store, models = FolderStore(tmp_path), tmp_path / MODELS
    named, old, young = (
        save(serialised({"a": np.full(3, value)}), store, "m/linear/2024-01-01")[0] for value in range(3)
    )
    for name in (named, old):
        os.utime(models / name, ((now - dt.timedelta(days=2)).timestamp(),) * 2)
    size = (models / old).stat().st_size
    assert remove_unregistered(store, [named], now - dt.timedelta(days=1)) == [size]
    assert sorted(path.relative_to(models).as_posix() for path in models.rglob("*.npz")) == sorted([named, young])
