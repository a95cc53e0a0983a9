"""Who may call the routes of reminders."""

from typing import Annotated

from fastapi import Security

from app.api.deps import get_principal
from app.auth.principal import Principal

Reader = Annotated[Principal, Security(get_principal, scopes=["vault:read"])]
Writer = Annotated[Principal, Security(get_principal, scopes=["vault:write"])]
