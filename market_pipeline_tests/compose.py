"""A compose file as it is read by those who test it: services with their commands, environment, folders and order.

Reads what deploy/compose.yaml uses of the format, and refuses a variable that must be set and is not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

COMPOSE = Path(__file__).parent.parent / "deploy" / "compose.yaml"
VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")


@dataclass(frozen=True)
class Service:
    """One service of the file, its variables replaced."""

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    after: Mapping[str, str]
    """The services that must be there before it, each with the condition that it must meet."""
    health: tuple[str, ...]
    """The command that succeeds when the service is healthy; empty if the file has none."""
    volumes: tuple[tuple[str, str], ...]
    """Folder or name of a volume, and its place in the service."""
    restarts: bool
    """Whether it is started again when it ends by itself."""
    profiles: tuple[str, ...]
    """Those that start it; empty for a service that is always started."""


def services_of(variables: Mapping[str, str], path: Path = COMPOSE) -> dict[str, Service]:
    """The services of a file in the order in which they start."""
    text = path.read_text(encoding="utf-8")
    found = {name: _service(name, entry, variables) for name, entry in yaml.safe_load(text)["services"].items()}
    ordered = dict[str, Service]()
    while left := [service for service in found.values() if service.name not in ordered]:
        ready = [service for service in left if set(service.after) <= set(ordered)]
        assert ready, f"services that wait for each other or for none that exists: {[each.name for each in left]}"
        ordered |= {service.name: service for service in ready}
    return ordered


def replaced(text: str, variables: Mapping[str, str]) -> str:
    """A text with its variables: `${NAME}`, `${NAME:-default}`, `${NAME:?message}`; an empty one counts as unset.

    >>> replaced("${A:-one} ${B:-two}", {"B": "2"})
    'one 2'
    """

    def value(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if kind == ":?" and not variables.get(name):
            raise KeyError(f"{name}: {rest}")
        return variables.get(name) or (rest if kind == ":-" else "")

    return VARIABLE.sub(value, text)


def _service(name: str, entry: Mapping[str, Any], variables: Mapping[str, str]) -> Service:
    def of(text: Any) -> str:
        return replaced(str(text), variables)

    health = entry.get("healthcheck", {}).get("test", ["CMD"])
    assert health[0] == "CMD", f"{name}: a shell's command is not read here: {health}"
    sources = [of(volume).removesuffix(":ro").split(":") for volume in entry.get("volumes", ())]
    return Service(
        name,
        of(entry["image"]),
        tuple(map(of, entry.get("command", ()))),
        {key: of(text) for key, text in entry.get("environment", {}).items()},
        {other: state["condition"] for other, state in entry.get("depends_on", {}).items()},
        tuple(map(of, health[1:])),
        tuple((source, target) for source, target in sources),
        entry.get("restart") == "unless-stopped",
        tuple(entry.get("profiles", ())),
    )
