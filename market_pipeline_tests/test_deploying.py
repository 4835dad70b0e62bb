"""What lies in deploy/: each command parses, each variable is a setting, no secret and no missing file."""

import configparser
import re
import shlex
from pathlib import Path

import pytest

from market_pipeline.config.settings import Settings, variables
from market_pipeline_tests.compose import COMPOSE, Service, replaced, services_of
from market_pipeline_tests.pages import TOP
from market_pipeline_tests.test_docs import assert_parsed

SECRETS = {"PGPASSWORD": "word", "AWS_ACCESS_KEY_ID": "name", "AWS_SECRET_ACCESS_KEY": "key"}
SERVICES = services_of(SECRETS)
OURS = [service for service in SERVICES.values() if service.image.startswith("market-pipeline")]
UNITS = sorted((COMPOSE.parent / "systemd").glob("*.service"))
FOREIGN = re.compile(r"^(AWS_|PG|POSTGRES_|RCLONE_|RAY_|CONFIG$|FILES$|WORKER_CPUS$)")
"""Variables of other programs, and three of the compose file alone."""


def test_services_start_in_the_order_of_their_conditions() -> None:
    order = list(SERVICES)
    assert all(order.index(other) < order.index(service.name) for service in OURS for other in service.after)
    for service in SERVICES.values():
        for other, condition in service.after.items():
            assert condition == "service_healthy"
            assert SERVICES[other].health, f"{service.name} waits for the health of {other}, which has no check"


@pytest.mark.parametrize("service", OURS, ids=lambda service: service.name)
def test_a_service_starts_a_command_that_exists(service: Service) -> None:
    if service.command[0] == "market-pipeline":
        assert_parsed(list(service.command))
    else:
        assert service.command[:2] == ("ray", "start")


@pytest.mark.parametrize("service", OURS, ids=lambda service: service.name)
def test_the_environment_of_a_service_is_accepted(service: Service) -> None:
    environment = {name: text for name, text in service.environment.items() if name.startswith("MARKET_PIPELINE_")}
    assert set(environment) <= set(variables())
    if service.name != "reader":
        assert Settings.from_environment(environment).warehouse


def test_a_reader_gets_no_password_of_the_catalogue() -> None:
    assert "PGPASSWORD" not in SERVICES["reader"].environment
    assert "MARKET_PIPELINE_WAREHOUSE" not in SERVICES["reader"].environment


def test_no_secret_is_in_the_file_and_none_may_be_missing() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    for name in SECRETS:
        assert set(re.findall(rf"\$\{{{name}[^}}]*\}}", text)) == {f"${{{name}:?set it in .env}}"}
        with pytest.raises(KeyError, match=name):
            services_of(SECRETS | {name: ""})
    assert set(
        re.findall(r"^(\w+)=$", (COMPOSE.parent / "env.example").read_text(encoding="utf-8"), re.MULTILINE)
    ) == set(SECRETS)


def test_variables_of_the_example_are_those_that_the_file_reads() -> None:
    example = (COMPOSE.parent / "env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))
    read = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    assert named == read
    assert {name for name in named if not FOREIGN.match(name)} <= set(variables())


def test_what_the_image_copies_exists_and_is_sent_to_the_builder() -> None:
    lines = (COMPOSE.parent / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]}
    ignored = (COMPOSE.parent / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied == {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert all((TOP / name).exists() for name in copied)


def test_the_version_of_the_image_is_that_of_the_program() -> None:
    from market_pipeline import __version__

    assert {service.image for service in OURS} == {f"market-pipeline:{__version__}"}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_an_existing_command(path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys as systemd spells them
    unit.read_string(path.read_text(encoding="utf-8"))
    words = shlex.split(unit["Service"]["ExecStart"])
    if Path(words[0]).name == "market-pipeline":
        assert_parsed(words)
    assert set(re.findall(r"MARKET_PIPELINE_\w+", path.read_text(encoding="utf-8"))) <= set(variables())
    named = {word for key in ("After", "Requires", "Wants") for word in unit["Unit"].get(key, "").split()}
    assert {name for name in named if name.startswith("market-")} <= {each.name for each in UNITS}


def test_a_variable_that_must_be_set_is_named() -> None:
    with pytest.raises(KeyError, match="A: set it"):
        replaced("${A:?set it}", {})
