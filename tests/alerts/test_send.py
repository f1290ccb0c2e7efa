"""What goes over the wire: signatures, the shapes of chat robots, emails on a real mail server; nothing secret told."""

import base64
import email
import email.policy
import hashlib
import hmac
import json
import logging
import socket
import ssl
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from weitiao import languages
from weitiao.alerts import send_test
from weitiao.errors import RecipeError

SECRET = "a-secret-of-the-firm"


def hook(receiver, **given):
    return {"name": "ops", "url": receiver.url + "?access_token=t0ken"} | given


def ok(content):
    return lambda number: (200, {}, json.dumps(content).encode())


def test_a_test_message_says_that_it_is_one(make, receiver):
    outcome = send_test(make(webhooks=[hook(receiver)]), "ops")
    assert outcome.state == "delivered"
    (body,) = receiver.bodies
    assert body["state"] == "test"
    assert body["subject"] == "[test] tickets: a test message"
    assert receiver.requests[0][0] == "/hook?access_token=t0ken"


def test_a_receiver_that_is_not_there_is_told_with_those_that_are(make, receiver):
    with pytest.raises(RecipeError, match="ops"):
        send_test(make(webhooks=[hook(receiver)]), "oops")


def test_the_signature_is_over_the_very_bytes(make, receiver, monkeypatch):
    monkeypatch.setenv("ALERTS_SECRET", SECRET)
    assert send_test(make(webhooks=[hook(receiver, secret_env="ALERTS_SECRET")]), "ops").state == "delivered"
    _, headers, content = receiver.requests[0]
    expected = "sha256=" + hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()
    assert headers["X-Weitiao-Signature"] == expected
    assert SECRET.encode() not in content


def test_without_a_secret_there_is_no_signature(make, receiver):
    send_test(make(webhooks=[hook(receiver)]), "ops")
    assert "X-Weitiao-Signature" not in receiver.requests[0][1]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("form", "good", "text_of"),
    [
        ("wecom", {"errcode": 0, "errmsg": "ok"}, lambda body: (body["msgtype"], body["text"]["content"])),
        ("dingtalk", {"errcode": 0, "errmsg": "ok"}, lambda body: (body["msgtype"], body["text"]["content"])),
        ("feishu", {"code": 0, "msg": "success"}, lambda body: (body["msg_type"], body["content"]["text"])),
    ],
)
def test_chat_robots_get_the_text_as_they_read_it(make, receiver, form, good, text_of, language):
    languages.use(language)
    receiver.answer = ok(good)
    assert send_test(make(webhooks=[hook(receiver, format=form)]), "ops").state == "delivered"
    kind, text = text_of(receiver.bodies[0])
    assert kind == "text"
    assert text.startswith({"en": "[test] tickets", "zh": "【测试】tickets"}[language])
    assert "server-1" in text


def test_dingtalk_is_signed_in_the_address(make, receiver):
    receiver.answer = ok({"errcode": 0})
    send_test(make(webhooks=[hook(receiver, format="dingtalk", secret=SECRET)]), "ops")
    query = parse_qs(urlsplit(receiver.requests[0][0]).query)
    told = f"{query['timestamp'][0]}\n{SECRET}"
    assert query["access_token"] == ["t0ken"]
    assert base64.b64decode(query["sign"][0]) == hmac.new(SECRET.encode(), told.encode(), hashlib.sha256).digest()


def test_feishu_is_signed_in_the_body(make, receiver):
    receiver.answer = ok({"code": 0})
    send_test(make(webhooks=[hook(receiver, format="feishu", secret=SECRET)]), "ops")
    (body,) = receiver.bodies
    key = f"{body['timestamp']}\n{SECRET}".encode()
    assert base64.b64decode(body["sign"]) == hmac.new(key, b"", hashlib.sha256).digest()


@pytest.mark.parametrize(
    ("form", "answer", "state"),
    [
        ("wecom", {"errcode": 93000, "errmsg": "invalid webhook url"}, "refused"),
        ("wecom", {"errcode": 45009, "errmsg": "api freq out of limit"}, "retry"),
        ("dingtalk", {"errcode": 310000, "errmsg": "keywords not in content"}, "refused"),
        ("feishu", {"code": 19021, "msg": "sign match fail"}, "refused"),
        ("feishu", {"code": 11232, "msg": "frequency limited"}, "retry"),
        ("feishu", {"StatusCode": 0, "StatusMessage": "success"}, "delivered"),
        ("wecom", ["what"], "retry"),
        ("wecom", {"errcode": "0"}, "retry"),
    ],
)
def test_a_robot_s_answer_is_read_though_its_status_is_200(make, receiver, form, answer, state):
    receiver.answer = ok(answer)
    outcome = send_test(make(webhooks=[hook(receiver, format=form)]), "ops")
    assert outcome.state == state
    assert "keywords" not in outcome.problem, "what a stranger wrote isn't repeated"


def test_an_answer_without_end_is_cut(make, receiver):
    receiver.answer = lambda number: (200, {}, b"[" * 200_000)
    assert send_test(make(webhooks=[hook(receiver, format="wecom")]), "ops").state == "retry"


