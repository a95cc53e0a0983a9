"""Nothing of a file that is read reaches a disk."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.sniff import sniff
from app.rag.reader.wire import Job, Limits, encode_job
from tests.rag.parsing_files import docx, mail, pdf, picture, rtf, scanned_pdf, xlsx

MARKER = "Quittenmarmelade"
FILES = {
    "a.docx": docx(f"{MARKER} is the word"),
    "a.eml": mail(f"{MARKER} is the word", ("a.docx", docx(MARKER))),
    "a.pdf": pdf(f"{MARKER} is the word"),
    "a.png": picture(f"{MARKER} is the word"),
    "a.rtf": rtf(f"{MARKER} is the word"),
    "a.txt": f"{MARKER} is the word".encode(),
    "a.xlsx": xlsx({"Sheet": [[MARKER]]}),
    "scan.pdf": scanned_pdf(f"{MARKER} is the word"),
}
CHANGES_DISK = re.compile(
    r"(?:O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE)|^\d*\s*(?:mkdir|creat|rename|link|symlink|mknod)"
)


def environment(home: Path) -> dict[str, str]:
    folders = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(home))
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **folders}


def run(code: str, content: bytes, home: Path) -> "subprocess.CompletedProcess[bytes]":
    """Run code in a process whose every folder is `home`, with the content as its stdin."""
    return subprocess.run(
        [sys.executable, "-B", "-c", code],
        input=content,
        env=environment(home),
        cwd=home,
        capture_output=True,
        timeout=60,
    )


def written(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_confined_process_cannot_write_a_file(tmp_path: Path) -> None:
    code = (
        "import os; from app.rag.reader.confine import confine; from app.rag.reader.wire import Limits\n"
        "confine(Limits(), os.getppid())\n"
        "try: open('secret.txt', 'w', buffering=1).write('plaintext\\n')\n"
        "except OSError: print('refused')"
    )

    done = run(code, b"", tmp_path)

    assert done.stdout == b"refused\n"
    assert written(tmp_path) == b""


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")
def test_a_confined_process_cannot_open_a_connection(tmp_path: Path) -> None:
    code = (
        "import os, socket; from app.rag.reader.confine import confine; from app.rag.reader.wire import Limits\n"
        "server = socket.create_server(('127.0.0.1', 0)); confine(Limits(), os.getppid())\n"
        "try: socket.create_connection(server.getsockname())\n"
        "except PermissionError: print('refused')"
    )

    assert run(code, b"", tmp_path).stdout == b"refused\n"


def test_kreuzberg_keeps_no_copy_with_our_settings_although_it_does_by_default(tmp_path: Path) -> None:
    source = tmp_path / "a.docx"
    source.write_bytes(FILES["a.docx"])
    left: dict[str, bytes] = {}
    for config in ("office._config()", "kreuzberg.ExtractionConfig()"):
        home = tmp_path / config
        home.mkdir()
        code = (
            "import kreuzberg; from app.rag.reader import office\n"
            f"print(kreuzberg.extract_file_sync({str(source)!r}, config={config}).content)"
        )
        assert MARKER.encode() in run(code, b"", home).stdout
        left[config] = written(home)

    assert MARKER.encode() in left["kreuzberg.ExtractionConfig()"], (
        "the default writes nothing: this test shows nothing"
    )
    assert left["office._config()"] == b""


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("name", FILES)
def test_the_kernel_saw_no_attempt_to_write_a_file(name: str, tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "log"
    home.mkdir()
    job = Job(sniff(FILES[name], name), name, Limits())
    command = [sys.executable, "-B", "-S", "-s", "-P", "-m", "app.rag.reader", str(os.getpid())]

    done = subprocess.run(
        [shutil.which("strace") or "", "-D", "-f", "-qq", "-e", "trace=%file", "-o", str(log), *command],
        input=encode_job(job) + FILES[name],
        env=environment(home),
        cwd=home,
        capture_output=True,
        timeout=120,
    )

    attempts = [line for line in log.read_text().splitlines() if CHANGES_DISK.search(line) and "/dev/null" not in line]
    assert b'"end"' in done.stdout
    assert attempts == []
    assert list(home.iterdir()) == []
