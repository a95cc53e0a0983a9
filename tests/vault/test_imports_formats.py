"""What other programs export, as it is understood: nothing is lost, nothing breaks."""

import struct
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.vault.importing.entries import DocumentEntry, ImportProblem, ItemEntry, RefusedEntry
from app.vault.importing.opening import Limits
from app.vault.importing.records import Draft
from tests.vault.import_files import LIMITS, archive, first, onepassword, read, records, sample, table, with_argon2

PASSWORD = "export pass"
FIREFOX = [
    *("url", "username", "password", "httpRealm", "formActionOrigin", "guid"),
    *("timeCreated", "timeLastUsed", "timePasswordChanged"),
]


def problem(content: bytes, limits: Limits = LIMITS, **asked: Any) -> str:
    with pytest.raises(ImportProblem) as caught:
        read(content, limits, **asked)
    assert caught.value.message.endswith(".")
    return caught.value.code


def check_bitwarden(found: dict[str, ItemEntry]) -> None:
    login, card, note = found["Mail login"], found["Visa"], found["Will location"]
    assert (login.type, card.type, note.type) == ("login", "card", "secure_note")
    assert login.content == {
        "title": "Mail login",
        "fields": {
            "username": "ann",
            "password": 'p@ss,"w',
            "totp": "JBSWY3DPEHPK3PXP",
            "url": "https://example.org",
            "PIN": "1234",
            "flag": True,
        },
        "notes": "note é ✓",
        "tags": [],
    }
    assert (login.favourite, card.favourite) == (True, False)
    assert card.content["fields"] == {
        "holder": "A B",
        "brand": "Visa",
        "number": "4111111111111111",
        "security_code": "123",
        "valid_until": "2030-12",
    }
    assert note.content["notes"] == "In the safe\nline2"
    assert login.created_at is not None
    assert login.created_at.isoformat() == "2026-11-20T23:39:50.903000+00:00"


