"""The events that programs can be told of; what each carries are ids and states."""

from typing import Final

EVENTS: Final[dict[str, str]] = {
    "vault.created": "A vault was made.",
    "vault.trashed": "A vault was put into the trash.",
    "vault.restored": "A vault was taken out of the trash.",
    "vault.member_added": "Somebody joined a vault.",
    "vault.member_changed": "A member has another role.",
    "vault.member_removed": "Somebody left a vault, or was removed.",
    "vault.item_changed": "A record was created, updated, trashed, restored or purged.",
    "vault.document_changed": "A document was created, updated, trashed, restored or purged.",
    "rag.document_indexed": "A document was read and can be asked about.",
    "reminders.due": "A reminder is due.",
    "nominees.case_changed": "A legacy case has another state.",
    "agents.approval_asked": "An agent asks for leave.",
    "payments.subscription_changed": "A subscription has another state.",
    "payments.invoice_paid": "An invoice was paid.",
    "payments.payment_failed": "A payment did not work.",
    "payments.refunded": "Money goes back.",
    "jobs.failed": "Background work was given up.",
}
TEST: Final = "webhooks.test"
