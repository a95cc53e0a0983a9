"""Why a request could not be passed on."""

from app.core.errors import AppError, BadRequest, NotFound, Unavailable


class ServiceNotFound(NotFound):
    """No service of this name is behind the gateway."""

    title = "There is no such service"


class PathRefused(BadRequest):
    """The path has . or .. segments, or bytes that no service should have to understand."""

    title = "The path can't be passed on"


class ServiceUnreachable(AppError):
    """502: the service did not answer, or ended the connection before it had."""

    status = 502
    title = "A service behind this one can't be reached"


class ServiceResting(Unavailable):
    """503: the service has failed several times in a row and is left alone for a while."""

    title = "A service behind this one is not answering just now"


class ServiceUnsigned(Unavailable):
    """503: the service is to be told who asks, and no key is set to sign that with."""

    title = "A service behind this one is not set up"


class ServiceTimeout(AppError):
    """504: the service was silent for too long."""

    status = 504
    title = "A service behind this one did not answer in time"


class LoopFound(AppError):
    """508: the request has been through this gateway before."""

    status = 508
    title = "The request goes round in circles"
