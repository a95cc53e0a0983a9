import subprocess, sys, json
from pathlib import Path
from tests.system import test_schemathesis as t

def test_payments(make_stack, tmp_path):
    stack = make_stack(LIFEVAULT_SIGN_IN_ATTEMPTS="1000000")
    owner, stranger = stack.person(), stack.person()
    for name in t.KINDS:
        (tmp_path / f"{name}.txt").write_text('"01a1fdf3-0769-7cb2-ab84-4c96c6358cbd"\n')
    people = {"auth": [t.sign_in("owner", owner), t.sign_in("stranger", stranger)]}
    (tmp_path / "people.json").write_text(json.dumps(people))
    amount = "seed = 3\ngeneration.max-examples = 12\n"
    (tmp_path / "schemathesis.toml").write_text(amount + t.CONFIG.read_text())
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml", "run",
        f"{stack.url}/openapi.json", "--checks", "all", "--phases", "stateful", "--no-color", "--include-path-regex", "^/v1/payments|/v1/auth/login"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=520, env={**__import__("os").environ, "LEAVER": stranger.client.headers["Authorization"]})
    Path("/tmp/schemathesis.out").write_text(result.stdout + result.stderr)
    assert result.returncode == 0
