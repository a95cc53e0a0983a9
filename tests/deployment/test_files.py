"""Workflows and compose as their published schemas want them, and as the settings and the Dockerfile have it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.core.config import Settings
from tests import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
COMPOSE = ROOT / "docker-compose.yml"


def said_by(program: str, *arguments: str) -> str:
    """What a program for checking says. It ends with 0 when nothing is wrong."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_workflows_are_valid():
    assert {path.stem for path in WORKFLOWS} == {"test", "build", "deploy"}
    assert "ok" in said_by(
        "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *(str(path) for path in WORKFLOWS)
    )


def test_the_workflows_have_no_known_weakness():
    said_by("zizmor", "--offline", "--no-progress", ".github")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_script_of_a_workflow_is_bash(path: Path):
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    scripts = [step["run"] for job in jobs for step in job.get("steps", []) if "run" in step]

    assert scripts
    for script in scripts:
        assert "${{" not in script  # what comes from outside comes by the environment
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_the_workflow_finds_the_command_of_the_readme():
    steps = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]["start"]["steps"]
    script = next(step["run"] for step in steps if "run" in step)
    first = script.splitlines()[0]

    printed = subprocess.run(
        ["bash", "-c", f'{first}; echo "$command"'], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip().endswith("lifevault up")


def test_compose_is_valid_and_knows_only_settings_that_there_are():
    assert "ok" in said_by("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE))
    compose = yaml.safe_load(COMPOSE.read_text())
    named = {name for name in compose["x-app"]["environment"] if name.startswith("LIFEVAULT_")}

    assert named <= {f"LIFEVAULT_{name.upper()}" for name in Settings.model_fields}
    assert set(compose["services"]) == {"migrate", "api", "worker", "beat", "postgres", "redis", "s3"}
    assert {volume.partition(":")[0] for each in compose["services"].values() for volume in each["volumes"]} == set(
        compose["volumes"]
    )


def test_the_image_is_built_of_what_there_is():
    dockerfile = (ROOT / "Dockerfile").read_text()
    sources = [
        name for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE) for name in line.split()[:-1]
    ]

    assert [name for name in sources if not (ROOT / name).exists()] == []
    assert set(re.findall(r"^FROM \S+ AS (\w+)$", dockerfile, re.MULTILINE)) >= {"server", "function"}
