"""The receiver: what it takes, what it refuses, and what is on disk when it says 200."""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import httpx
import pytest
import uvicorn
import webhooks
from conftest import HEALTH, ROOT
from starlette.applications import Starlette
from webhooks import SECRET, headers, order, text

from orchestration.receive import app, inbox
from orchestration.receive.landing import land_inbox
from orchestration.sandbox.server import Sandbox, deliveries
from orchestration.settings import settings, shop_suffix

ADDRESS = "/webhooks/shopify/aurelia"
ANSWER = text({"_id": "a1", "response": "A gift"})


@contextmanager
def serving(application: Starlette) -> Iterator[str]:
    """A real server around an application, on a port of its own, while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(application, lifespan="off", log_config=None, access_log=False)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`environment(SHOPIFY_WEBHOOK_SECRET="x")`: settings anew; None takes a variable away."""

    def change(**values: str | None) -> None:
        for name, value in values.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        settings.cache_clear()

    change(SHOPIFY_WEBHOOK_SECRET=SECRET, SHOPIFY_CLIENT_SECRET=None, HEALTH_SHOPS=None)
    yield change
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


@pytest.fixture
def web(environment: Callable[..., None], warehouse: Path) -> Iterator[httpx.Client]:
    with (
        serving(app.build(warehouse, largest_body=10_000, body_seconds=0.5)) as base,
        httpx.Client(base_url=base, trust_env=False) as client,
    ):
        yield client


def kept(warehouse: Path) -> list[dict[str, object]]:
    paths = inbox.waiting(inbox.inbox_folder(warehouse))
    return [json.loads(path.read_text()) for path in paths]


# --- What is taken --------------------------------------------------------------------------------


def test_what_is_accepted_is_on_disk_as_it_came(web: httpx.Client, warehouse: Path) -> None:
    body = b'{"id": 820982911946154508,\n "note": "Caf\xc3\xa9 \\u2603", "total": 1.10}'
    response = web.post(ADDRESS, content=body, headers=headers("orders/create", body))
    assert (response.status_code, response.text) == (200, "kept\n")
    (delivery,) = kept(warehouse)
    received = delivery.pop("received_at")
    assert delivery == {
        "source": "shopify",
        "shop_id": "aurelia",
        "topic": "orders/create",
        "delivery_id": "b54557e4-0000-4000-8000-1",
        "triggered_at": "2026-06-01T12:00:00Z",
        "body": body.decode(),
    }
    assert str(received).endswith("+00:00")
    (path,) = inbox.waiting(inbox.inbox_folder(warehouse))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_every_topic_of_the_contract_is_taken(web: httpx.Client, warehouse: Path) -> None:
    topics = [
        *("orders/create", "orders/updated", "refunds/create"),
        *(f"returns/{s}" for s in ("request", "approve", "close", "cancel", "decline", "reopen")),
        *(f"customers/{s}" for s in ("create", "update", "merge", "delete")),
        *("customers/data_request", "customers/redact", "shop/redact"),
    ]
    for topic in topics:
        body = text({"topic": topic})
        assert web.post(ADDRESS, content=body, headers=headers(topic, body)).status_code == 200
    assert sorted(str(d["topic"]) for d in kept(warehouse)) == sorted(topics)


def test_a_delivery_that_comes_again_is_kept_once(web: httpx.Client, warehouse: Path) -> None:
    body = text(order())
    for _ in range(3):
        sent = web.post(ADDRESS, content=body, headers=headers("orders/create", body, number=7))
        assert sent.status_code == 200
    assert len(kept(warehouse)) == 1
    # The same words said on another occasion are another delivery: a return closed a second time.
    web.post(ADDRESS, content=body, headers=headers("orders/create", body, number=8))
    assert len(kept(warehouse)) == 2


