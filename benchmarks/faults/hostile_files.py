"""Files of prices that are broken, huge, misleading or meant to harm; each maker writes one below `files/`."""

import csv
import gzip
import io
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = ("date", "open", "high", "low", "close", "volume")

VALUES = (
    "", "nan", "NaN", "inf", "-inf", "1e308", "1e309", "-1", "0", "1e-320", "null", "None", "n/a", "1,5", "1.234,5",
    "0x10", "١٢", "−5", "1_000", "+", "=1+1", "true", "99999999999999999999999999", "1e", "\x00", "--", "'", '"',
    "; drop table prices; --", "12:30", "2024-01-01", " 5 ", "5%", "$5", "5e0", "-0.0",
)  # fmt: skip
DAYS = (
    "", "0000-00-00", "9999-12-31", "0001-01-01", "2024-02-30", "31/12/2024", "2024-1-5", "20240105", "1704067200",
    "1704067200000", "NaT", "infinity", "epoch", "2024-01-05T25:00", "2024-01-05 00:00:00+99:00", "-2024-01-05",
    "262143-12-31", "yesterday", "5.1.24", "2024-W01-5", "2024-01-05Z",
)  # fmt: skip
NAMES = (
    "../../outside/x", "$(touch {canary})", "`touch {canary}`", "'; drop table prices; --", "a\nb", "x" * 200, "%s%n",
    "{{7*7}}", "<script>", "=cmd|' /C calc'!A0", "ﷺ", "AAA\u202e", "con", "AAA'; copy (select 1) to '{canary}'; --",
)  # fmt: skip

Maker = Callable[[Path, random.Random, Path, dict[str, str]], None]


def rows(draw: random.Random, days: int = 10) -> list[list[str]]:
    """Good bars of ten days."""
    made = []
    for day in range(1, days + 1):
        low, high = draw.uniform(9, 10), draw.uniform(11, 12)
        prices = (draw.uniform(low, high), high, low, draw.uniform(low, high), draw.uniform(100, 1000))
        made.append([f"2024-01-{day:02d}", *(f"{price:.4f}" for price in prices)])
    return made


def text_of(lines: list[list[str]], head: tuple[str, ...] = COLUMNS) -> str:
    written = io.StringIO()
    csv.writer(written).writerows([head, *lines])
    return written.getvalue()


def good(path: Path, draw: random.Random) -> None:
    """A file without fault, beside the hostile one."""
    path.write_text(text_of(rows(draw)), encoding="utf-8")


def target(folder: Path, name: str = "AAA.csv") -> Path:
    return folder / "files" / name


