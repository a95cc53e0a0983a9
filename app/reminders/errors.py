"""What can go wrong with reminders."""

from app.core.errors import NotFound, Unprocessable


class ReminderNotFound(NotFound):
    """Does not exist, is somebody else's, or stands in a vault that the principal is no member of."""

    title = "There is no such reminder"


class InvalidSchedule(Unprocessable):
    """A date, a time, a zone or a rule that makes no sense."""

    title = "The schedule is not valid"