@pytest.mark.parametrize("way", ["header", "query"])
def test_answers_come_with_a_secret(
    web: httpx.Client, warehouse: Path, environment: Callable[..., None], way: str
) -> None:
    environment(ZIGPOLL_WEBHOOK_SECRET="a word")
    more = {"headers": {"X-Webhook-Secret": "a word"}} if way == "header" else {}
    query = "?secret=a%20word" if way == "query" else ""
    address = f"/webhooks/zigpoll/aurelia{query}"
    assert web.post(address, content=ANSWER, **more).status_code == 200
    assert web.post(address, content=b"[" + ANSWER + b"]", **more).status_code == 200
    assert [(d["source"], d["topic"]) for d in kept(warehouse)] == [("zigpoll", "responses")] * 2
    assert (
        "a word"
        not in (warehouse.parent / "inbox")
        .joinpath(inbox.waiting(warehouse.parent / "inbox")[0])
        .read_text()
    )
    wrong = web.post("/webhooks/zigpoll/aurelia?secret=another", content=ANSWER)
    assert wrong.status_code == 401
    assert web.post("/webhooks/zigpoll/aurelia", content=ANSWER).status_code == 401


def test_it_says_that_it_is_up(web: httpx.Client) -> None:
    assert web.get("/health").status_code == 200
    assert web.get(ADDRESS).status_code == 405
    assert web.post("/webhooks/other/aurelia").status_code == 404


# --- Whose signature ------------------------------------------------------------------------------


def test_a_signature_is_of_these_bytes_and_of_this_secret(
    web: httpx.Client, warehouse: Path
) -> None:
    body = text(order())
    good = headers("orders/create", body)
    for wrong in (
        {"X-Shopify-Hmac-Sha256": webhooks.signature(body + b" ")},
        {"X-Shopify-Hmac-Sha256": webhooks.signature(body, "another secret")},
        {"X-Shopify-Hmac-Sha256": ""},
        {"X-Shopify-Hmac-Sha256": "é"},
    ):
        sent = {name: value.encode() for name, value in (good | wrong).items()}
        response = web.post(ADDRESS, content=body, headers=sent)
        assert response.status_code == 401
        assert SECRET not in response.text
    without = {name: value for name, value in good.items() if "Hmac" not in name}
    assert web.post(ADDRESS, content=body, headers=without).status_code == 401
    assert web.post(ADDRESS, content=body[:-1] + b" }", headers=good).status_code == 401
    assert kept(warehouse) == []
    assert web.post(ADDRESS, content=body, headers=good).status_code == 200


@pytest.mark.parametrize(
    ("variables", "secret", "status"),
    [
        ({"SHOPIFY_WEBHOOK_SECRET": "new, old"}, "new", 200),
        ({"SHOPIFY_WEBHOOK_SECRET": "new, old"}, "old", 200),
        ({"SHOPIFY_WEBHOOK_SECRET": "new, old"}, "new, old", 401),
        ({"SHOPIFY_WEBHOOK_SECRET": ","}, "", 404),
        ({"SHOPIFY_WEBHOOK_SECRET": "hook", "SHOPIFY_CLIENT_SECRET": "app"}, "app", 200),
        ({"SHOPIFY_WEBHOOK_SECRET": None, "SHOPIFY_CLIENT_SECRET": "app"}, "app", 200),
        ({"SHOPIFY_WEBHOOK_SECRET": "all", "SHOPIFY_WEBHOOK_SECRET__AURELIA": "own"}, "own", 200),
        ({"SHOPIFY_WEBHOOK_SECRET": "all", "SHOPIFY_WEBHOOK_SECRET__AURELIA": "own"}, "all", 401),
        ({"SHOPIFY_WEBHOOK_SECRET": None, "SHOPIFY_WEBHOOK_SECRET__HOSHI": "own"}, "own", 404),
        ({"HEALTH_SHOPS": "hoshi"}, SECRET, 404),
        ({"HEALTH_SHOPS": "hoshi,aurelia"}, SECRET, 200),
    ],
)
def test_which_secrets_may_sign(
    web: httpx.Client,
    environment: Callable[..., None],
    variables: dict[str, str | None],
    secret: str,
    status: int,
) -> None:
    environment(**variables)
    body = text(order())
    sent = web.post(ADDRESS, content=body, headers=headers("orders/create", body, secret=secret))
    assert sent.status_code == status


