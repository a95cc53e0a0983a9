"""Sheets are opened on any machine, without a server, and the key goes into a file that only its owner may read."""

import os
import stat
import subprocess
import sys

import pytest

from app.nominees.opening import main
from app.nominees.shamir import share_among_three

SECRET = os.urandom(32)
SHEETS = share_among_three(SECRET, 2, 3)


@pytest.fixture
def files(tmp_path):
    """Every sheet as a file; one typed with its numbers, one by first letters."""
    numbered = "\n".join(f"{number}. {word}" for number, word in enumerate(SHEETS.owner.split(), 1))
    short = " ".join(word[:4].upper() for word in SHEETS.nominees[0].split())
    typed = {"owner": numbered, "one": short, "two": SHEETS.nominees[1], "server": SHEETS.server}
    for name, text in typed.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_two_groups_write_the_key_and_print_nothing_of_it(files):
    command = [sys.executable, "-m", "app.nominees.opening", "key", "owner", "one", "two"]

    done = subprocess.run(command, cwd=files, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout) == (0, "")
    assert (files / "key").read_bytes() == SECRET
    assert stat.S_IMODE((files / "key").stat().st_mode) == 0o600
    assert SECRET.hex() not in done.stderr


def test_a_file_that_is_there_is_not_overwritten(files, capsys):
    (files / "key").write_text("precious")

    assert main([str(files / each) for each in ("key", "owner", "server")]) == 1
    assert (files / "key").read_text() == "precious"
    assert "there already" in capsys.readouterr().err


def test_it_says_how_many_sheets_are_missing(files, capsys):
    assert main([str(files / each) for each in ("key", "owner", "one")]) == 1
    assert "1 of 2 groups are complete; of a group that is begun, 1 more" in capsys.readouterr().err
    assert main([str(files / each) for each in ("key", "owner")]) == 1
    assert "1 of 2 groups are complete." in capsys.readouterr().err
    assert not (files / "key").exists()


def test_it_says_in_which_file_the_slip_is(files, capsys):
    typed = SHEETS.nominees[1].split()
    typed[10] = "kitten"
    (files / "two").write_text(" ".join(typed))

    assert main([str(files / each) for each in ("key", "owner", "one", "two")]) == 1
    said = capsys.readouterr().err
    assert "two: word 11 is not one of the words" in said
    assert "kitten" not in said


def test_sheets_of_two_sets_are_told_apart(files, capsys):
    (files / "server").write_text(share_among_three(SECRET, 2, 3).server)

    assert main([str(files / each) for each in ("key", "owner", "server")]) == 1
    assert "don't belong together" in capsys.readouterr().err


def test_without_sheets_it_explains_itself_and_missing_files_are_named_so(files, capsys):
    assert main([]) == 1
    assert "KEYFILE SHEET" in capsys.readouterr().err
    assert main([str(files / "key"), str(files / "none")]) == 1
    assert "can't be read" in capsys.readouterr().err
