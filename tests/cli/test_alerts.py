"""`weitiao alerts list` and `weitiao alerts test`: exit codes, JSON, plain words."""

import json

from typer.testing import CliRunner

from weitiao.cli import app

RULES = """
[[alerts.rules]]
name = "errors"
figure = "error_rate"
above = 0.05
for = 60
"""


def run(*words):
    return CliRunner().invoke(app, ["alerts", *map(str, words)], catch_exceptions=False)


def settings(folder, text):
    file = folder / "service.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_list_shows_rules_and_receivers(tmp_path):
    file = settings(tmp_path, RULES + '[[alerts.webhooks]]\nname = "ops"\nurl = "https://h.example/x?key=t0ken"\n')
    found = run("list", "--settings", file)
    assert found.exit_code == 0
    assert "errors: error_rate above 5.0% for 60 s, warning, to ops" in found.stdout
    assert "ops: json, h.example" in found.stdout
    assert "t0ken" not in found.output
    (rule,) = json.loads(run("list", "--settings", file, "--json").stdout)["rules"]
    assert (rule["above"], rule["for"], rule["cool_down"], rule["receivers"]) == (0.05, 60, 900, ["ops"])


def test_nobody_to_tell_is_said(tmp_path):
    file = settings(tmp_path, RULES)
    for verb in ("list", "test"):
        found = run(verb, "--settings", file)
        assert found.exit_code == 0
        assert "name no receiver" in found.stdout


def test_faulty_settings_are_exit_code_2_with_all_faults(tmp_path):
    file = settings(tmp_path, RULES.replace("0.05", '"much"').replace("for = 60", "fro = 60"))
    for verb in ("list", "test"):
        found = run(verb, "--settings", file)
        assert found.exit_code == 2
        assert "2 setting(s)" in found.stderr
        assert "Traceback" not in found.output


def test_a_refused_connection_is_exit_code_1_in_plain_words(tmp_path):
    file = settings(tmp_path, '[[alerts.webhooks]]\nname = "ops"\nurl = "http://127.0.0.1:9/"\n')
    found = run("test", "--settings", file)
    assert found.exit_code == 1
    assert "1 of 1 receivers" in found.stderr
    assert "ops: 127.0.0.1 can't be reached: Connection refused" in found.stderr
    assert json.loads(run("test", "--settings", file, "--json").stdout)["exit_code"] == 1


def test_an_unknown_receiver_and_a_missing_variable_are_exit_code_2(tmp_path):
    file = settings(tmp_path, '[[alerts.webhooks]]\nname = "ops"\nurl_env = "NO_SUCH_VARIABLE"\n')
    assert run("test", "--settings", file, "--receiver", "oops").exit_code == 2
    found = run("test", "--settings", file)
    assert found.exit_code == 2
    assert "NO_SUCH_VARIABLE" in found.stderr
