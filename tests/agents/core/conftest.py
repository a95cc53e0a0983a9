"""A scripted model for agents."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from app.agents import chain
from app.db.runtime import Runtime
from tests.agents.core.model import Model, serve
from tests.notifications.smtp import changed_settings


@pytest.fixture
def model(runtime: Runtime) -> Iterator[Model]:
    with serve() as model:
        key = SecretStr(model.key)
        chain._breakers.clear()  # they live as long as the process, and each test has a model of its own
        with changed_settings(
            model_url=model.url, model_name="scripted", model_api_key=key, agent_falls_back=False, agent_max_seconds=30
        ):
            yield model
