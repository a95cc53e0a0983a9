"""What can go wrong with reminders."""

from app.core.errors import Conflict, NotFound, TooManyRequests, Unprocessable


class ReminderNotFound(NotFound):
    """Does not exist, is somebody else's, or stands in a vault that the principal is no member of."""

    title = "There is no such reminder"


class InvalidSchedule(Unprocessable):
    """A date, a time, a zone or a rule that makes no sense."""

    title = "The schedule is not valid"


class TooManyReminders(Conflict):
    """Over the limit of reminders of a vault or a person."""

    title = "There are as many reminders as there may be"


class NotShared(Conflict):
    """Only reminders of a vault can be for several people."""

    title = "A reminder outside a vault is for you alone"


class DateInRecord(Conflict):
    """Title and date of a reminder that follows a field of a record are changed in the record."""

    title = "The title and the date of this reminder stand in its record"


class NotActive(Conflict):
    """Only an active reminder can be done or put off."""

    title = "The reminder is not active"


class NotProposed(Conflict):
    """Only a reminder that is proposed, or was dismissed, can be decided on."""

    title = "The reminder waits for no decision"


class NotDone(Conflict):
    """Only a reminder that was done can be opened again."""

    title = "The reminder was not done"


class NotAhead(Conflict):
    """A reminder is put off to a time that is still to come, within five years."""

    title = "The time must be ahead, within five years"


class FeedNotFound(NotFound):
    """There is no feed, or its token is not this one."""

    title = "There is no such calendar feed"


class TooManyFeedRequests(TooManyRequests):
    """A calendar that asks too often, or somebody who guesses."""

    title = "The calendar feed was asked for too often"
