"""The result of one check."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Whether the subject is healthy; the message describes it, or what is wrong and how to fix it."""

    subject: str
    ok: bool
    message: str