def test_the_json_of_bitwarden_is_read():
    found = records(sample("bw.json"))

    check_bitwarden(found)
    identity, key = found["Identity"], found["SSH"]
    assert identity.type == "contact"
    assert identity.content["fields"] == {
        "full_name": "Ms Ann Lee",
        "address": "PT",
        "Social security number": "000-00-0000",
        "Passport number": "X1234567",
        "Licence number": "L1",
    }
    assert key.type == "ssh_key"
    assert key.content["fields"]["private_key"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert key.content["fields"]["fingerprint"] == "SHA256:x"


def test_a_protected_export_is_read_with_its_password_only():
    check_bitwarden(records(sample("bw.enc.json"), password=PASSWORD))
    assert problem(sample("bw.enc.json")) == "password-needed"
    assert problem(sample("bw.enc.json"), password="guess") == "password-wrong"
    broken = orjson.loads(sample("bw.enc.json"))
    assert problem(orjson.dumps({**broken, "data": broken["data"][:-8]}), password=PASSWORD) in (
        "password-wrong",
        "damaged",
    )
    assert problem(orjson.dumps({**broken, "data": "nonsense"}), password=PASSWORD) == "damaged"
    assert problem(orjson.dumps({**broken, "kdfIterations": 10**9}), password=PASSWORD) == "too-expensive"
    assert problem(orjson.dumps({**broken, "kdfType": 7}), password=PASSWORD) == "too-expensive"
    assert problem(orjson.dumps({"encrypted": True, "data": "2.x"})) == "account-encrypted"


def test_an_export_protected_with_argon2id_is_read():
    content = with_argon2(orjson.loads(sample("bw.json")), "blaue Kacheln")

    check_bitwarden(records(content, password="blaue Kacheln"))
    assert problem(content, password="blue tiles") == "password-wrong"
    greedy = {**orjson.loads(content), "kdfMemory": 100_000}
    assert problem(orjson.dumps(greedy), password="blaue Kacheln") == "too-expensive"


def test_the_zip_of_bitwarden_brings_its_attachments():
    parsed = read(sample("bw.zip"))
    found = {entry.title: entry for entry in parsed.entries if isinstance(entry, ItemEntry)}

    check_bitwarden(found)
    assert parsed.format == "bitwarden_zip"
    [file] = found["Mail login"].files
    assert (file.name, file.path) == ("att.txt", "attachments/a2ce3861-7b55-4971-8156-7871be7ec14e/att.txt")
    assert found["Visa"].files == ()


def test_the_csv_of_bitwarden_is_read():
    found = records(sample("bw.csv"))

    assert found["Mail login"].content["fields"] == {
        "username": "ann",
        "password": 'p@ss,"w',
        "url": "https://example.org",
        "totp": "JBSWY3DPEHPK3PXP",
        "PIN": "1234",
        "flag": "true",
    }
    assert (found["Mail login"].content["tags"], found["Mail login"].favourite) == ([], True)
    assert (found["Will location"].type, found["Will location"].content["notes"]) == (
        "secure_note",
        "In the safe\nline2",
    )


def test_earlier_passwords_and_the_trash_of_bitwarden_are_kept():
    item = {
        "type": 1,
        "name": "Mail",
        "login": {"password": "third"},
        "folderId": "f",
        "passwordHistory": [
            {"lastUsedDate": "2026-02-01T00:00:00Z", "password": "second"},
            {"lastUsedDate": "2026-01-01T00:00:00Z", "password": "first"},
        ],
        "deletedDate": "2026-03-01T00:00:00Z",
    }
    entry = first(orjson.dumps({"items": [item], "folders": [{"id": "f", "name": "Home/Papers"}]}))

    assert isinstance(entry, ItemEntry)
    assert [past.content["fields"]["password"] for past in entry.history] == ["first", "second"]
    assert [past.revision for past in entry.history] == [1, 2]
    assert (entry.revision, entry.trashed, entry.content["tags"]) == (3, True, ["Home/Papers"])


def test_the_1pux_of_1password_is_read():
    parsed = read(onepassword())
    found = {entry.title: entry for entry in parsed.entries}
    mail, visa, passport, scan, server = (found[name] for name in ("Mail", "Visa", "Passport", "A scan", "Server"))

    assert parsed.format == "onepux"
    assert isinstance(mail, ItemEntry)
    assert mail.content == {
        "title": "Mail",
        "fields": {
            "username": "ann",
            "password": "new secret",
            "colour": "blue",
            "url": "https://mail.example",
            "Website": "https://other.example",
            "totp": "JBSWY3DPEHPK3PXP",
            "Telephone PIN": "1234",
        },
        "notes": "A note",
        "tags": ["work"],
    }
    assert [(file.name, file.path) for file in mail.files] == [("letter.txt", "files/doc1__letter.txt")]
    assert [past.content["fields"]["password"] for past in mail.history] == ["old secret"]
    assert isinstance(visa, ItemEntry)
    assert visa.content["fields"] == {
        "holder": "A Lee",
        "number": "4111111111111111",
        "valid_until": "2030-12",
        "security_code": "123",
    }
    assert isinstance(passport, ItemEntry)
    assert (passport.type, passport.content["tags"]) == ("passport", ["Archived"])
    assert passport.content["fields"]["born_on"] == "2000-01-01"
    assert isinstance(scan, DocumentEntry)
    assert [(file.name, file.path) for file in scan.files] == [("scan.pdf", "files/doc2__scan.pdf")]
    assert isinstance(server, ItemEntry)
    assert server.content["fields"] == {"Website": "10.0.0.1", "username": "root"}


@pytest.mark.parametrize(
    ("header", "row", "fields", "tags"),
    [
        (["name", "url", "username", "password", "note"], ["Mail", "https://a.example", "ann", "pw", "N"], {}, []),
        (["name", "url", "username", "password"], ["Mail", "https://a.example", "ann", "pw"], {}, []),
        (
            FIREFOX,
            ["https://a.example", "ann", "pw", "", "", "{g}", "1", "2", "3"],
            {},
            [],
        ),
        (
            ["url", "username", "password", "totp", "extra", "name", "grouping", "fav"],
            ["https://a.example", "ann", "pw", "TOTP", "N", "Mail", "Home", "1"],
            {"totp": "TOTP"},
            ["Home"],
        ),
        (
            ["Group", "Title", "Username", "Password", "URL", "Notes", "TOTP", "Icon", "Last Modified", "Created"],
            ["Root/Home", "Mail", "ann", "pw", "https://a.example", "N", "TOTP", "0", "", ""],
            {"totp": "TOTP"},
            ["Home"],
        ),
        (
            ["Account", "Login Name", "Password", "Web Site", "Comments"],
            ["Mail", "ann", "pw", "https://a.example", "N"],
            {},
            [],
        ),
        (
            ["Title", "URL", "Username", "Password", "Notes", "OTPAuth"],
            ["Mail", "https://a.example", "ann", "pw", "N", "otp"],
            {"totp": "otp"},
            [],
        ),
    ],
    ids=["chrome", "old chrome", "firefox", "lastpass", "keepassxc", "keepass", "safari"],
)
def test_tables_of_known_programs_are_read(header, row, fields, tags):
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        entry = first(table(header, row).decode().encode(encoding))
        assert isinstance(entry, ItemEntry)
        expected = {"username": "ann", "password": "pw", "url": "https://a.example"} | fields
        assert entry.content["fields"] == expected
        assert entry.content["tags"] == tags
        assert entry.title in ("Mail", "a.example")


def test_a_note_of_lastpass_is_a_note():
    header = ["url", "username", "password", "extra", "name", "grouping", "fav"]
    entry = first(table(header, ["http://sn", "", "", "The text", "Title", "", "0"]))

    assert isinstance(entry, ItemEntry)
    assert (entry.type, entry.content["notes"], entry.content["fields"]) == ("secure_note", "The text", {})


def test_any_other_table_is_read_with_a_mapping():
    content = table(["Was", "Code", "Wo", "Farbe"], ["Post", "geheim", "https://a.example", "blau"], delimiter=";")

    assert problem(content) == "columns-unknown"
    assert problem(content, mapping={"title": "Wer"}) == "columns-missing"
    entry = first(content, mapping={"title": "was", "password": "Code", "url": "Wo", "tags": "Farbe"})
    assert isinstance(entry, ItemEntry)
    assert entry.content == {
        "title": "Post",
        "fields": {"password": "geheim", "url": "https://a.example"},
        "notes": "",
        "tags": ["blau"],
    }
    contact = first(
        table(["N", "M", "X"], ["Ann", "not an address", "1"]),
        mapping={"title": "N", "email": "M"},
        record_type="contact",
    )
    assert isinstance(contact, ItemEntry)
    assert (contact.type, contact.content["fields"]) == ("contact", {"E-mail": "not an address", "X": "1"})


def test_what_no_field_can_hold_is_kept_elsewhere():
    draft = Draft("login", "T" * 500 + "\x00", "notes")
    draft.put("url", "androidapp://example")
    draft.put("password", "x" * 30_000)
    draft.custom("username", "not the user name")
    for number in range(120):
        draft.custom(f"field {number}", "value")
    draft.tag("a" * 100, "a" * 100, " ", "b")
    entry = draft.entry()

    assert isinstance(entry, ItemEntry)
    fields, notes = entry.content["fields"], entry.content["notes"]
    assert entry.title == "T" * 200
    assert fields["Full title"] == "T" * 500
    assert (fields["Website"], fields["username 2"]) == ("androidapp://example", "not the user name")
    assert len(fields) == 100
    assert notes.startswith("notes\n\nPassword:\n" + "x" * 30_000)
    assert "field 119:\nvalue" in notes
    assert entry.content["tags"] == ["a" * 64, "b"]


def test_a_record_that_is_too_long_is_refused_with_its_reason():
    entry = first(orjson.dumps({"items": [{"type": 2, "name": "Long", "notes": "x" * 200_000}]}))

    assert entry == RefusedEntry("Long", "too-long-or-invalid", "Not accepted as it is: notes")


@pytest.mark.parametrize("item", [None, 1, [], {"type": None}, {"type": 1, "login": []}, {"type": 1, "fields": [1]}])
def test_an_entry_that_is_none_is_refused_and_the_others_are_read(item):
    good = {"type": 2, "name": "Good"}
    entries = read(orjson.dumps({"items": [item, good]})).entries

    assert len(entries) == 2
    assert isinstance(entries[1], ItemEntry)
    assert isinstance(entries[0], RefusedEntry | ItemEntry)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "columns-unknown"),
        (b"{", "damaged"),
        (b"[]", "not-understood"),
        (b'{"a": 1}', "not-understood"),
        (b"PK\x03\x04 nothing", "damaged"),
        (archive({"a.txt": "text"}), "not-understood"),
        (archive({"data.json": "{"}), "damaged"),
        (archive({"export.data": {"accounts": 1}}), "not-understood"),
        (archive({"lifevault.json": {"format": "other"}}), "not-understood"),
        (archive({"lifevault.json": {"format": "lifevault-export", "version": 9}}), "not-understood"),
        (archive({"data.json": {"items": []}})[:-30], "damaged"),
        (b'name,url,username,password\n"open', "damaged"),
        (b"age-encryption.org/v1\n", "encrypted"),
        (b"\x00\x01\x02" * 100, "columns-unknown"),
    ],
)
def test_a_file_that_can_not_be_read_is_told_why(content, code):
    assert problem(content) == code


