"""The [alerts] part of a settings file: all faults at once, with their places, and no secret repeated."""

import pytest
from pydantic import ValidationError

from weitiao.alerts import AlertSettings, default_rules, read_settings, show
from weitiao.errors import RecipeError


def write(folder, text):
    file = folder / "service.toml"
    file.write_text(text, encoding="utf-8")
    return file


GOOD = """
[serve]
port = 8000

[alerts]
service = "工单"
cool_down = 600

[[alerts.rules]]
name = "投诉激增"
figure = "label_share:投诉"
above = 0.4
clear = 0.3
for = 300
receivers = ["ops"]

[[alerts.webhooks]]
name = "ops"
url = "https://ops.example.com/hook?key=t0ken"
secret = "s3cret"

[[alerts.emails]]
name = "mail"
host = "smtp.example.com"
from = "alerts@example.com"
to = ["ops@example.com"]
user = "alerts"
password_env = "SMTP_PASSWORD"
"""


def test_what_is_written_is_read_and_other_parts_are_left_alone(tmp_path):
    settings = read_settings(write(tmp_path, GOOD))
    (rule,) = settings.rules
    assert (rule.figure, rule.above, rule.clear, rule.hold) == ("label_share:投诉", 0.4, 0.3, 300)
    assert [receiver.name for receiver in settings.receivers] == ["ops", "mail"]
    assert settings.emails[0].sender == "alerts@example.com"
    assert settings.webhooks[0].key() == "s3cret"


def test_a_file_without_the_part_gives_the_defaults(tmp_path):
    settings = read_settings(write(tmp_path, "[serve]\nport = 8000\n"))
    assert settings.rules == default_rules()
    assert settings.receivers == []


def test_what_is_shown_holds_no_secret(tmp_path):
    settings = read_settings(write(tmp_path, GOOD))
    shown = show(settings)
    assert shown["receivers"][0] == {"name": "ops", "kind": "json", "to": "ops.example.com"}
    assert shown["rules"][0]["condition"] == "label_share:投诉 above 40.0%"
    assert "t0ken" not in str(shown) + repr(settings)
    assert "s3cret" not in str(shown) + repr(settings)


def test_all_faults_at_once_with_their_places_and_without_secrets(tmp_path):
    faulty = GOOD.replace("above = 0.4", "").replace("https://", "ftp://").replace("cool_down", "cooldown")
    faulty = faulty.replace('"s3cret"', "12345").replace('user = "alerts"\n', "")
    with pytest.raises(RecipeError) as told:
        read_settings(write(tmp_path, faulty))
    message = str(told.value)
    assert "5 setting(s)" in message
    assert "cooldown" in message
    assert "did you mean cool_down?" in message
    assert "rules.0 (" in message
    assert "line 9): a rule has exactly one of above, below and missing" in message
    assert "webhooks.0.url" in message
    assert "webhooks.0.secret" in message
    assert "emails.0 (" in message
    assert "user and password" in message
    assert "t0ken" not in message
    assert "12345" not in message


def test_the_line_is_that_of_the_table_with_the_fault(tmp_path):
    text = "[alerts]\n" + "".join(
        f'[[alerts.rules]]\nname = "r{n}"\nfigure = "up"\nabove = {value}\n' for n, value in enumerate((1, 2, '"x"'))
    )
    with pytest.raises(RecipeError, match=r"rules\.2\.above \(.*line 10\): expected a number, got \"x\""):
        read_settings(write(tmp_path, text))


@pytest.mark.parametrize("text", ["alerts = 3\n", "[[alerts]]\nservice = 'x'\n"])
def test_a_part_that_is_no_table(tmp_path, text):
    with pytest.raises(RecipeError, match=r"\[alerts\]"):
        read_settings(write(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(RecipeError, match=r"absent\.toml"):
        read_settings(tmp_path / "absent.toml")


HOOK = {"name": "ops", "url": "http://h/"}
MAIL = {"name": "m", "host": "smtp.example.com", "from": "a@b", "to": ["c@d"]}
RULE = {"name": "r", "figure": "up", "above": 1}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"rules": [RULE | {"below": 0}]}, "exactly one"),
        ({"rules": [{"name": "r", "figure": "up"}]}, "exactly one"),
        ({"rules": [RULE | {"clear": 2}]}, "good side"),
        ({"rules": [{"name": "r", "figure": "up", "below": 1, "clear": 0.5}]}, "good side"),
        ({"rules": [{"name": "r", "figure": "up", "missing": True, "clear": 0.5}]}, "clear needs a bound"),
        ({"rules": [RULE | {"above": float("nan")}]}, "finite"),
        ({"rules": [RULE | {"for": -1}]}, "greater than or equal"),
        ({"rules": [RULE | {"name": "a\nBcc: x"}]}, "pattern"),
        ({"rules": [RULE, RULE]}, "two rules are called r"),
        ({"rules": [RULE | {"receivers": ["nobody"]}]}, "names the receiver nobody"),
        ({"rules": [RULE | {"treshold": 1}]}, "Extra inputs"),
        ({"webhooks": [HOOK, HOOK]}, "two receivers are called ops"),
        ({"webhooks": [{"name": "ops"}]}, "exactly one of url and url_env"),
        ({"webhooks": [HOOK | {"url_env": "X"}]}, "exactly one of url and url_env"),
        ({"webhooks": [HOOK | {"secret": "a", "secret_env": "B"}]}, "only one of secret and secret_env"),
        ({"webhooks": [HOOK | {"format": "wecom", "secret": "a"}]}, "WeCom robots know no secret"),
        ({"webhooks": [HOOK | {"format": "slack"}]}, "feishu"),
        ({"webhooks": [HOOK | {"url": "http://h:port/"}]}, "address such as"),
        ({"webhooks": [HOOK | {"url": "http:///x"}]}, "address such as"),
        ({"webhooks": [HOOK | {"url": "file:///etc/passwd"}]}, "address such as"),
        ({"emails": [MAIL | {"user": "u"}]}, "user and password"),
        ({"emails": [MAIL | {"user": "u", "password": "p", "tls": "none"}]}, "encrypted connection"),
        ({"emails": [MAIL | {"to": []}]}, "at least 1"),
        ({"emails": [MAIL | {"from": "a@b\r\nBcc: x@y"}]}, "pattern"),
    ],
)
def test_contradictions_are_refused(given, fault):
    with pytest.raises(ValidationError, match=fault):
        AlertSettings.model_validate(given)


@pytest.mark.parametrize("value", [None, "", "not an address"])
def test_an_address_from_the_environment(monkeypatch, value):
    settings = AlertSettings.model_validate({"webhooks": [{"name": "ops", "url_env": "OPS_URL"}]})
    monkeypatch.delenv("OPS_URL", raising=False)
    if value is not None:
        monkeypatch.setenv("OPS_URL", value)
    with pytest.raises(RecipeError, match="OPS_URL"):
        settings.check_secrets()
    monkeypatch.setenv("OPS_URL", "https://h/x")
    settings.check_secrets()
    assert settings.webhooks[0].address() == "https://h/x"