# --- What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"X-Shopify-Shop-Domain": "hoshi.myshopify.com"}, "that of aurelia, the webhook that of"),
        ({"X-Shopify-Shop-Domain": ""}, "the webhook that of ''"),
        ({"X-Shopify-Topic": "products/update"}, "'products/update' is not taken. Taken are order"),
        ({"X-Shopify-Topic": "returns/update"}, "is not taken"),
        ({"X-Shopify-Topic": ""}, "is not taken"),
    ],
)
def test_a_wrong_shop_or_topic_is_told(
    web: httpx.Client, warehouse: Path, changed: dict[str, str], said: str
) -> None:
    body = text(order())
    response = web.post(ADDRESS, content=body, headers=headers("orders/create", body) | changed)
    assert response.status_code == 400
    assert said in response.text
    assert kept(warehouse) == []


@pytest.mark.parametrize(
    "body", [b"", b"no", b"[]", b"7", b'{"a": NaN}', b'{"a": "\xff"}', b'{"id": 1', b"[" * 9000]
)
def test_a_body_that_is_no_json_object_is_refused(
    web: httpx.Client, warehouse: Path, body: bytes
) -> None:
    response = web.post(ADDRESS, content=body, headers=headers("orders/create", body))
    assert response.status_code == 400
    assert kept(warehouse) == []


def test_a_body_may_be_so_large_and_no_larger(web: httpx.Client, warehouse: Path) -> None:
    for size, status in ((10_000, 200), (10_001, 413)):
        body = text({"id": 1, "note": ""})
        body = body[:-2] + b"x" * (size - len(body)) + b'"}'
        assert len(body) == size
        sent = web.post(ADDRESS, content=body, headers=headers("orders/create", body))
        assert sent.status_code == status
    assert len(kept(warehouse)) == 1


def connected(web: httpx.Client) -> socket.socket:
    return socket.create_connection((web.base_url.host, web.base_url.port), timeout=10)