def test_a_certificate_that_nobody_vouches_for_is_no_delivery(make, tmp_path):
    context = server_context(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        import threading

        def answer():
            connection, _ = listening.accept()
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/?key=t0ken"
        outcome = send_test(make(webhooks=[{"name": "ops", "url": url}]), "ops")
        thread.join()
    assert outcome.state == "retry"
    assert "certificate" in outcome.problem
    assert "t0ken" not in outcome.problem


def test_problems_and_logs_hold_no_secret(make, receiver, caplog):
    caplog.set_level(logging.DEBUG)  # of every library
    caplog.set_level(logging.DEBUG, "httpx")
    receiver.answer = lambda number: (403, {}, b"t0ken is wrong")
    settings = make(webhooks=[hook(receiver, secret=SECRET)])
    outcome = send_test(settings, "ops")
    told = outcome.problem + repr(settings) + "".join(record.getMessage() for record in caplog.records)
    assert caplog.records, "something was logged"
    assert "t0ken" not in told
    assert SECRET not in told


# Emails


class Mailbox:
    """What a mail server keeps; ``says`` is what it answers to a message."""

    def __init__(self):
        self.messages = []
        self.says = "250 OK"
        self.refuses = ()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refuses:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.says


def server_context(folder):
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    try:
        subprocess.run(
            [*command, "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("needs the program openssl, to make a certificate")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.fixture
def mail_server():
    """Starts a mail server; gives its mailbox and the settings of a receiver there."""
    running = []

    def start(mailbox=None, **given):
        mailbox = mailbox or Mailbox()
        running.append(Controller(mailbox, hostname="127.0.0.1", port=free_port(), **given))
        running[-1].start()
        return mailbox, {
            "name": "mail",
            "host": "localhost",
            "port": running[-1].port,
            "tls": "none",
            "from": "alerts@example.com",
            "to": ["ops@example.com", "boss@example.com"],
        }

    yield start
    for controller in running:
        controller.stop()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_email_arrives_with_its_key_as_message_id(make, mail_server, language):
    languages.use(language)
    mailbox, receiver = mail_server()
    assert send_test(make(emails=[receiver]), "mail").state == "delivered"
    (message,) = mailbox.messages
    assert message["Message-ID"] == f"<{message['Idempotency-Key']}@example.com>"
    assert message["Subject"] == {"en": "[test] tickets: a test message", "zh": "【测试】tickets：测试消息"}[language]
    assert message["To"] == "ops@example.com, boss@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert {"en": "Nothing is wrong", "zh": "当前没有异常"}[language] in message.get_content()


@pytest.mark.parametrize(
    ("says", "state"), [("451 try later", "retry"), ("554 refused", "refused"), ("250 OK", "delivered")]
)
def test_the_mail_server_s_code_decides(make, mail_server, says, state):
    mailbox, receiver = mail_server()
    mailbox.says = says
    assert send_test(make(emails=[receiver]), "mail").state == state


def test_addresses_that_are_refused(make, mail_server):
    mailbox, receiver = mail_server()
    mailbox.refuses = ("boss@example.com",)
    outcome = send_test(make(emails=[receiver]), "mail")
    assert (outcome.state, outcome.problem) == ("delivered", "1 of the addresses were refused")
    mailbox.refuses = ("boss@example.com", "ops@example.com")
    assert send_test(make(emails=[receiver]), "mail").state == "refused"


def test_a_mail_server_that_is_down_or_silent(make):
    receiver = {"name": "mail", "host": "localhost", "port": free_port(), "tls": "none", "timeout": 0.3}
    addresses = {"from": "a@example.com", "to": ["b@example.com"]}
    outcome = send_test(make(emails=[receiver | addresses]), "mail")
    assert (outcome.state, outcome.problem) == ("retry", "localhost can't be reached: Connection refused")
    with socket.create_server(("localhost", 0)) as listening:
        receiver["port"] = listening.getsockname()[1]
        outcome = send_test(make(emails=[receiver | addresses]), "mail")
    assert (outcome.state, outcome.problem) == ("retry", "localhost broke off, or didn't answer in time")


def test_starttls_and_login(make, mail_server, tmp_path, monkeypatch):
    def check(server, session, envelope, mechanism, login):
        return AuthResult(success=login.password == SECRET.encode(), handled=False)

    context = server_context(tmp_path)
    mailbox, receiver = mail_server(
        tls_context=context, require_starttls=True, authenticator=check, auth_required=True, auth_require_tls=True
    )
    receiver |= {"tls": "starttls", "user": "alerts", "password_env": "SMTP_PASSWORD"}
    monkeypatch.setenv("SMTP_PASSWORD", SECRET)
    settings = make(emails=[receiver])
    outcome = send_test(settings, "mail")
    assert outcome.state == "retry", "a certificate that nobody vouches for gets no password"
    assert "certificate" in outcome.problem
    assert not mailbox.messages

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    assert send_test(settings, "mail").state == "delivered"
    assert len(mailbox.messages) == 1

    monkeypatch.setenv("SMTP_PASSWORD", "wrong")
    outcome = send_test(settings, "mail")
    assert (outcome.state, outcome.problem) == ("refused", "the mail server answered with code 535")


def test_a_server_without_starttls_is_refused_in_plain_words(make, mail_server):
    _, receiver = mail_server()
    outcome = send_test(make(emails=[receiver | {"tls": "starttls"}]), "mail")
    assert (outcome.state, outcome.problem) == ("refused", "localhost offers no such encryption or login")
