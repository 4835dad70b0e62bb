"""The wheel contains all files that the package reads, and the source archive contains no images."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from market_pipeline import __version__
from market_pipeline_tests.pages import TOP

PACKAGED = (".sql", ".toml", ".html", ".yaml", ".typed", ".py")
"""Endings of the files that the package reads when it runs."""

LARGEST = 2_000_000
"""Largest size of the source archive, in bytes; the lock file alone has 400,000."""


def python(*arguments: str, cwd: Path, path: Path | None = None) -> str:
    """The output of a separate Python process, without the checkout on its path."""
    environment = {**os.environ, "PYTHONPATH": str(path or ""), "PYTHONWARNINGS": "ignore", "PIP_NO_INPUT": "1"}
    result = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    quiet = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-q")
    python("-m", "pip", "wheel", *quiet, "-w", str(folder), str(TOP), cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    python("-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), cwd=TOP)
    [built] = folder.glob("*.tar.gz")
    return built


def test_the_wheel_contains_every_file_the_package_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        contained = set(archive.namelist())
    package = {
        str(path.relative_to(TOP)) for path in (TOP / "market_pipeline").rglob("*") if path.suffix in PACKAGED
    } | {"market_pipeline/py.typed", "market_pipeline/dagster.yaml"}
    assert package <= contained
    assert {name.split("/")[0] for name in contained} == {"market_pipeline", f"market_pipeline-{__version__}.dist-info"}


def test_the_wheel_runs_without_a_checkout(wheel: Path, tmp_path: Path) -> None:
    target, folder = tmp_path / "target", tmp_path / "folder"
    folder.mkdir()
    options = ("--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", "-q", "--target", str(target))
    python("-m", "pip", "install", *options, str(wheel), cwd=folder)
    where = "import market_pipeline as m; print(m.__file__, m.__version__)"
    assert python("-c", where, cwd=folder, path=target).split() == [
        str(target / "market_pipeline" / "__init__.py"), __version__,
    ]  # fmt: skip
    usage = python(str(target / "bin" / "market-pipeline"), "--help", cwd=folder, path=target)
    assert "backfill" in usage
    reads = "from market_pipeline.orchestration.instance import dagster_yaml; print(dagster_yaml())"
    assert python("-c", reads, cwd=folder, path=target).strip() == str(target / "market_pipeline" / "dagster.yaml")
    data_directory = folder / "data"
    code = (
        "from pathlib import Path; from market_pipeline.storage.duckdb_file import DuckDBFile; "
        f"print(DuckDBFile(Path({str(data_directory)!r}) / 'w.duckdb', 'simulated').read('from prices').num_rows)"
    )
    assert python("-c", code, cwd=folder, path=target).strip() == "0"


def test_the_source_archive_contains_code_pages_and_tests_but_no_images(sources: Path) -> None:
    with tarfile.open(sources) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for needed in (
        "pyproject.toml", "README.md", "LICENSE", "Makefile", "requirements.lock", "requirements-cluster.lock",
        "dagster.yaml", "docs/faq.md", "market_pipeline/cli/main.py", "market_pipeline_tests/test_packaging.py",
    ):  # fmt: skip
        assert needed in names
    heavy = (".png", ".jpg", ".gif", ".mp4", ".webm", ".ipynb", ".duckdb")
    assert {name for name in names if name.endswith(heavy) or name.startswith(("data/", "site/", ".venv/"))} == set()
    assert sources.stat().st_size < LARGEST
