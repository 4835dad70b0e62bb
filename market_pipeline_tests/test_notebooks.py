"""The notebooks of docs/: Jupyter's saved with their outputs, and all runnable on a current data directory."""

import datetime as dt
import re
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from matplotlib.figure import Figure
from nbclient import NotebookClient

from market_pipeline.mart.publish import publish
from market_pipeline_tests.pipeline import SMALL, Pipeline

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
REACTIVE = FOLDER / "06-one-symbol.py"
START, FIRST, LAST = dt.date(2023, 1, 3), dt.date(2024, 2, 26), dt.date(2024, 3, 15)
MOST_BYTES = 300_000
LOGARITHM_IN_PER_CENT = re.compile(r"100 \*[^,\n]*\b(ln|log|log1p)\(")
MACHINE_SPECIFIC = re.compile(r"/(home|root|tmp|work|Users)/(?!me/)|0x[0-9a-f]{6}")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Five simulated symbols, so that there are ranks; three weeks of forecasts, published."""
    pipeline = Pipeline(tmp_path_factory.mktemp("notebooks"), SMALL.replace('"SIM2"', '"SIM2", "SIM3", "WALK1"'))
    pipeline.compute(("prices", "indicators"), START, LAST)
    pipeline.compute(("models",), FIRST.replace(day=1), LAST.replace(day=1))
    pipeline.compute(("forecasts", "scores", "leaderboard", "signals"), FIRST, LAST)
    publish(pipeline.warehouse, [pipeline.market], pipeline.mart, dt.datetime(2024, 3, 16, tzinfo=dt.UTC))
    return pipeline


def texts(notebook: nbformat.NotebookNode) -> str:
    """The text output of its cells."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


def use(published: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let readers take this data directory."""
    settings = published.settings
    for name, value in (("HOME", settings.home), ("SOURCE", settings.source), ("CONFIG", settings.config)):
        monkeypatch.setenv(f"MARKET_PIPELINE_{name}", str(value))


def test_the_notebooks_are_numbered() -> None:
    assert [path.name[:2] for path in (*NOTEBOOKS, REACTIVE)] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_saved_with_its_output_small_and_labelled_simulated(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert path.stat().st_size < MOST_BYTES
    assert "simulated" in texts(notebook)
    assert "**simulated**" in notebook.cells[0].source
    assert not MACHINE_SPECIFIC.search(texts(notebook))
    assert not any(
        output.output_type == "error" or output.get("name") == "stderr" for cell in code for output in cell.outputs
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_no_log_return_in_per_cent(path: Path) -> None:
    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [found.group() for source in code for found in LOGARITHM_IN_PER_CENT.finditer(source)] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_a_clean_kernel(path: Path, published: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    use(published, monkeypatch)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(published.folder)}}).execute()
    assert "simulated" in texts(notebook)


@dataclass(frozen=True)
class Chosen:
    """A choice of the reader's, as its cell has it."""

    value: str | int


def test_the_reactive_notebook_shows_the_chosen_symbol_and_model(
    published: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(published, monkeypatch)
    app = runpy.run_path(str(REACTIVE))["app"]
    outputs, first = app.run()
    assert "simulated" in first["label"]
    assert first["model"].value == "random_walk"
    assert list(first["forecasts"]["horizon"]) == [1, 5, 20]
    assert any(isinstance(output, Figure) for output in outputs)

    chosen = {"symbol": Chosen("SIM2"), "model": Chosen("ewma"), "days": Chosen(30)}
    _, second = app.run(defs=chosen)
    assert set(second["forecasts"]["symbol"]) == {"SIM2"}
    assert set(second["forecasts"]["model"]) == {"ewma"}
    assert set(second["of_model"]["question"]) >= {"return", "range"}


def test_the_reactive_notebook_is_well_formed() -> None:
    checked = subprocess.run([sys.executable, "-m", "marimo", "check", "--strict", str(REACTIVE)], check=False)
    assert checked.returncode == 0