def test_a_body_without_a_length_is_read_no_further_than_it_may_be(web: httpx.Client) -> None:
    with connected(web) as endless:
        endless.sendall(
            f"POST {ADDRESS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        answered: list[socket.socket] = []
        sent = 0
        while not answered and sent < 5_000_000:
            endless.sendall(b"fa0\r\n" + b"x" * 4000 + b"\r\n")
            sent += 4000
            answered, _, _ = select.select([endless], [], [], 0.05)
        assert b" 413 " in endless.recv(1000).splitlines()[0]
    assert 10_000 < sent < 200_000


def test_a_body_that_does_not_come_is_not_waited_for(web: httpx.Client, warehouse: Path) -> None:
    with connected(web) as half:
        half.sendall(
            f"POST {ADDRESS} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{{".encode()
        )
        assert b" 408 " in half.recv(1000).splitlines()[0]
    assert kept(warehouse) == []


def test_a_disk_that_refuses_is_503_and_leaves_nothing(
    web: httpx.Client, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = text(order())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        sent = web.post(ADDRESS, content=body, headers=headers("orders/create", body))
        assert (sent.status_code, sent.headers["Retry-After"]) == (503, "60")
    folder = inbox.inbox_folder(warehouse)
    assert not folder.is_dir() or list(folder.iterdir()) == []
    assert (
        web.post(ADDRESS, content=body, headers=headers("orders/create", body)).status_code == 200
    )


def test_file_and_folder_are_on_disk_before_the_answer(
    web: httpx.Client, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.post(ADDRESS, content=(b := text({"id": 0})), headers=headers("orders/create", b))
    seen: list[str] = []
    fsync, replace, keep = os.fsync, Path.replace, inbox.keep

    def synced(handle: int) -> None:
        target = Path(f"/proc/self/fd/{handle}").readlink()
        seen.append("folder" if target.is_dir() else f"file {target.stat().st_size > 0}")
        fsync(handle)

    def named(path: Path, target: Path) -> Path:
        seen.append("named")
        return replace(path, target)

    def done(folder: Path, delivery: inbox.Delivery) -> Path:
        path = keep(folder, delivery)
        seen.append("kept")
        return path

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", named)
    monkeypatch.setattr(inbox, "keep", done)
    body = text(order())
    assert (
        web.post(ADDRESS, content=body, headers=headers("orders/create", body)).status_code == 200
    )
    assert seen == ["file True", "named", "folder", "kept"]


# --- At once, and killed --------------------------------------------------------------------------


class Receiver:
    """`health serve` as a process, on a free port."""

    def __init__(self, warehouse: Path, **more: str) -> None:
        self.process = subprocess.Popen(
            [str(HEALTH), "serve", "--port", "0"],
            cwd=ROOT,
            env={
                **os.environ,
                "DUCKDB_PATH": str(warehouse),
                "SHOPIFY_WEBHOOK_SECRET": SECRET,
                "COLUMNS": "40",
                "PYTHONUNBUFFERED": "1",
            }
            | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.match(r"(http://\S+)/webhooks/shopify/<shop>$", line)
        assert found, (line, self.process.stderr and self.process.stderr.read())
        self.base = found[1]

    def end(self, number: signal.Signals) -> tuple[str, str]:
        self.process.send_signal(number)
        return self.process.communicate(timeout=20)


def send(base: str, number: int) -> int | None:
    body = text(order(number, line_items=[]))
    try:
        return httpx.post(
            f"{base.rstrip(chr(47))}{ADDRESS}",
            content=body,
            headers=headers("orders/create", body, number=number),
            trust_env=False,
            timeout=10,
        ).status_code
    except httpx.TransportError:
        return None


def test_many_at_once_are_all_kept_and_each_once(web: httpx.Client, warehouse: Path) -> None:
    numbers = [n for n in range(1, 61) for _ in range(3)]
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda number: send(str(web.base_url), number), numbers))
    assert Counter(statuses) == {200: 180}
    found = [json.loads(str(delivery["body"]))["id"] for delivery in kept(warehouse)]
    assert sorted(found) == list(range(1, 61))


def test_what_was_answered_with_200_is_there_after_a_kill_at_any_moment(warehouse: Path) -> None:
    chance = random.Random(5)
    confirmed: set[int] = set()
    tried: set[int] = set()
    numbers = iter(range(1, 100_000))
    for _ in range(4):
        receiver = Receiver(warehouse)
        ended = threading.Event()

        def sender(base: str, ended: threading.Event) -> None:
            while not ended.is_set():
                number = next(numbers)
                tried.add(number)
                if send(base, number) == 200:
                    confirmed.add(number)

        threads = [
            threading.Thread(target=sender, args=(receiver.base, ended), daemon=True)
            for _ in range(4)
        ]
        before = len(confirmed)
        for thread in threads:
            thread.start()
        until = time.monotonic() + 60
        while len(confirmed) < before + 5:
            assert time.monotonic() < until, "the receiver confirms nothing"
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.3))
        receiver.end(signal.SIGKILL)
        ended.set()
        for thread in threads:
            thread.join(timeout=20)
    found = [json.loads(str(delivery["body"]))["id"] for delivery in kept(warehouse)]
    assert len(found) == len(set(found))
    assert confirmed <= set(found) <= tried
    assert len(confirmed) >= 20
    (landed,) = [r for r in land_inbox(warehouse) if r.table == "orders"]
    assert landed.rows_new == len(found)
    assert kept(warehouse) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end_and_says_nothing_secret(
    warehouse: Path, number: signal.Signals
) -> None:
    receiver = Receiver(warehouse, ZIGPOLL_WEBHOOK_SECRET="a word that is secret")
    try:
        assert send(receiver.base, 1) == 200
        answer = httpx.post(
            f"{receiver.base}/webhooks/zigpoll/aurelia?secret=a%20word%20that%20is%20secret",
            content=ANSWER,
            trust_env=False,
        )
        assert answer.status_code == 200
        out, err = receiver.end(number)
    finally:
        receiver.process.kill()
    assert receiver.process.returncode == 0, err
    assert "secret" not in (out + err).replace("secret_", "")
    assert len(kept(warehouse)) == 2