def values(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    lines = rows(draw)
    for _ in range(draw.randrange(1, 12)):
        draw.choice(lines)[draw.randrange(1, 6)] = draw.choice(VALUES)
    target(folder).write_text(text_of(lines), encoding="utf-8")


def dates(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    lines = rows(draw)
    for _ in range(draw.randrange(1, 12)):
        draw.choice(lines)[0] = draw.choice(DAYS)
    target(folder).write_text(text_of(lines), encoding="utf-8")


def columns(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """A head that is repeated, missing, renamed, or has thousands of columns."""
    head = list(COLUMNS)
    match draw.randrange(5):
        case 0:
            head[draw.randrange(6)] = draw.choice(NAMES).format(canary=canary)
        case 1:
            head[draw.randrange(6)] = head[draw.randrange(6)]
        case 2:
            del head[draw.randrange(6)]
        case 3:
            head += [f"c{number}" for number in range(3000)]
        case 4:
            head = [draw.choice(VALUES) for _ in head]
    target(folder).write_text(text_of(rows(draw), tuple(head)), encoding="utf-8")


def symbols(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """A long file with symbols that are paths, SQL, shell or markup."""
    lines = [[draw.choice(("AAA", draw.choice(NAMES).format(canary=canary))), *line] for line in rows(draw)]
    target(folder, "long.csv").write_text(text_of(lines, ("symbol", *COLUMNS)), encoding="utf-8")


def file_names(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    name = draw.choice(NAMES).format(canary=canary).replace("/", "_")[:200]
    target(folder, f"{name}.csv").write_text(text_of(rows(draw)), encoding="utf-8")


def bytes_at_random(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    suffix = draw.choice((".csv", ".csv.gz", ".parquet", ".txt", ".tsv"))
    target(folder, f"AAA{suffix}").write_bytes(draw.randbytes(draw.choice((0, 1, 3, 100, 100_000))))


def damaged(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """A good file of each kind with bytes changed, or cut short."""
    kind = draw.choice(("csv", "csv.gz", "parquet"))
    content = {"csv": _csv, "csv.gz": lambda made: gzip.compress(_csv(made)), "parquet": _parquet}[kind](draw)
    whole = bytearray(content)
    for _ in range(draw.randrange(1, 8)):
        whole[draw.randrange(len(whole))] = draw.randrange(256)
    cut = len(whole) if draw.random() < 0.5 else draw.randrange(len(whole))
    target(folder, f"AAA.{kind}").write_bytes(bytes(whole[:cut]))


def quoting(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """Quotes without an end, separators in numbers, line ends of all kinds, other encodings."""
    text = text_of(rows(draw)).replace("\r\n", draw.choice(("\n", "\r", "\r\r\n", "\n\n", "\0\n", "\u2028")))
    place = draw.randrange(len(text))
    text = text[:place] + draw.choice(('"', '""', "'", "\\", ",", ";", "\t", "#", "\x1a", "")) + text[place:]
    encoding = draw.choice(("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp037"))
    target(folder).write_bytes(text.encode(encoding, errors="replace"))


def huge(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """A line of megabytes, a bomb in gzip, a million empty lines, a number of a million digits."""
    match draw.randrange(4):
        case 0:
            target(folder).write_text(",".join(COLUMNS) + "\n" + "x" * 20_000_000, encoding="utf-8")
        case 1:
            target(folder, "AAA.csv.gz").write_bytes(gzip.compress(bytes(50_000_000), 1))
        case 2:
            target(folder).write_text(text_of(rows(draw)) + "\n" * 1_000_000, encoding="utf-8")
        case 3:
            lines = rows(draw)
            lines[3][1] = "9" * 1_000_000
            target(folder).write_text(text_of(lines), encoding="utf-8")


def links(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """Links to devices, to themselves, to nowhere; a pipe, a folder and a socket with the name of a file."""
    path = target(folder)
    match draw.randrange(6):
        case 0:
            path.symlink_to("/dev/zero")
        case 1:
            path.symlink_to(path)
        case 2:
            path.symlink_to(folder / "nowhere")
        case 3:
            os.mkfifo(path)
        case 4:
            path.mkdir()
        case 5:
            (folder / "files" / "loop").symlink_to(folder / "files")


def types(folder: Path, draw: random.Random, canary: Path, environment: dict[str, str]) -> None:
    """Parquet whose columns have types that no price has."""
    count = 10
    kinds: list[pa.Array] = [
        pa.array([[1.0]] * count), pa.array([{"a": 1}] * count), pa.array([b"\xff"] * count), pa.nulls(count),
        pa.array([True] * count), pa.array([2**63 - 1] * count), pa.array(["x"] * count).dictionary_encode(),
        pa.array([None, *[float("inf")] * (count - 1)]), pa.array([-(2**31)] * count, pa.date32()),
        pa.array([2**62] * count, pa.timestamp("ms")), pa.array([1] * count, pa.duration("s")),
    ]  # fmt: skip
    table = pa.table(_columns(draw))
    for _ in range(draw.randrange(1, 3)):
        place = draw.randrange(table.num_columns)
        table = table.set_column(place, table.column_names[place], draw.choice(kinds))
    pq.write_table(table, target(folder, "AAA.parquet"))


def _columns(draw: random.Random) -> dict[str, Any]:
    made = list(zip(*rows(draw), strict=True))
    return {"date": pa.array(made[0]).cast(pa.date32())} | {
        name: pa.array([float(value) for value in made[place]]) for place, name in enumerate(COLUMNS) if place
    }


def _csv(draw: random.Random) -> bytes:
    return text_of(rows(draw)).encode()


def _parquet(draw: random.Random) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.table(_columns(draw)), written)
    return written.getvalue()


MAKERS: dict[str, Maker] = {
    "files: values": values,
    "files: dates": dates,
    "files: columns": columns,
    "files: symbols": symbols,
    "files: names of files": file_names,
    "files: random bytes": bytes_at_random,
    "files: damaged": damaged,
    "files: quotes and encodings": quoting,
    "files: huge": huge,
    "files: links and devices": links,
    "files: types of columns": types,
}
