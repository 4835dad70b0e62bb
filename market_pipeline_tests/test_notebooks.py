"""The notebooks of docs/: saved with their outputs, and running from a clean kernel against a home of this code."""

import datetime as dt
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from market_pipeline.mart.publish import publish
from market_pipeline_tests.pipeline import SMALL, Pipeline

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))
START, FIRST, LAST = dt.date(2023, 1, 3), dt.date(2024, 2, 26), dt.date(2024, 3, 15)
MOST_BYTES = 300_000
OF_A_MACHINE = re.compile(r"/(home|root|tmp|work|Users)/(?!me/)|0x[0-9a-f]{6}")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Five simulated symbols, so that there are ranks; three weeks of forecasts, published."""
    pipeline = Pipeline(tmp_path_factory.mktemp("notebooks"), SMALL.replace('"SIM2"', '"SIM2", "SIM3", "WALK1"'))
    pipeline.compute(("prices", "indicators"), START, LAST)
    pipeline.compute(("models",), FIRST.replace(day=1), LAST.replace(day=1))
    pipeline.compute(("forecasts", "scores", "leaderboard", "signals"), FIRST, LAST)
    publish(pipeline.warehouse, [pipeline.market], pipeline.settings.mart, dt.datetime(2024, 3, 16, tzinfo=dt.UTC))
    return pipeline


def texts(notebook: nbformat.NotebookNode) -> str:
    """Everything that its cells printed, pictures aside."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


def test_there_are_four_in_their_order() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_saved_as_it_ran_small_and_labelled(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert path.stat().st_size < MOST_BYTES
    assert "simulated" in texts(notebook)
    assert "**simulated**" in notebook.cells[0].source
    assert not OF_A_MACHINE.search(texts(notebook))
    assert not any(
        output.output_type == "error" or output.get("name") == "stderr" for cell in code for output in cell.outputs
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_a_clean_kernel(path: Path, home: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = home.settings
    for name, value in (("HOME", settings.home), ("SOURCE", settings.source), ("CONFIG", settings.config)):
        monkeypatch.setenv(f"MARKET_PIPELINE_{name}", str(value))
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(home.folder)}}).execute()
    assert "simulated" in texts(notebook)
