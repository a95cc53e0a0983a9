"""The embedded Valkey: a password, a loopback port, and a queue that a kill doesn't empty."""

import time
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.cli.embedded.valkey import embedded_valkey


def server_below(folder: Path) -> psutil.Process:
    [server] = [child for child in psutil.Process().children() if Path(child.cwd()) == folder / "valkey"]
    return server


def test_nobody_comes_in_without_the_password(tmp_path: Path):
    with embedded_valkey(tmp_path) as url:
        port = redis.Redis.from_url(url).connection_pool.connection_kwargs["port"]
        with redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        server = server_below(tmp_path)
        listening = [c.laddr.ip for c in server.net_connections() if c.status == psutil.CONN_LISTEN]
        assert listening == ["127.0.0.1"]
        password = url.split("@")[0].removeprefix("redis://:")
        assert all(password not in argument for argument in server.cmdline())


def test_the_queue_survives_a_killed_server(tmp_path: Path):
    with embedded_valkey(tmp_path) as url:
        with redis.Redis.from_url(url) as client:
            client.rpush("queue", *range(500))
        time.sleep(1.2)  # the append-only file is flushed every second
        server_below(tmp_path).kill()
    with embedded_valkey(tmp_path) as later, redis.Redis.from_url(later) as client:
        assert client.llen("queue") == 500
    assert later == url


def test_nothing_is_evicted_when_memory_runs_short(tmp_path: Path):
    with embedded_valkey(tmp_path, durable=False) as url, redis.Redis.from_url(url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
