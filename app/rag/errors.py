"""Errors of reading, searching and answering."""

from app.core.errors import Conflict, NotFound, Unavailable


class PageNotFound(NotFound):
    """No such page, not read yet, or somebody else's document."""

    title = "There is no such page"


class NotReadYet(NotFound):
    """The document has not been read, or could not be."""

    title = "The document has not been read"


class NoPreview(NotFound):
    """A file of a kind, or in a state, that no picture can be made of."""

    title = "There is no picture of this file"


class ModelUnavailable(Unavailable):
    """The language model that was configured does not answer."""

    title = "The language model does not answer"


class PgvectorNotOffered(Conflict):
    """This installation keeps all vectors sealed."""

    title = "Vectors in the database are not offered here"
