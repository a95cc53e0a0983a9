"""What can go wrong with notifications."""

from app.core.errors import Conflict, NotFound, Unprocessable


class UnknownZone(Unprocessable):
    """Not an IANA time zone."""

    title = "There is no time zone of this name"


class NotificationNotFound(NotFound):
    """Does not exist, or was somebody else's."""

    title = "There is no such notification"


class PushSubscriptionNotFound(NotFound):
    """Does not exist, or is somebody else's."""

    title = "There is no such push subscription"


class InvalidPushSubscription(Unprocessable):
    """Not what a browser's push service gives out: an https address, and a point on the curve P-256."""

    title = "The push subscription is not valid"


class TooManyPushSubscriptions(Conflict):
    """Over the limit of browsers for one person."""

    title = "You have as many push subscriptions as you may"


class PushUnavailable(Conflict):
    """Without a lookup key there is no key to sign push messages by."""

    title = "Push notifications are not set up here"
