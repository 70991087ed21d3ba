"""The page and its files."""

import re

import httpx


def test_the_page_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]
    for address in re.findall(r'(?:src|href)="([^"#]+)"', page.text):
        assert address.startswith("/"), f"{address} is not on this server"
        assert client.get(address).status_code == 200


def test_a_browser_fetches_each_version_once(client: httpx.Client) -> None:
    first = client.get("/")
    again = client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_no_file_outside_the_package_is_served(client: httpx.Client) -> None:
    for path in ("/static/../server.py", "/static/%2e%2e/errors.py", "/static/__init__.py"):
        assert client.get(path).status_code == 404
