"""When `lifevault up` brings the payment simulator along, and when it must not."""

import json
from pathlib import Path

import httpx
import pytest

from app.cli.embedded.environment import child_environment, read_given
from app.cli.embedded.instance import prepare, service_specs
from app.cli.embedded.secrets import load_or_create_secrets
from app.core.config import SettingsError, load_settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("LIFEVAULT_")] + ["DATABASE_URL", "REDIS_URL"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def prepared(folder: Path):
    return prepare(folder, "127.0.0.1", 8000, read_given())


def names(instance) -> set[str]:
    return {spec.name for spec in service_specs(instance)}


def test_the_api_is_told_of_the_simulator_and_the_simulator_of_the_api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    instance = prepared(tmp_path)
    for name, value in child_environment(instance.filled).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    command = instance.simulator.command()

    assert "simulator" in names(instance)
    assert settings.payment_provider == "sim"
    assert settings.sim_url == f"http://127.0.0.1:{instance.simulator.port}"
    assert command.env["LIFEVAULT_SIM_KEY"] == settings.sim_key.get_secret_value()
    assert command.env["LIFEVAULT_PAYMENT_WEBHOOK_SECRETS"] == settings.payment_webhook_secrets.get_secret_value()
    assert "http://127.0.0.1:8000/v1/payments/webhooks/sim" in command.argv
    assert not any(settings.sim_key.get_secret_value() in argument for argument in command.argv)


def test_port_and_secrets_stay_the_same(tmp_path: Path):
    first, second = prepared(tmp_path).simulator, prepared(tmp_path).simulator

    assert first == second
    assert first.key.startswith("sk_test_")
    assert len(first.key) > 40


def test_a_folder_from_before_the_simulator_gets_its_secrets_once(tmp_path: Path):
    load_or_create_secrets(tmp_path)
    path = tmp_path / "secrets.json"
    old = {name: value for name, value in json.loads(path.read_text()).items() if not name.startswith("sim_")}
    path.write_text(json.dumps(old))

    first, second = load_or_create_secrets(tmp_path), load_or_create_secrets(tmp_path)

    assert first == second
    assert first.root_keys == old["root_keys"]
    assert first.sim_key.startswith("sk_test_")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIFEVAULT_STRIPE_API_KEY", "sk_live_0123456789"),
        ("LIFEVAULT_STRIPE_API_KEY", "rk_live_0123456789"),
        ("LIFEVAULT_PAYMENT_PROVIDER", "none"),
    ],
)
def test_it_is_left_out_beside_a_live_key_and_where_nothing_is_to_be_paid(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
):
    monkeypatch.setenv(name, value)
    instance = prepared(tmp_path)

    assert instance.simulator is None
    assert instance.simulator_url == ""
    assert "simulator" not in names(instance)
    assert not any(setting.startswith("sim_") for setting in instance.filled)


def test_it_is_left_out_where_stripe_was_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LIFEVAULT_PAYMENT_PROVIDER", "stripe")
    monkeypatch.setenv("LIFEVAULT_STRIPE_API_KEY", "sk_test_0123456789")
    monkeypatch.setenv("LIFEVAULT_PAYMENT_WEBHOOK_SECRETS", "whsec_0123456789")

    assert prepared(tmp_path).simulator is None


def test_who_wants_it_beside_a_live_key_is_told_why_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LIFEVAULT_PAYMENT_PROVIDER", "sim")
    monkeypatch.setenv("LIFEVAULT_STRIPE_API_KEY", "sk_live_0123456789")

    with pytest.raises(SettingsError, match="must not stand beside a live key"):
        prepared(tmp_path)


def test_a_key_of_ones_own_is_given_to_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LIFEVAULT_SIM_KEY", "sk_test_of_my_own_0123456789")
    monkeypatch.setenv("LIFEVAULT_PAYMENT_WEBHOOK_SECRETS", "whsec_mine_0123456789, whsec_older_0123456789")
    instance = prepared(tmp_path)

    assert instance.simulator.key == "sk_test_of_my_own_0123456789"
    assert instance.simulator.webhook_secret == "whsec_mine_0123456789"
    assert "sim_key" not in instance.filled


@pytest.mark.slow
def test_what_happens_at_the_simulator_is_told_to_the_api_and_believed(stack):
    ports, secrets = (json.loads((stack.folder / name).read_text()) for name in ("ports.json", "secrets.json"))
    headers = {"Authorization": f"Bearer {secrets['sim_key']}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{ports['simulator']}", headers=headers, timeout=60) as simulator:
        made = simulator.post("/v1/customers", data={"name": "Ana"})
        counts = simulator.post("/_sim/deliveries/flush", json={"seconds": 30}).json()
        deliveries = simulator.get("/_sim/deliveries").json()["deliveries"]

    assert made.status_code == 200
    assert (counts["pending"], counts["failed"]) == (0, 0)
    assert {each["answer"] for each in deliveries} == {"200"}
