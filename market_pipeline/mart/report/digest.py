"""The last line of a report: a digest of everything before it, by which damage on a disk is noticed.

HTML has no checksum of its own: a flipped bit would be another digit or another letter.
"""

import hashlib

LINE = b"<!-- sha256 of everything above: %s -->\n"


def with_digest(page: bytes) -> bytes:
    """A page with its digest as the last line.

    >>> is_whole(with_digest(b"<p>1</p>"))
    True
    """
    above = page.rstrip(b"\n") + b"\n"
    return above + LINE % _digest(above)


def is_whole(content: bytes) -> bool:
    """Whether a file is as it was written, by its last line; False for one without a digest.

    >>> is_whole(with_digest(b"<p>1</p>").replace(b"1", b"3", 1))
    False
    """
    above = content[: -len(LINE % _digest(b""))]
    return content == above + LINE % _digest(above)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
