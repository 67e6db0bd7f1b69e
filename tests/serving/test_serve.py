"""`hazardscribe serve` as a process: plain refusals, a free port, and a stop that loses nothing."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest
from running_server import picture

from hazardscribe import cli, verbs
from hazardscribe.errors import InputError
from hazardscribe.serving.serve import listen
from hazardscribe.serving.settings import ServeSettings, secrets_of_environment

SERVE = [sys.executable, "-m", "hazardscribe.cli", "serve"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "name a model folder (--model) or an endpoint (--engine)"),
        ({"engine": "ftp://x"}, "--engine ftp://x: must begin with http"),
        ({"engine": "https://u:geheim@x/v1"}, "--engine: holds a password"),
        ({"engine": "http://x", "data": "pairs"}, "leave --data or --engine out"),
        ({"model": "m", "port": 70000}, "--port 70000"),
        ({"model": "m", "max_batch": 0}, "--max_batch 0: must be at least 1"),
        ({"model": "m", "queue_size": 10}, "--queue_size 10: must hold one request of 20 photos"),
        ({"model": "m", "deadline_s": 0}, "--deadline_s 0"),
        ({"model": "m", "host": ""}, "--host"),
    ],
)
def test_settings_that_cannot_work_are_named(options, said):
    with pytest.raises(InputError, match=re.escape(said)):
        ServeSettings(**options)


def test_a_folder_or_a_url_names_the_ledger(tmp_path):
    folder = ServeSettings(model=tmp_path, store=str(tmp_path))
    assert folder.store_url == f"sqlite:///{tmp_path}/ledger.sqlite"
    assert folder.store_photos == tmp_path / "photos"
    url = ServeSettings(model=tmp_path, store="postgresql://db/x", photo_folder=tmp_path / "p")
    assert (url.store_url, url.store_photos) == ("postgresql://db/x", tmp_path / "p")


def test_secrets_come_from_the_environment_and_are_no_options(monkeypatch, capsys):
    monkeypatch.setenv("HAZARDSCRIBE_TOKEN", "t" * 20)
    monkeypatch.setenv("HAZARDSCRIBE_ENGINE_KEY", "")
    assert secrets_of_environment() == {"token": "t" * 20, "engine_key": None}
    for option in ("--token", "--engine_key"):
        with pytest.raises(SystemExit):
            cli.main(["serve", option, "x"])
    assert "there is no option" in capsys.readouterr().err


def test_other_machines_are_not_served_without_tokens(start, capsys, monkeypatch):
    monkeypatch.delenv("HAZARDSCRIBE_TOKEN", raising=False)
    assert cli.main(["serve", "--model", str(start), "--host", "0.0.0.0"]) == 2
    assert "--tokens FILE" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told_before_the_model_is_loaded(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.main(["serve", "--model", str(tmp_path), "--port", str(port)]) == 2
    assert f"--port {port}: is taken by another program" in capsys.readouterr().err


def test_an_address_that_is_not_this_machines():
    for host in ("no.such.host.invalid", "192.0.2.1"):
        with pytest.raises(InputError, match=f"--host {host}"):
            listen(host, 0)


def test_a_missing_package_is_named_with_its_remedy(start, monkeypatch):
    from hazardscribe.verbs import serving

    monkeypatch.setattr(serving, "_NEEDED", ("fastapi", "no_such_package"))
    with pytest.raises(InputError, match=r"no_such_package.*\[serve\]"):
        verbs.serve(ServeSettings(model=start))


_EXPORTING = """
import sys, time
from pathlib import Path
from fake_engine import FakeEngine
from hazardscribe.serving import app, serve
from hazardscribe.serving.schemas import NewFinding
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.serving.store.store import Store

def each(store, filters=None):
    [one] = store.find().items
    for _ in range(3000):  # a ledger that takes minutes
        yield one
        time.sleep(0.05)

settings = ServeSettings(engine="http://nowhere", port=0, store=sys.argv[1], drain_s=1)
with serve.opened_store(settings) as store:
    store.confirm(NewFinding(text="x"), [], "li")
app.make_engine, Store.each = lambda *_: FakeEngine(), each
serve.serve(settings, lambda line: print(line, flush=True))
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM on Windows")
@pytest.mark.parametrize("to", ["xlsx", "pairs"])
def test_sigterm_ends_an_export_that_the_drain_did_not(tmp_path, to):
    command = [sys.executable, "-c", _EXPORTING, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    environment.pop("HAZARDSCRIBE_TOKEN", None)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        address = process.stdout.readline().strip()

        def export() -> None:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{address}v1/export?to={to}", timeout=100)

        asking = threading.Thread(target=export)
        asking.start()
        while not list(tmp_path.glob("photos/.export-*")):
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        asking.join()
        assert not list(tmp_path.glob("photos/.export-*"))
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM on Windows")
def test_sigterm_lets_a_request_under_way_finish(talkative, tmp_path):
    options = ["--model", talkative, "--port", "0", "--store", tmp_path / "store"]
    # A batch waits a second for company: time enough for the signal to come meanwhile.
    options += ["--max_wait_ms", "1000", "--max_new_tokens", "6", "--device", "cpu"]
    process = subprocess.Popen([*SERVE, *map(str, options)], stdout=subprocess.PIPE, text=True)
    try:
        address = re.search(r"http://\S+?(?=/ )", process.stdout.readline())[0]
        assert httpx.get(f"{address}/readyz").status_code == 200
        answers = []

        def ask() -> None:
            files = [("photos", picture())]
            answers.append(httpx.post(f"{address}/v1/describe", files=files, timeout=60))

        asking = threading.Thread(target=ask)
        asking.start()
        while "photos_waiting 1.0" not in httpx.get(f"{address}/metrics").text:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        asking.join(60)
        assert [answer.status_code for answer in answers] == [200]
        assert process.wait(60) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}/healthz")
    finally:
        process.kill()
        process.wait()
