"""What packages tell those below them, in one list, for the application, the worker and tests.

Each of these modules registers functions of its package with a package that must not know it.
"""

from app.audit import accounts as audit
from app.nominees import ties as nominees
from app.vault import ties as vault

__all__ = ["audit", "nominees", "vault"]
