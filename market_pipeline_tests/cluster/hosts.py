"""Hosts of one machine: network namespaces joined by a bridge.

A host has an address, a name that the other hosts know, and processes, folders and shared memory of its own.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from market_pipeline_tests.cluster import services
from market_pipeline_tests.pages import TOP

SHARED = Path("/srv")
"""Below it lie the folders of every service: each host has its own."""

NAMES = 'for file in hosts resolv.conf; do mount --bind "$0/$file" "/etc/$file"; done'
"""A host's own names, as `sh -c` with the host's folder."""

ENTER = f"""
{NAMES}; hostname "$1"; shift
mount --bind "$0/srv" {SHARED}; cd {SHARED}/market-pipeline
mount -t tmpfs tmpfs /dev/shm; mkdir -p /tmp/ray; mount --bind "$0/ray" /tmp/ray
while [ "$1" != -- ]; do mkdir -p "$2"; mount --bind "$1" "$2"; shift 2; done
shift
"$@" &
wait $!
"""
"""The first process of a host, as `sh -c`: folder, name, pairs of folder and place, `--`, command. It waits for the
command instead of becoming it, for the first process of a host is the only one that ends its orphans."""

NO_SERVER = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
"""Nobody listens there: a program that asks for more than a name in /etc/hosts is refused at once."""


def lacking() -> str:
    """What this machine lacks to make hosts; empty if nothing."""
    if os.getuid() != 0:
        return "the rights of root"
    if TOP.is_relative_to(SHARED):
        return f"a checkout outside {SHARED}, which each host has for itself"
    for tool, package in {"ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux"}.items():
        if not shutil.which(tool):
            return f"{tool} (Debian: {package})"
    made = subprocess.run(["ip", "netns", "add", probe := f"mp{uuid4().hex[:6]}"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "delete", probe], capture_output=True, check=False)
    return services.missing() if made.returncode == 0 else "network namespaces (ip netns add)"


@dataclass
class Network:
    """A bridge with hosts on it; removed with them."""

    octet: int = field(default_factory=lambda: os.getpid() % 250 + 1)
    hosts: dict[str, str] = field(default_factory=dict)
    """The namespace of each host by its name."""

    @property
    def bridge(self) -> str:
        return f"mp{self.octet}"

    def address(self, host: str) -> str:
        return f"10.213.{self.octet}.{list(self.hosts).index(host) + 2}"

    def link(self, host: str) -> str:
        """The bridge's end of a host's cable."""
        return f"{self.bridge}-{list(self.hosts).index(host)}"

    def make(self, names: Sequence[str]) -> None:
        """The bridge, and a host on it for each name."""
        self.hosts = {name: f"{self.bridge}-{name}" for name in names}
        ip("link", "add", self.bridge, "type", "bridge")
        ip("address", "add", f"10.213.{self.octet}.1/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for name, space in self.hosts.items():
            ip("netns", "add", space)
            ip("link", "add", self.link(name), "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", self.link(name), "master", self.bridge, "up")
            ip("-n", space, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                ip("-n", space, "link", "set", device, "up")
            # Programs find their own address by the way to other networks.
            ip("-n", space, "route", "add", "default", "via", f"10.213.{self.octet}.1")

    def cut(self, host: str) -> None:
        """Pull the cable of a host."""
        ip("link", "set", self.link(host), "down")

    def join(self, host: str) -> None:
        """Plug it in again."""
        ip("link", "set", self.link(host), "up")

    def remove(self) -> None:
        for space in self.hosts.values():
            subprocess.run(["ip", "netns", "delete", space], capture_output=True, check=False)
        subprocess.run(["ip", "link", "delete", self.bridge], capture_output=True, check=False)


def ip(*arguments: str) -> None:
    """One change of the network."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
