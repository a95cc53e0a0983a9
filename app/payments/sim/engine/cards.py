"""Test cards, by the numbers and names that Stripe documents (docs.stripe.com/testing); no other number is known."""

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from app.payments.sim.core.errors import Declined, Doc

SetUp = Literal["never", "unless_set_up", "always"]
MESSAGES: Final = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "lost_card": "Your card was declined.",
    "stolen_card": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "fraudulent": "Your card was declined.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
    "test_mode_live_card": "Your card was declined. Your request was in test mode, but used a non test card.",
}
OWN_CODES: Final = ("expired_card", "incorrect_cvc", "processing_error", "authentication_required")


@dataclass(frozen=True, slots=True)
class TestCard:
    """A card and how its bank behaves. `words` tell a person what it does."""

    __test__ = False

    name: str
    number: str
    words: str
    brand: str = "visa"
    country: str = "US"
    decline: str | None = None
    declines_setup: bool = True
    authentication: SetUp = "never"
    dispute: str | None = None
    is_inquiry: bool = False
    refund: Literal["done", "pending", "fails"] = "done"
    is_instant: bool = False

    @property
    def last4(self) -> str:
        """The last digits, which may be shown."""
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """The same for the same number."""
        return hashlib.sha256(self.number.encode()).hexdigest()[:16]


CARDS: Final = (
    TestCard("visa", "4242424242424242", "Pays at once."),
    TestCard("visa_debit", "4000056655665556", "Pays at once (debit)."),
    TestCard("mastercard", "5555555555554444", "Pays at once.", brand="mastercard"),
    TestCard("amex", "378282246310005", "Pays at once.", brand="amex"),
    TestCard("de", "4000002760000016", "Pays at once (German card).", country="DE"),
    TestCard("gb", "4000008260000000", "Pays at once (British card).", country="GB"),
    TestCard("fr", "4000002500000003", "Pays at once (French card).", country="FR"),
    TestCard("bypassPending", "4000000000000077", "Pays at once; the money is available at once.", is_instant=True),
    TestCard("chargeDeclined", "4000000000000002", "Is declined.", decline="generic_decline"),
    TestCard(
        "chargeDeclinedInsufficientFunds", "4000000000009995", "Has too little money.", decline="insufficient_funds"
    ),
    TestCard("chargeDeclinedLostCard", "4000000000009987", "Was reported lost.", decline="lost_card"),
    TestCard("chargeDeclinedStolenCard", "4000000000009979", "Was reported stolen.", decline="stolen_card"),
    TestCard("chargeDeclinedExpiredCard", "4000000000000069", "Has expired.", decline="expired_card"),
    TestCard("chargeDeclinedIncorrectCvc", "4000000000000127", "Has another security code.", decline="incorrect_cvc"),
    TestCard("chargeDeclinedProcessingError", "4000000000000119", "Its bank fails.", decline="processing_error"),
    TestCard("chargeDeclinedFraudulent", "4100000000000019", "Is blocked as fraud.", decline="fraudulent"),
    TestCard(
        "chargeCustomerFail",
        "4000000000000341",
        "Can be saved, but every payment is declined.",
        decline="generic_decline",
        declines_setup=False,
    ),
    TestCard(
        "authenticationRequiredOnSetup",
        "4000002500003155",
        "Asks for 3-D Secure once, then never again.",
        authentication="unless_set_up",
    ),
    TestCard(
        "authenticationRequired", "4000002760003184", "Asks for 3-D Secure every time.", authentication="always"
    ),
    TestCard("threeDSecureRequired", "4000000000003063", "Asks for 3-D Secure every time.", authentication="always"),
    TestCard("threeDSecure2Required", "4000000000003220", "Asks for 3-D Secure every time.", authentication="always"),
    TestCard(
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        "4000008260003178",
        "Asks for 3-D Secure, then has too little money.",
        decline="insufficient_funds",
        declines_setup=False,
        authentication="always",
    ),
    TestCard("createDispute", "4000000000000259", "Pays, then its owner disputes the payment.", dispute="fraudulent"),
    TestCard(
        "createDisputeProductNotReceived",
        "4000000000002685",
        "Pays, then its owner says that nothing came.",
        dispute="product_not_received",
    ),
    TestCard(
        "createDisputeInquiry", "4000000000001976", "Pays, then its bank asks a question.", dispute="general",
        is_inquiry=True,
    ),
    TestCard("pendingRefund", "4000000000007726", "Pays; refunds take a day.", refund="pending"),
    TestCard("refundFail", "4000000000005126", "Pays; refunds come back after a day.", refund="fails"),
)  # fmt: skip
BY_NAME: Final = {card.name: card for card in CARDS} | {"us": CARDS[0]}
BY_NUMBER: Final = {card.number: card for card in CARDS}
ON_PAGES: Final = tuple(
    BY_NAME[name]
    for name in (
        "visa",
        "mastercard",
        "authenticationRequiredOnSetup",
        "authenticationRequired",
        "chargeDeclined",
        "chargeDeclinedInsufficientFunds",
        "chargeCustomerFail",
        "createDispute",
    )
)


def card_by_name(name: str) -> TestCard | None:
    """`pm_card_visa`, `tok_visa`, `pm_card_visa_chargeDeclined`, …; None if there is no such card."""
    short = name.removeprefix("pm_card_").removeprefix("tok_")
    return BY_NAME.get(short) or BY_NAME.get(short.removeprefix("visa_"))


def card_by_number(number: str) -> TestCard:
    """A card by its number. Raises `Declined` for any other than a test number."""
    digits = number.replace(" ", "").replace("-", "")
    card = BY_NUMBER.get(digits)
    if card is not None:
        return card
    if not _is_card_number(digits):
        raise Declined("Your card number is incorrect.", code="incorrect_number", param="number")
    raise decline("test_mode_live_card")


def card_of(payment_method: Doc) -> TestCard:
    """The card behind a payment method."""
    return BY_NAME[payment_method["_"]["card"]]


def decline(code: str, **extra: str) -> Declined:
    """The error for a reason to decline."""
    wire_code = code if code in OWN_CODES else "card_declined"
    return Declined(MESSAGES.get(code, MESSAGES["generic_decline"]), code=wire_code, decline_code=code, **extra)


def _is_card_number(digits: str) -> bool:
    if not (digits.isascii() and digits.isdecimal() and 12 <= len(digits) <= 19):
        return False
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
