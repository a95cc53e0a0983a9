"""Who may use the routes of payments."""

from typing import Annotated

from fastapi import Security

from app.api.deps import get_principal
from app.auth.principal import Principal

Reader = Annotated[Principal, Security(get_principal, scopes=["payments:read"])]
Writer = Annotated[Principal, Security(get_principal, scopes=["payments:write"])]
