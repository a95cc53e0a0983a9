"""Everything that people could do with the services that LifeVault replaces, they can do here."""

from app.core.config import Settings
from tests.conftest import application

PURPOSES = {
    "name and version; alive": ["health_live", "health_ready"],
    "sign up, with a mail to confirm the address": ["auth_register"],
    "sign in": ["auth_login", "auth_create_token", "auth_sign_in_with_passkey"],
    "sign out; who am I": ["auth_logout", "auth_logout_everywhere", "auth_read_me"],
    "confirm the address; ask for the mail again": ["auth_verify_email", "auth_resend_verification"],
    "forget and reset the password": ["auth_forgot_password", "auth_reset_password"],
    "set up a vault that only its people can open": ["vault_create_sealed_account", "vault_read_sealed_account"],
    "recover by the recovery key, which never comes here": ["vault_replace_sealed_account"],
    "unlock by the password, which never comes here": ["vault_unlock_sealed_account"],
    "what I did": ["audit_list_own", "vault_list_activity"],
    "my vaults": ["vault_list_vaults", "vault_create_vault", "vault_create_sealed_vault"],
    "records and files of a vault": ["vault_list_items", "vault_create_item", "vault_create_document"],
    "change a record": ["vault_update_item", "vault_write_sealed_item"],
    "delete a record with its file, and take it back": ["vault_delete_item", "vault_restore_item", "vault_purge_item"],
    "download a file": ["vault_read_content", "vault_read_sealed_chunk"],
    "keys of a vault, wrapped": ["vault_read_sealed_epoch", "vault_add_sealed_list"],
    "everything under new keys after a reset": ["vault_finish_sealed_epoch", "vault_move_sealed_keys"],
    "vaults of a family": ["vault_create_vault", "vault_list_vaults"],
    "members: list, add, role, remove": ["vault_list_members", "vault_update_member", "vault_remove_member"],
    "invite; see an invitation; accept it": ["vault_create_invitation", "vault_accept_invitation"],
    "accept it into a vault that only its people can open": ["vault_accept_sealed_invitation"],
    "nominees: list, name, remove": ["nominees_list_nominees", "nominees_create_nominee", "nominees_delete_nominee"],
    "parts of a key on sheets; new ones": ["nominees_create_legacy_key", "nominees_delete_legacy_key"],
    "a part that the service keeps": ["nominees_read_server_sheet", "nominees_list_server_sheets"],
    "a nominee asks for access": ["nominees_request_sign_in", "nominees_ask"],
    "the owner or somebody trusted decides": ["nominees_stop_release", "nominees_confirm_release"],
    "after long inactivity, reminders first": ["nominees_create_plan", "nominees_arm_plan", "nominees_list_cases"],
    "a nominee reads what was released": ["nominees_read_released", "nominees_read_released_content"],
    "reminders": ["reminders_create_reminder", "reminders_list_reminders", "reminders_complete_reminder"],
    "plans, checkout, subscription": ["payments_create_checkout", "payments_read_subscription"],
    "invoices and receipts": ["payments_list_invoices", "payments_list_receipts"],
    "what the provider tells": ["payments_receive_webhook"],
    "ask about one's documents": ["rag_ask", "rag_search", "openai_create_chat_completion"],
    "agents and their runs": ["agents_create_agent", "agents_start_run", "agents_watch_run", "agents_decide_approval"],
}


def test_every_purpose_of_the_older_services_has_its_operations(settings: Settings):
    paths = application(settings).openapi()["paths"]
    offered = {operation["operationId"] for methods in paths.values() for operation in methods.values()}

    missing = {purpose: lost for purpose, ids in PURPOSES.items() if (lost := sorted(set(ids) - offered))}

    assert missing == {}
