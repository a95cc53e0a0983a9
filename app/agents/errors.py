"""Errors of agents."""

from app.core.errors import Conflict, Forbidden, NotFound, TooManyRequests, Unavailable, Unprocessable


class AgentNotFound(NotFound):
    """No such agent, or somebody else's."""

    title = "There is no such agent"


class RunNotFound(NotFound):
    """No such run, or somebody else's."""

    title = "There is no such run"


class ConversationNotFound(NotFound):
    """No such conversation, or somebody else's."""

    title = "There is no such conversation"


class MemoryNotFound(NotFound):
    """No such memory, or somebody else's."""

    title = "There is no such memory"


class ScheduleNotFound(NotFound):
    """No such schedule, or somebody else's."""

    title = "There is no such schedule"


class ApprovalNotFound(NotFound):
    """No such approval, or somebody else's."""

    title = "There is no such approval"


class ApprovalDecided(Conflict):
    """It was decided before, or its time is over."""

    title = "This has been decided already, or its time is over"


class ApprovalRefused(Conflict):
    """Not an approval of exactly this: not given, used, expired, of another run, or of other arguments."""

    title = "There is no valid approval for this"


class EffectFailed(Conflict):
    """What was allowed can't be done any more; the leave is not used up."""

    title = "This can't be done at present"


class BuiltInAgent(Conflict):
    """The agents that come with the product can't be changed."""

    title = "A built-in agent can't be changed"


class RunOver(Conflict):
    """The run has come to its end."""

    title = "The run has ended"


class RunBusy(Conflict):
    """Another run of the conversation has not ended."""

    title = "Another run of this conversation has not ended"


class UnknownTool(Conflict):
    """There is no tool of that name."""

    title = "There is no such tool"


class UnknownModel(Conflict):
    """A model that this installation does not offer."""

    title = "This model is not offered here"


class InvalidZone(Unprocessable):
    """Not an IANA time zone."""

    title = "There is no such time zone"


class TooMany(TooManyRequests):
    """Over a limit of this installation."""

    title = "You have as many of these as you may"


class CredentialRecord(Forbidden):
    """Records that hold secrets are neither read nor written by an assistant."""

    title = "Records with secrets are closed to assistants"


class InvalidHistory(Unprocessable):
    """What was said before does not fit together."""

    title = "The messages do not fit together"


class ModelDown(Unavailable):
    """No model of the chain answered."""

    title = "The language model does not answer"


class ApproverNeeded(Forbidden):
    """A program with an API key can't give the leave that a person has to give."""

    title = "Sign in yourself to approve this"
