import asyncio
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import streamlit

from connectors.store import Store
from dashboard import server, warm
from dashboard.compression import CompressedScripts


def answer(app, path="/", client=("127.0.0.1", 5), headers=(), query=b""):
    """Status, headers and body of a GET, without a network."""
    sent, asked = [], []

    async def receive():
        if asked:
            await asyncio.Event().wait()
        asked.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": ""}
    scope |= {
        "query_string": query,
        "headers": list(headers),
        "client": client,
        "scheme": "http",
        "http_version": "1.1",
        "server": ("x", 80),
    }
    with ThreadPoolExecutor(1) as beside:  # the browser tests keep a loop running in this thread
        beside.submit(asyncio.run, app(scope, receive, send)).result()
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], head, b"".join(message.get("body", b"") for message in sent[1:])


def routed(path):
    return next(route for route in server.routes() if route.path == path)


def test_every_answer_carries_the_security_headers_once():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"DENY")]})
        await send({"type": "http.response.body", "body": b"hello"})

    status, headers, body = answer(server.SecurityHeaders(app))
    assert (status, body) == (200, b"hello")
    assert set(server.HEADERS) <= set(headers)
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("query", "target"), [(b"", "./"), (b"region=East&vs=year", "./?region=East&vs=year")]
)
def test_the_name_of_the_first_page_leads_to_it_with_its_filters(query, target):
    status, headers, _ = answer(routed("/overview").app, "/overview", query=query)
    assert (status, headers["location"]) == (307, target)


def test_nothing_may_be_loaded_from_elsewhere():
    rules = dict(rule.split(" ", 1) for rule in server.CONTENT_POLICY.split("; "))
    assert rules["default-src"] == "'self'"
    assert rules["object-src"] == "'none'"
    assert not [rule for rule in rules.values() if "http:" in rule or "https:" in rule or "*" in rule]


def test_not_ready_while_it_warms_up(monkeypatch):
    monkeypatch.setattr(warm, "is_warm", lambda: False)
    status, headers, body = answer(routed("/api/ready").app, "/api/ready")
    assert status == 503
    assert json.loads(body) == {"ready": False, "reason": "warming up"}
    assert headers["cache-control"] == "no-store"


def test_every_version_is_warmed_up_once(monkeypatch, tmp_path, rapport):
    folder = tmp_path / "shop"
    rapport("init", folder)
    monkeypatch.setenv("RAPPORT_PROJECT", str(folder))
    served = warm.versions(look_every=0)
    assert next(served) is None
    assert rapport("refresh", "--project", folder).code == 0
    first = next(served)
    orders = folder / "data" / "orders.csv"
    orders.write_text(orders.read_text() + orders.read_text().splitlines()[-1].replace("1", "2") + "\n")
    assert rapport("refresh", "--project", folder).code == 0
    assert {first, next(served)} == {version.id for version in Store(folder / "store").versions()}


def test_ready_names_the_version(monkeypatch, shop):
    monkeypatch.setattr(warm, "is_warm", lambda: True)
    monkeypatch.setenv("RAPPORT_PROJECT", str(shop))
    status, _headers, body = answer(routed("/api/ready").app, "/api/ready")
    assert status == 200
    assert json.loads(body)["version"]


def test_not_ready_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(warm, "is_warm", lambda: True)
    monkeypatch.setenv("RAPPORT_PROJECT", str(tmp_path))
    status, _headers, body = answer(routed("/api/ready").app, "/api/ready")
    assert status == 503
    assert "rapport.yaml" in json.loads(body)["reason"]


def test_assets_are_kept_by_the_browser():
    status, headers, _body = answer(routed("/assets").app, "/mark.svg")
    assert status == 200
    assert headers["cache-control"] == "public, max-age=604800"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_address_is_the_one_asked_for(host):
    assert server.settings(host, 8600)["server.address"] == host


async def plain(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"plain"})


GZIP = [(b"accept-encoding", b"gzip, br")]
SCRIPT = sorted((Path(streamlit.__file__).parent / "static" / "static" / "js").glob("*.js"))[0]


def test_scripts_are_compressed_for_other_machines():
    app = CompressedScripts(plain)
    _status, headers, body = answer(app, f"/static/js/{SCRIPT.name}", ("10.0.0.7", 5), GZIP)
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == SCRIPT.read_bytes()


@pytest.mark.parametrize(
    ("path", "client", "accepted"),
    [
        (f"/static/js/{SCRIPT.name}", ("127.0.0.1", 5), GZIP),
        (f"/static/js/{SCRIPT.name}", ("10.0.0.7", 5), []),
        ("/static/js/none.js", ("10.0.0.7", 5), GZIP),
        ("/static/js/../../config.py", ("10.0.0.7", 5), GZIP),
        ("/", ("10.0.0.7", 5), GZIP),
    ],
)
def test_anything_else_is_passed_on(path, client, accepted):
    assert answer(CompressedScripts(plain), path, client, accepted)[2] == b"plain"
