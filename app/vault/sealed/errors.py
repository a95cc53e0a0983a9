"""Errors of sealed vaults and accounts; none repeats what was sent."""

from app.core.errors import Conflict, Forbidden, NotFound, TooLarge, Unprocessable


class VaultNotSealed(Conflict):
    """An operation for sealed vaults, asked of one that the server can open."""

    title = "This vault is not sealed"


class SealedAccountNotFound(NotFound):
    """No sealed keys of this person, or nobody whom the principal shares a vault with."""

    title = "There is no such sealed account"


class SealedAccountNeeded(Conflict):
    """Somebody without sealed keys would have to have some."""

    title = "Make a sealed account first: a sealed vault needs keys of your own"


class SealedAccountExists(Conflict):
    """A person has one set of sealed keys."""

    title = "You have a sealed account already"


class SealedVaultsRemain(Conflict):
    """Sealed keys can't go while there are vaults that nobody could open without them."""

    title = "You are in sealed vaults: leave or purge them first"


class WrongSealedKey(Forbidden):
    """Not the key of the password, and not that of the recovery key."""

    title = "This key does not open the sealed account"


class UnknownSuite(Unprocessable):
    """Another format version or suite than LV1, or none: lower ones and plaintext are never kept."""

    title = "This is not sealed by suite LV1"


class WeakSealedPassword(Unprocessable):
    """Costs of the password function below the floor or below what the account had, or a salt of a wrong length."""

    title = "The costs of the password function are too low"


class SealedInvalid(Unprocessable):
    """Not what suite LV1 allows here: cut, forged, for another place, out of its chain, or not whole."""

    title = "What was sent is not valid here by suite LV1"


class WrapsIncomplete(Unprocessable):
    """Keys for other people than those who need one now."""

    title = "Send a wrapped key for each member who needs one, and for nobody else"


class SealedTooLarge(TooLarge):
    """Ciphertext over a limit."""

    title = "What was sent is larger than a sealed vault takes"


class NotWaiting(Conflict):
    """The list lets somebody in who was not invited, has not accepted, or was invited for another role."""

    title = "Somebody on the list has not accepted an invitation for this role"


class EpochWanted(Conflict):
    """Somebody has left, and the key that they know is still the present one."""

    title = "Somebody has left: begin a new epoch first"


class EpochUnfinished(Conflict):
    """Item keys still stand under a key that would be forgotten."""

    title = "Some item keys still stand under an older key"


class CandidateNotFound(NotFound):
    """Nobody of this id waits to be let in."""

    title = "Nobody of this id waits to be let into this vault"


class SealedEpochNotFound(NotFound):
    """No such epoch in this sealed vault, or it has not ended."""

    title = "There is no such epoch that has ended"


class SealedItemNotFound(NotFound):
    """No such item in this sealed vault."""

    title = "There is no such sealed item"


class SealedDueNotFound(NotFound):
    """No client has left tokens of days."""

    title = "No due days were left for this sealed vault"


class SealedFileNotFound(NotFound):
    """No such file, or chunk of it, in this sealed vault."""

    title = "There is no such sealed file, or no such chunk of it"


class ChunkExists(Conflict):
    """A chunk is written once."""

    title = "Another chunk stands at this place"


class SealedIdTaken(Conflict):
    """An id that is in use already; ids are random."""

    title = "This id is taken: choose another one at random"