def test_what_the_sandbox_sends_is_what_the_file_drop_says(
    health: Callable[..., subprocess.CompletedProcess[str]], drop: Path, warehouse: Path
) -> None:
    """Merges and erasures, over HTTP and by the commands, where an extract knows of neither."""
    marks = "select shop_id, customer_id, merged_into_customer_id, redacted_at"
    health("load", str(drop), "--loaded-at", "2026-11-02T12:00:00", warehouse=warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        told = connection.execute(f"{marks} from raw_shopify.customers order by all").fetchall()
        connection.execute(
            "update raw_shopify.customers set merged_into_customer_id = null, redacted_at = null"
        )
    sandbox = Sandbox.from_drop(drop)
    shops = sandbox.shops("shopify")
    secrets = {
        f"SHOPIFY_WEBHOOK_SECRET{shop_suffix(shop)}": sandbox.webhook_secret(shop) for shop in shops
    }
    receiver = Receiver(warehouse, **secrets)
    try:
        for shop in shops:
            address = f"{receiver.base}/webhooks/shopify/{shop}"
            with httpx.Client(trust_env=False) as client:
                for sent, body in deliveries(sandbox, shop):
                    assert client.post(address, content=body, headers=sent).status_code == 200
    finally:
        receiver.end(signal.SIGTERM)
        sandbox.close()
    shown = health("land", warehouse=warehouse).stdout
    assert "shopify.customers" in shown
    assert "privacy requests wait for a person" in shown
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        landed = connection.execute(f"{marks} from raw_shopify.customers order by all").fetchall()
    assert landed == told
    assert len({row[2] for row in told}) > 1
    assert len({row[3] for row in told}) > 1
    assert kept(warehouse) == []


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if "_SECRET" not in k}
    return subprocess.run(
        [str(HEALTH), *arguments], cwd=ROOT, env=clean | environment, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip


def test_without_a_secret_or_a_port_or_a_disk_it_ends_with_a_sentence(warehouse: Path) -> None:
    done = run("serve", DUCKDB_PATH=str(warehouse))
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: No webhook could be verified: set SHOPIFY_WEBHOOK_SECRET" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(
            "serve", "--port", port, DUCKDB_PATH=str(warehouse), SHOPIFY_WEBHOOK_SECRET=SECRET
        )
    assert done.returncode == 1
    assert f"error: 127.0.0.1 port {port} cannot be listened on" in done.stderr
    (warehouse.parent / "inbox").rmdir()
    (warehouse.parent / "inbox").write_text("a file")
    done = run("serve", DUCKDB_PATH=str(warehouse), SHOPIFY_WEBHOOK_SECRET=SECRET)
    assert done.returncode == 1
    assert "cannot be made" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_killed_receiver_began_is_removed_when_it_is_old(warehouse: Path) -> None:
    folder = inbox.inbox_folder(warehouse)
    inbox.make_folder(folder)
    old, young = folder / ".old.part", folder / ".young.part"
    for part in (old, young):
        part.write_text("{")
    os.utime(old, (time.time() - 7200,) * 2)
    done = inbox.keep(folder, inbox.Delivery("shopify", "aurelia", "t", "1", None, "now", "{}"))
    assert inbox.waiting(folder) == [done]
    inbox.remove([done])
    assert list(folder.iterdir()) == [young]


def test_a_receiver_needs_python_alone() -> None:
    """It must come up fast and stay small: no warehouse, no Dagster, no dbt in it."""
    script = "import sys; import orchestration.receive.serve; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"duckdb", "dagster", "dbt", "pandas"} & set(done.stdout.split())
