"""Dockerfile and compose file: known instructions, files that exist, nothing run as root."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.tidy.sources import ROOT

DEPLOY = ROOT / "deploy"
INSTRUCTIONS = {
    "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD",
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    """Return (instruction, rest) of the Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def test_the_image_uses_known_instructions_and_a_user_of_its_own() -> None:
    names = [name for name, _ in instructions()]
    assert set(names) <= INSTRUCTIONS
    users = [rest for name, rest in instructions() if name == "USER"]
    assert users[-1] == "bulkhead"
    assert ("ENTRYPOINT", '["bulkhead"]') in instructions()


def test_what_the_image_copies_exists() -> None:
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            *sources, _ = rest.split()
            assert [source for source in sources if not (ROOT / source).exists()] == []


def test_images_are_pinned_to_a_version() -> None:
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert all(":" in base and not base.endswith(":latest") for base in bases)


def test_services_run_commands_with_configurations_that_exist() -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert list(composed["services"]) == ["chain", "serve", "attest", "relay"]
    for name, service in composed["services"].items():
        command = service["command"]
        assert command[0] == name
        config = command[command.index("--config") + 1]
        assert (DEPLOY / "config" / config.removeprefix("/etc/bulkhead/")).is_file()
        assert set(service.get("depends_on", [])) <= composed["services"].keys()
        assert service["restart"] == ("no" if name == "chain" else "on-failure")


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("config/*.toml")), ids=lambda path: path.name)
def test_configurations_have_both_tables(path: Path) -> None:
    loaded = tomllib.loads(path.read_text())
    assert {"matcher", "settlement"} <= loaded.keys()
