"""Somebody who runs the installation."""

from collections.abc import AsyncIterator

import pytest

from app.db.runtime import Runtime
from tests.factories import TestUser, make_user
from tests.notifications.smtp import changed_settings


@pytest.fixture
async def operator(runtime: Runtime) -> AsyncIterator[TestUser]:
    """Somebody who runs the installation."""
    person = await make_user()
    with changed_settings(operators=(person.email.upper(),)):
        yield person
