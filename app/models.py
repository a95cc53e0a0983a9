"""Every package's tables, in one list, for the application, the worker, migrations and tests."""

from app.agents import models as agents
from app.agents.intake import models as intake
from app.api import models as api
from app.audit import models as audit
from app.auth import models as auth
from app.db import models as db
from app.db.base import Base
from app.jobs import models as jobs
from app.nominees import models as nominees
from app.notifications import models as notifications
from app.notifications.webhooks import models as webhooks
from app.payments import models as payments
from app.rag import models as rag
from app.reminders import models as reminders
from app.vault import models as vault
from app.vault.sealed import models as sealed

__all__ = [
    "Base",
    "agents",
    "api",
    "audit",
    "auth",
    "db",
    "intake",
    "jobs",
    "nominees",
    "notifications",
    "payments",
    "rag",
    "reminders",
    "sealed",
    "vault",
    "webhooks",
]
