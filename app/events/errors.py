"""What can stand in the way of following events."""

from app.core.errors import AppError, TooManyRequests


class TooManyStreams(TooManyRequests):
    """A person follows by as many connections as they may."""

    title = "You follow by too many connections at once"


class SocketsUnavailable(AppError):
    """501: asked to change to a WebSocket where none can be kept open."""

    status = 501
    title = "WebSockets are not offered here; server-sent events are"


class TooSlow(AppError):
    """408: somebody who follows takes no message."""

    status = 408
    title = "You take no messages"
