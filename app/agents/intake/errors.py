"""Errors of filing."""

from app.core.errors import Conflict, NotFound


class IntakeNotFound(NotFound):
    """No such proposal, or of a document that the caller may not read."""

    title = "There is no such proposal"


class IntakeDecided(Conflict):
    """It was accepted or dismissed before."""

    title = "This proposal has been decided already"


class TypeNeeded(Conflict):
    """The type of the document is not known, so accepting it has to name one."""

    title = "Say which type of record it shall be"
