"""`backfill --dry-run` prints the plan of a backfill, and starts and writes nothing."""

import json
from pathlib import Path

from click.testing import CliRunner

from market_pipeline.cli.main import main

SMALL = '[crypto]\ncalendar = "24/7"\nstart = 2024-01-01\nsymbols = ["WALK1-USD", "SIM1-USD"]\n'
LINE = ["backfill", "--market", "crypto", "--start", "2024-12-05", "--end", "2025-01-10", "--dry-run"]


def dry_run(folder: Path, *more: str) -> str:
    (folder / "markets.toml").write_text(SMALL, encoding="utf-8")
    environment = {
        "MARKET_PIPELINE_HOME": str(folder / "data"), "MARKET_PIPELINE_CONFIG": str(folder / "markets.toml"),
        "MARKET_PIPELINE_SOURCE": "simulated",
    }  # fmt: skip
    result = CliRunner().invoke(main, [*LINE, *more], env=environment)
    assert result.exit_code == 0, result.output
    assert not (folder / "data").exists()
    return result.output


def test_a_dry_run_prints_the_runs_and_their_size_and_leaves_no_file(tmp_path: Path) -> None:
    assert dry_run(tmp_path).splitlines() == [
        "crypto: prices, indicators, 2024-01-01 to 2025-01-10",
        "crypto: models, 2024-12-01 to 2025-01-01",
        "crypto: forecasts, scores, leaderboard, signals, mart, 2024-12-05 to 2025-01-10",
        "About 1 min on two cores, 1.5 GB of memory, 0.0 GB of disk. Nothing was started.",
    ]


def test_a_dry_run_as_json_has_the_runs_of_the_named_assets(tmp_path: Path) -> None:
    plan = json.loads(dry_run(tmp_path, "--assets", "models", "--json"))
    assert [(run["assets"], run["first"], run["last"]) for run in plan["runs"]] == [
        (["models"], "2024-12-01", "2025-01-01")
    ]
    assert plan["seconds"] > 0
    assert plan["memory"] > 1e9
