"""What calls about payments and setups have in common."""

from typing import Final

from app.payments.sim.core.books import Books
from app.payments.sim.core.errors import Doc, Refused
from app.payments.sim.core.wire import Params
from app.payments.sim.resources.payment_methods import method_for

CONFIRMABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")
REASONS: Final = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
MEANINGLESS: Final = (
    "automatic_payment_methods",
    "confirmation_method",
    "error_on_requires_action",
    "mandate_data",
    "payment_method_options",
    "payment_method_types",
    "use_stripe_sdk",
)


def choose_method(books: Books, params: Params, intent: Doc) -> None:
    """Take the card that a call names."""
    params.accept(*MEANINGLESS, "return_url", "off_session", "statement_descriptor", "statement_descriptor_suffix")
    chosen = params.text("payment_method")
    if chosen is None:
        return
    method = method_for(books, chosen, intent["customer"])
    intent["payment_method"] = method["id"]
    if intent["status"] == "requires_payment_method":
        intent["status"] = "requires_confirmation"
    books.keep(intent)


def remember_return(params: Params, intent: Doc) -> None:
    """Keep where the person goes after 3-D Secure."""
    url = params.address("return_url")
    if url is not None:
        intent["_"]["return_url"] = url


def expect(intent: Doc, states: tuple[str, ...], code: str = "payment_intent_unexpected_state") -> None:
    """Go on only in one of these states. Raises `Refused`."""
    if intent["status"] not in states:
        raise Refused(f"This intent's status is {intent['status']}, which does not allow that.", code=code)
