"""The whole product as a user starts it: `lifevault up` with real processes, in a folder with a space in its name."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

READY_SECONDS = 120
JOB_SECONDS = 120
TOKEN_SECONDS = 86_400  # the long runs take longer than a token lives


@dataclass
class Person:
    """A signed-in person."""

    client: httpx.Client
    email: str
    password: str
    vault_id: str = ""


@dataclass
class Stack:
    """A running LifeVault."""

    folder: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            str(Path(sys.executable).with_name("lifevault")),
            "up",
            "--port",
            str(self.port),
            "--data",
            str(self.folder),
        ]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LIFEVAULT_")}
        with (self.folder.parent / "up.log").open("ab") as log:
            environment = {**kept, "LIFEVAULT_ACCESS_TOKEN_SECONDS": str(TOKEN_SECONDS), **self.environment}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.wait_ready()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self.process is None or self.process.poll() is None, (self.folder.parent / "up.log").read_text()
            time.sleep(0.1)
        raise AssertionError("not ready in time: " + (self.folder.parent / "up.log").read_text())

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def close(self) -> None:
        self.stop()
        for client in self.clients:
            client.close()

    def person(self) -> Person:
        client = httpx.Client(base_url=self.url, timeout=60)
        self.clients.append(client)
        person = Person(client, f"{secrets.token_hex(6)}@family.example", secrets.token_urlsafe(12))
        account = {"email": person.email, "password": person.password, "name": "Robin Varga"}
        client.post("/v1/auth/register", json=account).raise_for_status()
        self.sign_in(person)
        vault = {"name": "Family papers", "kind": "personal", "tier": "assisted"}
        person.vault_id = client.post("/v1/vault/vaults", json=vault).raise_for_status().json()["id"]
        return person

    def sign_in(self, person: Person) -> None:
        form = {"username": person.email, "password": person.password}
        answer = person.client.post("/v1/auth/token", data=form).raise_for_status().json()
        person.client.headers["Authorization"] = f"Bearer {answer['access_token']}"


def upload(person: Person, name: str, content: bytes) -> dict[str, str]:
    response = person.client.post(
        "/v1/vault/documents", data={"vault_id": person.vault_id}, files={"file": (name, content)}
    )
    assert response.status_code == 202, response.text
    return response.json()


def wait_for_job(person: Person, job_id: str, seconds: float = JOB_SECONDS) -> dict[str, object]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job: dict[str, object] = person.client.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        if job["state"] in ("succeeded", "failed"):
            return job
        time.sleep(0.1)
    raise AssertionError(f"job {job_id} did not end: {job}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
