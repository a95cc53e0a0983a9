"""E-mails go out over real SMTP, once, and leave nothing behind; what people write can't become a header."""

import ssl
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from html import unescape
from pathlib import Path
from uuid import uuid4

import pytest
from aiosmtpd.smtp import AuthResult
from jinja2 import UndefinedError
from pydantic import SecretStr
from sqlalchemy import func, select, update

from app.core.clock import new_id
from app.db.runtime import current
from app.db.session import session_scope
from app.notifications import service, tasks
from app.notifications.gateway import MailDelayed, deliver
from app.notifications.letters import TEMPLATES, Letter, compose
from app.notifications.models import Mail
from tests.conftest import drain_jobs
from tests.factories import make_user
from tests.notifications.smtp import changed_settings, html_of, smtp_server, text_of

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


async def queue(user, template: str = "password_changed", **context: str) -> None:
    async with session_scope() as session:
        await service.queue_mail(
            session, owner_id=user.id, to=user.email, template=template, **({"name": user.name} | context)
        )


async def waiting(user) -> list[Mail]:
    async with session_scope() as session:
        return list(await session.scalars(select(Mail).where(Mail.owner_id == user.id)))


async def make_due(user) -> None:
    async with session_scope() as session:
        due = {"due_at": func.now() - timedelta(seconds=1), "created_at": func.now() - timedelta(hours=1)}
        await session.execute(update(Mail).where(Mail.owner_id == user.id).values(**due))


def composed(to: str = "ada@example.com", template: str = "password_changed", **context: object):
    letter = Letter(to, template, {"name": "Ada"} | context)
    return compose(
        letter, mail_id=uuid4(), written_at=NOW, sender="Life <no@example.org>", public_url="https://x.example"
    )


async def test_a_mail_is_sent_once_and_forgotten(settings, mailbox):
    user = await make_user(name="Ada & <Lovelace>")
    await queue(user)

    await drain_jobs(settings)
    await drain_jobs(settings)

    [message] = mailbox.sent_to(user.email)
    assert message["To"] == user.email
    assert message["From"] == settings.mail_from
    assert message["Auto-Submitted"] == "auto-generated"
    assert "Hello Ada & <Lovelace>," in text_of(message)
    assert "Hello Ada &amp; &lt;Lovelace&gt;," in html_of(message)
    assert await waiting(user) == []


async def test_a_mail_of_a_transaction_that_fails_is_not_sent(settings, mailbox):
    user = await make_user()
    async with session_scope() as session:
        await service.queue_mail(session, owner_id=user.id, to=user.email, template="password_changed", name="Ada")
        await session.rollback()
    await drain_jobs(settings)

    assert mailbox.sent_to(user.email) == []


async def test_a_mail_waits_while_the_server_is_away_and_goes_out_later_with_the_same_id(settings, mailbox):
    user = await make_user()
    with changed_settings(smtp_url=SecretStr("smtp://127.0.0.1:1")):
        await queue(user)
        await drain_jobs(settings)
    [mail] = await waiting(user)
    assert mail.attempts == 1

    await drain_jobs(settings)
    assert mailbox.sent_to(user.email) == []  # not before its pause is over

    await make_due(user)
    assert await tasks.queue_due() >= 1
    await drain_jobs(settings)
    [message] = mailbox.sent_to(user.email)
    assert message["Message-ID"] == f"<{mail.id}@lifevault.invalid>"
    assert await waiting(user) == []


async def test_a_mail_that_is_being_sent_is_not_sent_by_another_worker(settings, mailbox):
    import asyncio

    user = await make_user()
    await queue(user)
    [mail] = await waiting(user)

    await asyncio.gather(*(service.send_mail(mail.id) for _ in range(5)))
    await drain_jobs(settings)

    assert len(mailbox.sent_to(user.email)) == 1


async def test_a_refusal_for_good_ends_it_and_one_for_now_does_not(settings, mailbox):
    user = await make_user()
    mailbox.refusal = "450 try later"
    await queue(user)
    await drain_jobs(settings)
    assert [mail.attempts for mail in await waiting(user)] == [1]

    mailbox.refusal = "550 no such person"
    await make_due(user)
    await tasks.queue_due()
    await drain_jobs(settings)

    assert await waiting(user) == []
    assert mailbox.messages == []


