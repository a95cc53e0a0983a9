"""Errors of legacy."""

from app.core.errors import Conflict, NotFound, TooManyRequests, Unauthorized


class NomineeNotFound(NotFound):
    """No such nominee of the principal."""

    title = "There is no such nominee"


class LegacyPlanNotFound(NotFound):
    """No such plan that the principal may see."""

    title = "There is no such plan"


class CaseNotFound(NotFound):
    """No such release case that the principal may see."""

    title = "There is no such release case"


class ProofNotFound(NotFound):
    """No such proof in a case that the principal may see."""

    title = "There is no such proof"


class DrillNotFound(NotFound):
    """No such drill of the principal."""

    title = "There is no such drill"


class LegacyKeyNotFound(NotFound):
    """No such keys of the principal, or none at all."""

    title = "There are no such legacy keys"


class LegacyLinkNotFound(NotFound):
    """A link that was never sent, was used, or has expired."""

    title = "This link is not valid, or not any more"


class NothingReleased(NotFound):
    """Nothing of this is released to the nominee."""

    title = "Nothing like this is released to you"


class AlreadyNamed(Conflict):
    """The owner has named a person with this address already."""

    title = "You have named a person with this address already"


class OwnAddress(Conflict):
    """Nobody is their own nominee."""

    title = "This is your own address"


class NomineeInUse(Conflict):
    """The nominee stands in a plan."""

    title = "This person stands in a plan: take them out of it first"


class InvitationAnswered(Conflict):
    """The nominee has accepted already."""

    title = "This person has accepted already"


class TooManyNominees(Conflict):
    """As many nominees as there may be."""

    title = "You have named as many people as you may"


class TooManyPlans(Conflict):
    """As many plans as there may be."""

    title = "You have as many plans as you may"


class CaseIsOpen(Conflict):
    """A release case of the plan is going on, so nothing about it may be changed but to stop it."""

    title = "A release of this plan is going on: stop it first"


class CaseIsOver(Conflict):
    """What is asked for is not possible in the present state of the case."""

    title = "The case is in a state in which this is not possible"


class PlanNotReady(Conflict):
    """The plan can't do anything; the detail says why."""

    title = "This plan can't release anything as it is"


class PlanNotArmed(Conflict):
    """The plan is a draft, or its owner does not want to be asked."""

    title = "A release of this plan can't be asked for"


class CoolingDown(Conflict):
    """The owner has stopped a release not long ago."""

    title = "A release was stopped not long ago; it can be asked for again later"


class ProofMissing(Conflict):
    """Nobody has brought a proof into the case yet."""

    title = "A proof has to be uploaded before anybody can attest to it"


class TooManyProofs(Conflict):
    """As many proofs as a case may have."""

    title = "The case has as many proofs as it may"


class DrillRunning(Conflict):
    """A drill of the plan is going on already."""

    title = "A drill of this plan is going on already"


class SheetsUnsuitable(Conflict):
    """More sheets are needed than there are nominees to hold them."""

    title = "More nominees are needed than there are"


class LegacyKeyTaken(Conflict):
    """Keys with this id are there already."""

    title = "There are legacy keys with this id already"


class NotOurShare(Conflict):
    """Words that are not the server's part of a legacy key with this scheme."""

    title = "These are not the words of a server's part for these sheets"


class WrongNomineeCode(Unauthorized):
    """A code that was not sent for this link, has expired, or was tried wrongly too often."""

    title = "The code is not right, or not any more: have another one sent"


class InvalidNomineeToken(Unauthorized):
    """Not a live token of a nominee."""

    title = "The token of a nominee is not valid"


class TooManyLetters(TooManyRequests):
    """More e-mails by one person, or to one address, than an hour should see."""

    title = "Too many e-mails in a short time"
