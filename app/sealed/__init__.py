"""The reference client of sealed vaults, suite LV1: the server stores what these modules make and can read none of it.

    password ─Argon2id─► unwrap key ─┐
                    recovery key ────┴─► account secret ─► Ed25519 and X25519 key pairs
    X25519 ─HPKE, signed by the sender─► epoch key of a vault ─► item keys ─► records of one field in one revision

Every secret opens what stands to its right and nothing else. What must not change without its owner (account state,
list of members, revisions of items) is signed, counted and chained by hash; a client remembers (pins) what it has seen
and refuses to go back. Formats: `encoding` and `box` for bytes, `state`, `members`, `wrap`, `revision`, `files` for
what is built from them; `vectors.json` for examples. Nothing here imports anything else of ours.

What no format can do: a first device knows nothing but the password, so a server can show it an old but complete
account unless the fingerprint is compared; sizes, times, counts and who is a member are visible to the server.
"""
