"""What the operators' page is made of: numbers, names of routes, kinds of jobs, names of models; nobody's content."""

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

from app.agents.overview import ModelUse
from app.auth.schemas import LoginName, Password, Token
from app.core.schemas import Clean, RequestModel, ResponseModel
from app.jobs.overview import Waiting, Work
from app.notifications.webhooks.overview import WebhookOverview
from app.payments.services.attention import PaymentOverview

Second = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), Clean]
Signed = Annotated[str, StringConstraints(max_length=16_384), Clean]


class SignInForm(RequestModel):
    """What the first form sends."""

    email: LoginName
    password: Password


class SecondFactorForm(RequestModel):
    """What the second form sends: a code of the app or a recovery code, or what a passkey has signed, as JSON."""

    challenge: Token
    answer: Second = ""
    passkey: Signed = ""


class RouteTotals(ResponseModel):
    """One route since the start: answers within each bound of time (the last has none), and by class, 2xx to 5xx."""

    method: str
    route: str
    buckets: list[int]
    answers: list[int]


class Traffic(ResponseModel):
    """Requests since the start of what counts them; when `process` changes, the counts begin anew."""

    process: str
    started_at: float
    bounds: list[float]
    every: RouteTotals
    routes: list[RouteTotals]
    in_flight: int


class CacheTotals(ResponseModel):
    """Look-ups in one cache by outcome, since the start."""

    name: str
    outcomes: dict[str, int]


class Part(ResponseModel):
    """Whether a part answers, and how many milliseconds that took if it was timed."""

    name: str
    state: str
    milliseconds: float | None


class Pool(ResponseModel):
    """Connections of this process to the database, in use, open, the most there may be; and those of all processes."""

    in_use: int
    open: int
    most: int
    everywhere: int


class Day(ResponseModel):
    """What is asked of the database now and then, as of `at`."""

    at: datetime
    work: Work
    models: list[ModelUse]
    webhooks: WebhookOverview
    payments: PaymentOverview


class Figures(ResponseModel):
    """Everything that the page shows. `workers`: how many seconds ago each process was seen that does jobs.

    `messages` wait in the queue for a worker; null if it does not say.
    """

    at: datetime
    version: str
    environment: str
    traffic: Traffic
    parts: list[Part]
    breakers: dict[str, bool]
    pool: Pool
    caches: list[CacheTotals]
    model_calls: dict[str, int]
    workers: list[float]
    messages: int | None
    waiting: Waiting
    day: Day
