"""The warehouse as assets receive it."""

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from pathlib import Path
import dagster as dg
from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.resources import resources_of
settings = Settings(home=Path(sys.argv[1]), source="simulated")
with dg.build_resources(resources_of(settings)) as resources:
    print(resources.warehouse.read("select current_setting('temp_directory') as folder")["folder"][0].as_py())
"""


def test_each_process_sorts_on_disk_in_a_folder_of_its_own(tmp_path: Path) -> None:
    """Three processes of DuckDB 1.5 that sorted in one folder ended with a segmentation fault each."""
    line = [sys.executable, "-W", "ignore", "-c", CODE, str(tmp_path / "data")]
    folders = [
        Path(subprocess.run(line, capture_output=True, text=True, check=True, timeout=120).stdout.strip())
        for _ in range(2)
    ]
    assert folders[0] != folders[1]
    assert [folder.parent for folder in folders] == [tmp_path / "data" / "spill"] * 2
