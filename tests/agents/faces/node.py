"""Official clients in JavaScript: installed once from the registry into a folder that is kept, run as processes."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).with_name("js")
PACKAGES = {"openai": "^7", "@modelcontextprotocol/sdk": "^1.32", "ai": "^6", "@ag-ui/client": "^1"}
INSTALL_SECONDS = 600
RUN_SECONDS = 240


@cache
def folder() -> Path:
    """Where the packages are. Skips the test where they can't be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node.js with npm is not installed")
    manifest = json.dumps({"private": True, "type": "module", "dependencies": PACKAGES})
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache_home / "lifevault-tests" / f"node-{hashlib.sha256(manifest.encode()).hexdigest()[:12]}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may come at once
        if not (home / "installed").exists():
            (home / "package.json").write_text(manifest)
            command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=INSTALL_SECONDS)
            if done.returncode:
                pytest.skip("npm could not install the clients: " + done.stderr.strip()[-300:])
            (home / "installed").touch()
    return home


async def run(script: str, *arguments: str) -> str:
    """What a script prints; it fails the test with what it says."""
    home = await asyncio.to_thread(folder)
    shutil.copy(SCRIPTS / script, home / script)
    process = await asyncio.create_subprocess_exec(
        "node", script, *arguments, cwd=home, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, output.decode()[-5_000:]
    return output.decode()
