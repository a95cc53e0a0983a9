"""What can go wrong with plans and money."""

from app.core.errors import AppError, BadRequest, Conflict, Forbidden, NotFound, TooManyRequests, Unavailable


class UnknownProvider(NotFound):
    """No such provider is switched on."""

    title = "There is no such payment provider here"


class InvalidWebhook(BadRequest):
    """A webhook that is forged, stale, too large or malformed; nothing of it is kept."""

    title = "The webhook is not valid"


class InboxEventNotFound(NotFound):
    """No such event of a provider."""

    title = "There is no such event"


class ReconciliationNotFound(NotFound):
    """No such run, or it has not ended."""

    title = "There is no such reconciliation, or it has not ended"


class PaymentsOff(Unavailable):
    """No payment provider is configured."""

    title = "Payments are switched off on this server"


class UnknownPrice(AppError):
    """A provider's object has a price in it that the catalogue does not know; it waits for a person."""

    title = "The price is not one of the catalogue"


class WrongAmount(AppError):
    """What was received is not what was asked for; it waits for a person."""

    title = "The amount is not what was asked for"


class PlanLimitReached(AppError):
    """402: the plan has no room for more; what is stored stays readable, exportable and inheritable."""

    status = 402
    title = "Your plan has no room for more"


class NotThePayer(Forbidden):
    """Somebody else pays for this family."""

    title = "Only the person who pays for the family may do this"


class SeatNotFound(NotFound):
    """No such seat in the family."""

    title = "There is no such seat"


class NoSeatLeft(Conflict):
    """The plan has as many seats as are taken and offered."""

    title = "The plan has no seat left"


class SeatInvitationNotFound(NotFound):
    """The token was used, taken back, or is too old."""

    title = "The invitation is not valid any more"


class SeatForSomebodyElse(Forbidden):
    """The seat was offered to another address."""

    title = "The invitation is for another e-mail address"


class AlreadyInFamily(Conflict):
    """The person has a seat in this family."""

    title = "This person is in the family already"


class OwnPlanFirst(Conflict):
    """Somebody whose own plan still runs, or whose family has members, can't take a seat of another family."""

    title = "End your own plan first"


class PayerStays(Conflict):
    """The payer's own seat can't be given up."""

    title = "The person who pays keeps a seat"


class TooManySeatInvitations(TooManyRequests):
    """Too many invitations by this person, or to this address."""

    title = "Too many invitations"


class HoldNotFound(NotFound):
    """No such hold of credits."""

    title = "There is no such hold"


class ReceiptNotFound(NotFound):
    """No such receipt, or somebody else's."""

    title = "There is no such receipt"


class InAnotherFamily(Conflict):
    """A person has one seat at a time."""

    title = "Leave the other family first"


class PaymentDeclined(AppError):
    """402: the card was declined; `reason` is the decline code. Nothing has changed."""

    status = 402
    title = "The payment was declined"


class ProviderRefused(Conflict):
    """The payment provider says that this is not possible; `reason` is its code. Nothing has changed."""

    title = "The payment provider refused this"


class ProviderUnreachable(Unavailable):
    """The payment provider does not answer; nothing was done, and the same request may be sent again."""

    title = "The payment provider can't be reached"


class OperationRunning(Conflict):
    """Something else about the same subject is under way: `operation_id`."""

    title = "Another request about this is still under way"


class OperationNotFound(NotFound):
    """No such command, or another family's."""

    title = "There is no such operation"


class CheckoutNotFound(NotFound):
    """No such checkout, or another family's."""

    title = "There is no such checkout"


class PriceNotFound(NotFound):
    """Nothing of this name is on sale."""

    title = "There is no such price"


class SubscriptionExists(Conflict):
    """A family has one subscription at a time: this one is changed, not bought again."""

    title = "There is a subscription already"


class NoSubscription(Conflict):
    """The family has no subscription that runs."""

    title = "There is no subscription"


class UrlNotAllowed(Forbidden):
    """People are sent back to addresses of this installation only (`payment_return_origins`)."""

    title = "People may not be sent to this address"


class CouponNotFound(NotFound):
    """No such coupon, or one that is over."""

    title = "There is no such coupon"


class CouponUsedUp(Conflict):
    """The coupon has been used as often as it may, or by this family."""

    title = "The coupon has been used"


class CouponNotForThis(Conflict):
    """The coupon is for another plan or currency."""

    title = "The coupon is for something else"


class CouponExists(Conflict):
    """Codes are unique."""

    title = "There is a coupon with this code"


class NothingToChange(Conflict):
    """The subscription is like this already."""

    title = "Nothing would change"


class ChangePlanned(Conflict):
    """A change is planned for the end of the period: it is dropped first."""

    title = "Another change is planned"


class CancellationPending(Conflict):
    """The subscription ends with its period: it is resumed first."""

    title = "The subscription is cancelled"


class SubscriptionNotPaid(Conflict):
    """The last invoice is open: it is paid first."""

    title = "The last invoice is not paid"


class SubscriptionPaused(Conflict):
    """The subscription is paused: it is resumed first."""

    title = "The subscription is paused"


class PreviewTooOld(Conflict):
    """A price that was shown is valid for 15 minutes."""

    title = "The preview is too old"


class TooManySeats(Conflict):
    """The plan does not have so many further seats, or more people sit in the family than would be left."""

    title = "The plan does not have this number of seats"


class CardNotFound(NotFound):
    """No such card, or somebody else's."""

    title = "There is no such card"


class LastCard(Conflict):
    """A subscription is renewed with this card."""

    title = "The subscription needs this card"


class InvoiceNotFound(NotFound):
    """No such invoice, or another family's."""

    title = "There is no such invoice"


class InvoiceNotOpen(Conflict):
    """The invoice does not wait for a payment."""

    title = "The invoice is not open"


class PaymentNotFound(NotFound):
    """No such payment."""

    title = "There is no such payment"


class NotSoMuchLeft(Conflict):
    """More than is left of the payment, or a payment that is disputed."""

    title = "So much can't be given back"


class DisputeNotFound(NotFound):
    """No such dispute."""

    title = "There is no such dispute"


class FamilyNotFound(NotFound):
    """No such family."""

    title = "There is no such family"


class PlanNotFound(NotFound):
    """No such plan."""

    title = "There is no such plan"


class VerifyEmailFirst(Forbidden):
    """Something about the payments looks unusual; `reasons` says what. A confirmed address is enough."""

    title = "Confirm your e-mail address first"


class InvalidTimeSpan(BadRequest):
    """The end lies before the start, or too far from it."""

    title = "The span of time is not valid"
