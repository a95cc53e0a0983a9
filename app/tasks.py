"""Every package's tasks, in one list, for the worker and the tests."""

from app.agents import tasks as agents
from app.agents.intake import tasks as intake
from app.api import tasks as api
from app.audit import tasks as audit
from app.auth import tasks as auth
from app.jobs import tasks as jobs
from app.nominees import tasks as nominees
from app.notifications import tasks as notifications
from app.payments import tasks as payments
from app.rag import tasks as rag
from app.reminders import tasks as reminders
from app.vault import tasks as vault

__all__ = [
    "agents",
    "api",
    "audit",
    "auth",
    "intake",
    "jobs",
    "nominees",
    "notifications",
    "payments",
    "rag",
    "reminders",
    "vault",
]
