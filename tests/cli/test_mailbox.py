"""The mail catcher: what is sent can be read by a person and by a program, and nothing in it runs."""

import json
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from smtplib import SMTP

import httpx
import pytest

from app.cli.embedded.ports import free_port, is_free
from tests.cli.programs import start, wait_until


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    smtp, http = free_port(), free_port()
    with start(sys.executable, "-m", "app.cli.embedded.mailbox", smtp, http) as process:
        wait_until(lambda: not is_free(smtp) and not is_free(http))
        yield smtp, http
        process.terminate()


def send(port: int, subject: str, text: str, html: str = "") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "vault@lifevault.invalid", "grete@example.com", subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    with SMTP("127.0.0.1", port) as smtp:
        smtp.send_message(message)


def test_a_mail_can_be_read_as_json_newest_first(ports: tuple[int, int]):
    send(ports[0], "Grüße", "Ein Brief von Müller", "<b>Ein Brief</b>")
    send(ports[0], "Second", "later")

    second, first = httpx.get(f"http://127.0.0.1:{ports[1]}/mails.json").json()[:2]

    assert second["subject"] == "Second"
    assert first["to"] == ["grete@example.com"]
    assert (first["subject"], first["text"].strip(), first["html"].strip()) == (
        "Grüße",
        "Ein Brief von Müller",
        "<b>Ein Brief</b>",
    )


def test_a_page_shows_markup_as_text_and_links_as_links(ports: tuple[int, int]):
    send(ports[0], "<script>alert(1)</script>", 'Open https://127.0.0.1/x?a=1&b="2 now <img src=x onerror=alert(1)>')

    page = httpx.get(f"http://127.0.0.1:{ports[1]}/")

    assert "<script" not in page.text
    assert "<img" not in page.text
    assert '<a href="https://127.0.0.1/x?a=1&amp;b=">' in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_web_page_that_borrows_our_address_is_refused(ports: tuple[int, int]):
    answer = httpx.get(f"http://127.0.0.1:{ports[1]}/mails.json", headers={"Host": f"evil.example:{ports[1]}"})

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/other", 404), ("POST", "/", 405), ("GET", "/mails.json?x=1", 404)]
)
def test_other_requests_are_answered_plainly(ports: tuple[int, int], method: str, path: str, status: int):
    assert httpx.request(method, f"http://127.0.0.1:{ports[1]}{path}").status_code == status


def test_only_the_last_two_hundred_mails_are_kept(ports: tuple[int, int]):
    with SMTP("127.0.0.1", ports[0]) as smtp:
        for number in range(210):
            smtp.sendmail("a@example.com", ["b@example.com"], f"Subject: {number}\r\n\r\nx\r\n")

    mails = json.loads(httpx.get(f"http://127.0.0.1:{ports[1]}/mails.json").content)

    assert len(mails) == 200
    assert mails[0]["subject"] == "209"


def test_a_mail_in_an_unknown_character_set_is_kept_all_the_same(ports: tuple[int, int]):
    with SMTP("127.0.0.1", ports[0]) as smtp:
        content = "Subject: odd\r\nContent-Type: text/plain; charset=klingon\r\n\r\nqapla\r\n"
        smtp.sendmail("a@example.com", ["b@example.com"], content)

    mail = httpx.get(f"http://127.0.0.1:{ports[1]}/mails.json").json()[0]

    assert mail["text"].strip() == "qapla"
