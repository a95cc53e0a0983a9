"""How a simulator is set up: given at the start, and what may be changed while it runs."""

from dataclasses import dataclass, fields, replace
from typing import Any, Final
from urllib.parse import urlsplit

PROBABILITIES: Final = ("loss", "duplicate", "reorder", "drop_answers", "fail_answers", "rate_limit")
FRACTIONS: Final = (*PROBABILITIES, "delay_seconds", "answer_delay_seconds")
ENDINGS: Final = ("unpaid", "canceled", "past_due")


@dataclass(frozen=True, slots=True)
class Setup:
    """Where things are, the rules of business, and the faults that are switched on.

    The probabilities go from 0 to 1 and are decided by `seed` and a count, so that a run can be repeated.
    """

    secret_key: str
    public_url: str
    webhook_url: str = ""
    webhook_secret: str = ""

    retry_days: tuple[int, ...] = (3, 5, 7)
    after_retries: str = "unpaid"
    draft_seconds: int = 0
    fee_permille: int = 29
    fee_fixed: int = 30
    dispute_fee: int = 1_500
    available_days: int = 2
    payouts: bool = False

    seed: int = 0
    loss: float = 0
    duplicate: float = 0
    reorder: float = 0
    delay_seconds: float = 0
    drop_answers: float = 0
    fail_answers: float = 0
    rate_limit: float = 0
    answer_delay_seconds: float = 0
    down: bool = False

    def changed(self, values: dict[str, Any]) -> "Setup":
        """With other values. Raises `ValueError` in words that name the field."""
        known = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        checked = {}
        for name, value in values.items():
            if name not in known or name in ("secret_key", "public_url"):
                raise ValueError(f"{name} can't be set")
            checked[name] = _checked(name, value, known[name])
        return replace(self, **checked)


RULES: Final = (
    "retry_days",
    "after_retries",
    "draft_seconds",
    "fee_permille",
    "fee_fixed",
    "dispute_fee",
    "available_days",
    "payouts",
)
FAULTS: Final = ("seed", *PROBABILITIES, "delay_seconds", "answer_delay_seconds", "down")
WEBHOOK: Final = ("webhook_url", "webhook_secret")


def _checked(name: str, value: Any, kind: type) -> Any:
    if name == "retry_days":
        if isinstance(value, list | tuple) and all(isinstance(day, int) and 0 < day <= 60 for day in value):
            return tuple(value)
        raise ValueError("retry_days must be a list of days from 1 to 60")
    if name == "after_retries" and value not in ENDINGS:
        raise ValueError(f"after_retries must be one of {', '.join(ENDINGS)}")
    if name == "webhook_url" and value and urlsplit(str(value)).scheme not in ("http", "https"):
        raise ValueError("webhook_url must be an http or https URL")
    if kind is str or kind is bool:
        if not isinstance(value, kind):
            raise ValueError(f"{name} must be a {'text' if kind is str else 'boolean'}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float if name in FRACTIONS else int):
        raise ValueError(f"{name} must be a number")
    if value < 0 or (name in PROBABILITIES and value > 1):
        raise ValueError(f"{name} is out of bounds")
    return value
