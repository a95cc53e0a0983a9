"""Packages of npm for tests, installed once into a folder of the session."""

import shutil
import subprocess
from pathlib import Path

import pytest

NPM = shutil.which("npm")
NODE = shutil.which("node")
MINUTES = 5


def npm_install(folder: Path, *packages: str) -> Path:
    """Install packages into a folder; the test is skipped where there is no npm or no registry."""
    if NPM is None or NODE is None:
        pytest.skip("npm is not installed")
    (folder / "package.json").write_text('{"name": "lifevault-tests", "private": true, "type": "module"}')
    command = [NPM, "install", "--no-audit", "--no-fund", "--loglevel=error", *packages]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=MINUTES * 60)
    if done.returncode:
        pytest.skip("npm reaches no registry: " + done.stderr[-200:])
    return folder


def run_node(folder: Path, script: str, *arguments: str) -> str:
    """What a script prints; it must succeed."""
    assert NODE is not None
    (folder / "script.mjs").write_text(script)
    command = [NODE, "script.mjs", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=MINUTES * 60)
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-5_000:]
    return done.stdout
