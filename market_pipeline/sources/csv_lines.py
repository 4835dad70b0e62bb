"""The lines of a CSV file: read in blocks, and found again once one is wrong.

Knows bytes and line ends; no column.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO

BLOCK = 16 << 20
"""Bytes of a file that are parsed at once."""


def blocks(file: IO[bytes], line: int) -> Iterator[tuple[int, bytes]]:
    """The rest of a file in pieces that end with a line, each with the number of its first line."""
    while block := file.read(BLOCK):
        block += file.readline()
        if not block.isspace():
            yield line, block
        line += block.count(b"\n")


class Lines:
    """Where the rows of a block of CSV stand in their file; looked up only once something is wrong.

    `first` is the number of the block's first line, `strange` the text of the lines that the parser refused;
    the attribute `strange` has their numbers.
    """

    def __init__(self, block: bytes, first: int, strange: Sequence[str]) -> None:
        self._block, self._first = block, first
        self.strange: list[int] = []
        if strange:
            texts = {text.rstrip("\r\n") for text in strange}
            self.strange = [at for at, text in self._filled() if text in texts]

    def _filled(self) -> Iterator[tuple[int, str]]:
        lines = self._block.decode("utf-8", "replace").split("\n")
        return ((self._first + at, text.rstrip("\r")) for at, text in enumerate(lines) if text.rstrip("\r"))

    def of(self, row: int) -> int:
        """The number of the line that a row stands on: the `row`-th that is neither empty nor strange."""
        strange = set(self.strange)
        return next(islice((at for at, _ in self._filled() if at not in strange), row, None))