async def test_a_mail_is_given_up_after_three_days(settings, mailbox):
    user = await make_user()
    mailbox.refusal = "450 try later"
    await queue(user)
    pauses = []
    for _ in range(service.MOST_ATTEMPTS):
        await make_due(user)
        [mail] = await waiting(user)
        await service.send_mail(mail.id)
        async with session_scope() as session:
            pauses += [await session.scalar(select(Mail.due_at - func.now()).where(Mail.id == mail.id))]

    assert await waiting(user) == []
    assert [round(pause.total_seconds() / 60) for pause in pauses[:4]] == [1, 2, 4, 8]
    total = sum((pause for pause in pauses[:-1]), timedelta())
    assert timedelta(days=1) < total < timedelta(days=4)


async def test_a_mail_goes_with_the_key_it_is_sealed_by(settings, mailbox):
    owner = new_id()
    async with session_scope() as session:
        await current().keys.create(session, "vault", owner)
        await service.queue_mail(session, owner_id=owner, to="x@example.com", template="password_changed", name="Ada")
    async with session_scope() as session:
        await current().keys.destroy(session, owner)
    await drain_jobs(settings)

    assert mailbox.sent_to("x@example.com") == []


async def test_an_unknown_template_is_refused_when_it_is_queued():
    user = await make_user()
    for template in ("nothing", "../layout", "layout"):
        with pytest.raises(ValueError, match="template"):
            await queue(user, template)


MORE = {
    "address": "203.0.113.7",
    "amount": "9.00 EUR",
    "answer": "accepted",
    "code": "314159",
    "day": "3 March 2027",
    "days": "30",
    "device": "Firefox on Linux",
    "link_days": "30",
    "nominee": "Grace",
    "owner": "Ada",
    "number": "LV-2026-000001",
    "prefix": "lv_8fKq2LmZ0a",
    "reason": "insufficient funds",
    "stage": "1 of 2",
    "time": "08:30",
    "until": "3 March 2027",
    "title": "Astrid's passport expires in 30 days",
    "text": "It expires on 31 May 2031, in 30 days (Valid until).",
    "lines": ["A line of its own", "and another"],
    "count": "2",
    "entries": [
        {"title": "Astrid's passport expires today", "text": "It expires.", "lines": [], "token": "t" * 43},
        {"title": "Your monthly review", "text": "This is worth a look.", "lines": ["A line"], "token": ""},
    ],
    "more": "7",
}
TEXTS = sorted(path.stem for path in TEMPLATES.glob("*.txt"))


@pytest.mark.parametrize("template", TEXTS)
def test_every_template_makes_a_whole_message(template):
    gaps = {"token": "t" * 43, "hours": "24", "minutes": "60", "inviter": "Eve", "vault": "Home", "role": "viewer"}
    gaps |= MORE

    message = message_from_bytes(composed(template=template, **gaps).as_bytes(), policy=default)

    assert message["Subject"]
    assert len(text_of(message)) > 50
    assert "{{" not in text_of(message) + html_of(message)
    for line in text_of(message).splitlines():
        assert line in unescape(html_of(message))
    assert max(map(len, composed(template=template, **gaps).as_bytes().splitlines())) < 998  # RFC 5322 §2.1.1


def test_a_gap_that_is_left_open_is_an_error():
    with pytest.raises(UndefinedError):
        composed(template="invitation")


@pytest.mark.parametrize(
    "text", ["Eve\r\nBcc: all@example.com", "Eve\n\nhttps://x.example/evil", "Eve\rSubject: x", "\n.\n"]
)
def test_what_people_write_becomes_neither_a_header_nor_a_paragraph(text):
    gaps = {"token": "t", "hours": "1", "inviter": text, "vault": text, "role": "viewer"}

    message = message_from_bytes(composed(template="invitation", **gaps).as_bytes(), policy=default)

    assert sorted(message.keys()) == sorted(composed().keys())
    assert message["Subject"] == "An invitation to a vault"
    assert "href" not in html_of(message)


