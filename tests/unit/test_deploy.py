"""What the files for deploying name exists in the code: commands, options, variables, paths."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from docmill.cli import app

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "DOCMILL_IMAGE" in service["image"]}
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
SETTINGS = "".join(path.read_text() for path in (ROOT / "docmill").rglob("*.py"))


def commands() -> Iterator[tuple[str, list[str]]]:
    for name, service in OURS.items():
        yield name, service["command"]
        if check := service.get("healthcheck"):
            _cmd, program, *arguments = check["test"]
            assert program == "docmill"
            yield f"{name}'s health check", arguments


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda value: str(value))
def test_every_command_of_the_compose_file_is_docmills(name: str, command: list[str]) -> None:
    context = COMMANDS[command[0]].make_context(command[0], command[1:], resilient_parsing=False)
    assert context.info_name == command[0]


def test_every_variable_of_the_compose_file_is_a_setting() -> None:
    for service in OURS.values():
        for variable in service["environment"]:
            name = variable.removesuffix("_FILE")
            assert name in SETTINGS, f"{variable} is read nowhere"


def test_every_secret_is_made_and_given(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    script = tmp_path / "deploy" / "make-secrets"
    script.write_text((ROOT / "deploy" / "make-secrets").read_text())
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "deploy" / "secrets").iterdir()}
    assert {entry["file"] for entry in COMPOSE["secrets"].values()} == {f"deploy/secrets/{name}" for name in made}
    assert made["postgres_password"] in made["database_url"]
    for service in COMPOSE["services"].values():
        assert set(service.get("secrets", [])) <= set(made)
        for value in _strings(service):
            for secret in re.findall(r"/run/secrets/(\w+)", value):
                assert secret in service["secrets"], f"{value} needs the secret {secret}"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def test_the_containerfile_takes_what_is_there() -> None:
    text = (ROOT / "Containerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists(), name
            assert f"!{name}\n" in (ROOT / ".containerignore").read_text()
    *_, last = (line for line in text.splitlines() if line.startswith("USER"))
    assert last == "USER 10001", "it does not run as root"
