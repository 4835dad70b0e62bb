"""One side of a row in a process of its own: runs a function and prints what it returns.

    python benchmarks/one_side.py MODULE:FUNCTION FOLDER SIZE

The function takes the folder of generated data and the size, and returns {"seconds": ...} and what else it measured.
"""

import importlib
import json
import os
import sys
from pathlib import Path


def main() -> None:
    module, function = sys.argv[1].split(":")
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    found = getattr(importlib.import_module(module), function)(Path(sys.argv[2]), float(sys.argv[3]))
    sys.stdout.write(f"\n{json.dumps(found or {})}\n")


if __name__ == "__main__":
    main()
