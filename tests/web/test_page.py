"""The frame of served pages: the language asked for, the forms of strangers, the cookies."""

import pytest
from starlette.requests import Request

from weitiao import languages, web


def request(query: str = "", scheme: str = "http", **headers: str) -> Request:
    named = {"host": "localhost:8000", **headers}
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": scheme,
            "path": "/",
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in named.items()],
        }
    )


@pytest.mark.parametrize(
    ("query", "headers", "language"),
    [
        ("lang=zh", {"accept_language": "en", "cookie": "weitiao_language=en"}, "zh"),
        ("lang=fr", {"cookie": "weitiao_language=zh"}, "zh"),
        ("", {"cookie": "weitiao_language=zh", "accept_language": "en"}, "zh"),
        ("", {"cookie": "weitiao_language=../x"}, "en"),
        ("", {"accept_language": "zh-TW,zh;q=0.9,en;q=0.8"}, "zh"),
        ("", {"accept_language": "en;q=0.3, ZH;q=0.7"}, "zh"),
        ("", {"accept_language": "zh;q=0, de"}, "en"),
        ("", {"accept_language": "zh;q=much,*"}, "en"),
        ("", {}, "en"),
    ],
)
def test_the_language(query, headers, language):
    assert web.language_of(request(query, **headers)) == language


def test_the_program_s_own_language_comes_last():
    languages.use("zh")
    assert web.language_of(request()) == "zh"
    assert web.language_of(request(accept_language="en")) == "en"


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({}, True),
        ({"origin": "http://localhost:8000"}, True),
        ({"origin": "http://localhost:8001"}, False),
        ({"origin": "http://localhost:8000.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"sec_fetch_site": "same-origin", "origin": "http://behind.proxy"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site", "origin": "http://localhost:8000"}, False),
    ],
)
def test_forms_of_strangers(headers, own):
    assert web.from_own_page(request(**headers)) == own


def test_cookies_are_closed_to_scripts_and_other_sites_and_stay_on_tls():
    for scheme in ("http", "https"):
        response = web.send_home()
        web.set_cookie(response, request(scheme=scheme), "name", "value", 60)
        cookie = response.headers["set-cookie"].lower()
        assert {"httponly", "samesite=strict", "path=/", "max-age=60"} <= set(cookie.split("; "))
        assert ("secure" in cookie.split("; ")) == (scheme == "https")


@pytest.mark.parametrize(("language", "tag", "said"), [("en", "en", "Log in"), ("zh", "zh-CN", "登录")])
def test_the_login_form_speaks_the_language_in_force(language, tag, said):
    with languages.speaking(language):
        response = web.login_form(request(f"lang={language}"), "<wrong>", 401)
    html = response.body.decode()
    assert response.status_code == 401
    assert "&lt;wrong&gt;" in html
    assert f'<html lang="{tag}">' in html
    assert f"<button>{said}</button>" in html
    assert f"weitiao_language={language}" in response.headers["set-cookie"]
    assert "set-cookie" not in web.login_form(request()).headers
