"""What can go wrong with outgoing webhooks."""

from app.core.errors import Conflict, NotFound, Unprocessable


class WebhookNotFound(NotFound):
    """Does not exist, or is somebody else's."""

    title = "There is no such webhook"


class WebhookMessageNotFound(NotFound):
    """Does not exist, or is somebody else's."""

    title = "There is no such message"


class TooManyWebhooks(Conflict):
    """As many as one person may have."""

    title = "You have as many webhooks as one person may have"


class WebhookAddressRefused(Unprocessable):
    """Not https, or not in the public internet."""

    title = "Webhooks are sent by https to public addresses only"
