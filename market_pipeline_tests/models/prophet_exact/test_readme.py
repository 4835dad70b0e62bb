"""The example in the README, here and in a copy of the folder outside this project."""

import doctest
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

FOLDER = Path(str(files("market_pipeline.models.prophet_exact")))
COPIED = """
import doctest, sys
doctest.testfile("README.md", module_relative=False, raise_on_error=True)
loaded = {name.split(".")[0] for name in sys.modules}
assert "numpy" in loaded and not loaded & {"market_pipeline", "scipy", "pandas"}, loaded
"""


def test_the_example_has_the_results_that_are_printed() -> None:
    result = doctest.testfile(str(FOLDER / "README.md"), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0


def test_the_folder_works_alone(tmp_path: Path) -> None:
    copy = tmp_path / "prophet_exact"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text(text.replace("market_pipeline.models.prophet_exact", "prophet_exact"))
    subprocess.run([sys.executable, "-c", COPIED], cwd=tmp_path, check=True, timeout=120)