@pytest.mark.parametrize("text", ["x\r\nBcc: all@example.com", "https://x.example/evil", "x\n\nhttps://x.example/y"])
@pytest.mark.parametrize("template", ["reminder", "notice", "digest"])
def test_what_people_write_into_reminders_becomes_no_button(template, text):
    entry = {"title": text, "text": f"It expires ({text}).", "lines": [text], "token": "t" * 43}
    gaps = {**MORE, **entry, "entries": [entry]}

    message = message_from_bytes(composed(template=template, **gaps).as_bytes(), policy=default)

    assert sorted(message.keys()) == sorted(composed().keys())
    links = [line for line in html_of(message).split('"') if line.startswith("https://")]
    assert all(link.startswith("https://x.example/v1/reminders/links/") for link in links)
    assert len(links) == {"reminder": 2, "notice": 0, "digest": 1}[template]


@pytest.mark.parametrize("to", ["a@example.com\nBcc: b@example.com", "a@example.com, b@example.com", "no address", ""])
def test_an_address_that_is_not_exactly_one_is_refused(to):
    with pytest.raises(ValueError):  # noqa: PT011 (the standard library words it in several ways)
        composed(to=to)


async def test_an_address_that_can_not_be_written_is_given_up(settings, mailbox):
    user = await make_user()
    async with session_scope() as session:
        await service.queue_mail(session, owner_id=user.id, to="no\naddress", template="password_changed", name="A")
    await drain_jobs(settings)

    assert await waiting(user) == []


async def test_an_address_beyond_ascii_is_written_as_it_is(settings):
    with smtp_server(enable_SMTPUTF8=True) as mailbox, changed_settings(smtp_url=mailbox.url):
        jürgen = await make_user(email=f"jürgen.{uuid4().hex}@exämple.com", name="Jürgen")
        ada = await make_user(email=f"ada.{uuid4().hex}@exämple.com")
        await queue(jürgen)
        await queue(ada)
        await drain_jobs(settings)

    assert text_of(mailbox.sent_to(jürgen.email)[0]).startswith("Hello Jürgen,")
    assert len(mailbox.sent_to(ada.email.replace("exämple", "xn--exmple-cua"))) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).add_extension(names, critical=False)
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=1))
    signed = builder.not_valid_after(datetime.now(UTC) + timedelta(days=1)).sign(key, hashes.SHA256())
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    encoding = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(*encoding))
    return folder / "cert.pem", folder / "key.pem"


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


async def test_a_password_is_sent_after_starttls_only(certificate, monkeypatch):
    def authenticate(server, session, envelope, mechanism, data):
        right = (data.login, data.password) == (b"us er", b"p@ss/word")
        return AuthResult(success=right, handled=False)

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    options = {"tls_context": server_context(certificate), "require_starttls": True, "auth_required": True}
    with smtp_server(**options, authenticator=authenticate) as mailbox:
        for password, accepted in (("p%40ss%2Fword", True), ("wrong", False)):
            url = SecretStr(f"smtp://us%20er:{password}@127.0.0.1:{mailbox.port}")
            with changed_settings(smtp_url=url) as runtime:
                if accepted:
                    await deliver(composed(), runtime.settings)
                else:
                    with pytest.raises(MailDelayed):
                        await deliver(composed(), runtime.settings)

    assert len(mailbox.messages) == 1


async def test_a_server_without_a_known_certificate_gets_nothing(certificate):
    with (
        smtp_server(tls_context=server_context(certificate), require_starttls=True) as mailbox,
        changed_settings(smtp_url=mailbox.url) as runtime,
        pytest.raises(MailDelayed),
    ):
        await deliver(composed(), runtime.settings)

    assert mailbox.messages == []


async def test_smtps_is_encrypted_from_the_start(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with smtp_server(ssl_context=server_context(certificate)) as mailbox:
        url = SecretStr(f"smtps://127.0.0.1:{mailbox.port}")
        with changed_settings(smtp_url=url) as runtime:
            await deliver(composed(), runtime.settings)

    assert len(mailbox.messages) == 1


async def test_without_a_server_mails_wait(settings):
    user = await make_user()
    with changed_settings(smtp_url=SecretStr("")):
        await queue(user)
        await drain_jobs(settings)

    assert len(await waiting(user)) == 1
