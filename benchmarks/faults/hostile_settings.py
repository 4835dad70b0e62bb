"""Markets files, variables and stored files that are broken or meant to harm."""

import hashlib
import os
import pickle
import random
from io import BytesIO
from pathlib import Path

from benchmarks.faults.hostile_files import NAMES, Maker

GOOD = {
    "calendar": '"24/7"', "start": "2024-01-01", "symbols": '["AAA", "BBB"]', "schedule_hour": "4",
    "settle_minutes": "60", "absurd_factor": "5.0", "cost_bps": "10.0", "listed": "{AAA = 2024-01-03}",
    "delisted": "{BBB = 2024-01-08}", "accepted_holes": "{AAA = [2024-01-04]}", "exchange": '"kraken"',
    "cross_check_tolerance": "0.02",
}  # fmt: skip

ODD = (
    '""', "[]", "{}", "0", "-1", "1e400", "nan", "inf", "true", "99999999999999999999", '"' + "x" * 5000 + '"',
    "2024-02-30", "0001-01-01", "9999-12-31", "1969-12-31", "2024-01-01T00:00:00Z", "[[[[]]]]", '"$(touch {canary})"',
    '"../../outside"', "[1, 2]", '["AAA", "AAA"]', '[" "]', '["\\u0000"]', '["' + "x" * 65 + '"]', '["AAA\\nBBB"]',
    "12:30:00", '"XNYS"', '"Mars"', "{AAA = 1}", "{AAA = []}", '{"" = 2024-01-01}', '"%s"', "0x7fffffffffffffff",
    '["__import__(\'os\').system(\'touch {canary}\')"]',
)  # fmt: skip

VARIABLES = ("HOME", "SOURCE", "CONFIG", "FILES", "ALERTS")


def markets_values(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """Some keys of a good market with odd values, some missing, one unknown."""
    keys = dict(GOOD)
    for name in draw.sample(sorted(keys), draw.randrange(1, 4)):
        keys[name] = draw.choice(ODD).replace("{canary}", str(canary))
    if draw.random() < 0.2:
        del keys[draw.choice(sorted(keys))]
    if draw.random() < 0.1:
        keys["unknown"] = "1"
    lines = "\n".join(f"{name} = {value}" for name, value in keys.items())
    (folder / "markets.toml").write_text(f"[coins]\n{lines}\n", encoding="utf-8")


def markets_names(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """A market whose name is a path, SQL or shell, or a word that the program uses itself."""
    name = draw.choice((*NAMES, "mart", "prices", "market", "__class__", "select", "")).format(canary=canary)
    name = name.replace("\n", "\\n").replace('"', '\\"')
    text = (folder / "markets.toml").read_text(encoding="utf-8")
    (folder / "markets.toml").write_text(text + text.replace("[coins]", f'["{name}"]'), encoding="utf-8")


def markets_bytes(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """A markets file that is no text, nested a thousand times, or changed somewhere."""
    path = folder / "markets.toml"
    content = bytearray(path.read_bytes())
    match draw.randrange(4):
        case 0:
            content = bytearray(draw.randbytes(draw.choice((0, 1, 1000))))
        case 1:
            content = bytearray(b"a = " + b"[" * 5000 + b"]" * 5000)
        case 2:
            content = bytearray(b"[" + b"a." * 2000 + b"a]\nb = 1\n")
        case 3:
            for _ in range(3):
                content[draw.randrange(len(content))] = draw.randrange(256)
    path.write_bytes(bytes(content))


def many_symbols(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """Thousands of symbols, or symbols that are paths, SQL or shell."""
    if draw.random() < 0.3:
        names = [f"S{number}" for number in range(3000)]
    else:
        names = [name.format(canary=canary)[:64].replace("\n", "\\n") for name in NAMES]
    spelt = ", ".join('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names)
    text = f'[coins]\ncalendar = "24/7"\nstart = 2024-01-01\nsymbols = ["AAA", {spelt}]\n'
    (folder / "markets.toml").write_text(text, encoding="utf-8")


def variables(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """A variable that names nothing, a file where a folder must be, a folder where a file must be, a device."""
    (folder / "a file").write_text("", encoding="utf-8")
    odd = ("", "x", "/dev/null", str(folder / "a file"), str(folder), str(folder / "no" / "where"), "\t", "é'\"?#&",
           str(folder / "it's 100% ? odd" / "data"), f"$(touch {canary})", "a" * 300)  # fmt: skip
    name = draw.choice(VARIABLES)
    environment[f"MARKET_PIPELINE_{name}"] = draw.choice(odd)
    if not environment["MARKET_PIPELINE_SOURCE"]:  # which would be Yahoo
        environment["MARKET_PIPELINE_SOURCE"] = "x"
    if not environment["MARKET_PIPELINE_HOME"].startswith("/"):
        environment["MARKET_PIPELINE_HOME"] = str(folder / environment["MARKET_PIPELINE_HOME"] / "data")


def stored_files(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """A data directory with files of another kind under the names of ours."""
    data = folder / "data"
    (data / "dagster").mkdir(parents=True)
    name = draw.choice(("warehouse.duckdb", "mart.duckdb", "source", "dagster/dagster.yaml", "report.html", "models"))
    content = draw.choice(
        (b"", b"\x00" * 5000, b"SQLite format 3\x00" + bytes(5000), draw.randbytes(20_000), b"simulated\n", b"yahoo",
         f"!!python/object/apply:os.system ['touch {canary}']\n".encode(), b"telemetry: [\n", b"a: &a [*a]\n")
    )  # fmt: skip
    (data / name).write_bytes(content)


MAKERS: dict[str, Maker] = {
    "markets file: values": markets_values,
    "markets file: names of markets": markets_names,
    "markets file: bytes": markets_bytes,
    "markets file: symbols": many_symbols,
    "variables": variables,
    "stored files of another kind": stored_files,
}


class Touching:
    """An object whose unpickling makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.system, (f"touch {self.path}",)


def poison(data: Path, canary: Path, form: str) -> int:
    """Replace every registered model by one that makes `canary` when it is loaded; how many."""
    import duckdb
    import numpy as np
    import skops.io

    if form == "pickle":
        content = pickle.dumps({"parameters": Touching(canary)})
    elif form == "npz":
        arrays = BytesIO()
        np.savez(arrays, parameters=np.array([Touching(canary)], dtype=object))
        content = arrays.getvalue()
    else:
        content = skops.io.dumps({"parameters": os.system, "command": f"touch {canary}"})
    digest = hashlib.sha256(content).hexdigest()
    files = sorted((data / "models").rglob("*.npz"))
    for path in files:
        path.write_bytes(content)
    with duckdb.connect(str(data / "warehouse.duckdb")) as connection:
        connection.execute("update models set sha256 = $digest", {"digest": digest})
    return len(files)