def test_a_format_that_was_said_is_believed_only_if_it_is_right():
    assert read(sample("bw.json"), format="bitwarden_json").format == "bitwarden_json"
    assert problem(sample("bw.json"), format="onepux") == "other-format"


def test_bombs_are_refused_before_they_are_unpacked():
    small = Limits(text_bytes=100_000, unpacked_bytes=1_000_000, entries=100)
    nothing = {"items": []}

    assert problem(archive({"data.json": b" " * 200_000}), small) == "too-large"
    assert problem(archive({"data.json": nothing, "attachments/a/b": bytes(2_000_000)}), small) == "too-large"
    assert (
        problem(archive({"data.json": nothing} | {f"attachments/a/{n}": bytes(9_000) for n in range(120)}), small)
        == "too-large"
    )
    assert problem(b"x" * 200_000, small) == "too-large"
    assert (
        problem(table(["name", "url", "username", "password"], *[["a", "", "", "b"]] * 200), small)
        == "too-many-entries"
    )
    assert problem(orjson.dumps({"items": [{"type": 2}] * 200}), small) == "too-many-entries"
    assert problem(b"[" * 90_000, small) == "damaged"


def test_an_entry_that_unpacks_to_more_than_it_says_is_damaged():
    content = bytearray(archive({"data.json": b'{"items": [' + b" " * 50_000 + b"]}"}))
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(mark) + at, 20)

    assert problem(bytes(content)) == "damaged"


def test_an_encrypted_archive_is_told_apart_from_a_broken_one():
    content = bytearray(archive({"data.json": {"items": []}}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1

    assert problem(bytes(content)) == "encrypted"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
KEYS = ["type", "name", "notes", "fields", "login", "card", "identity", "folderId", "passwordHistory", "favorite"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6) | JSON, max_size=3))
def test_whatever_stands_in_the_entries_each_is_read_or_refused(items):
    try:
        content = orjson.dumps({"items": items})
    except (TypeError, orjson.JSONEncodeError):
        return
    entries = read(content).entries
    assert len(entries) == len(items)
    for entry in entries:
        assert isinstance(entry, ItemEntry | RefusedEntry)
