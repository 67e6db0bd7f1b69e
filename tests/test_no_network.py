"""The guard that keeps the whole suite from other machines does keep it, in every process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

# An address of documentation (RFC 5737), which leads nowhere.
TRIES = {
    "a socket": "import socket; socket.create_connection(('192.0.2.1', 9), timeout=1)",
    "a name": "import socket; socket.getaddrinfo('example.com', 80)",
    "a datagram": "import socket; socket.socket(2, 2).sendto(b'x', ('192.0.2.1', 9))",
    "ipv6": "import socket; socket.socket(10, 1).connect(('2001:db8::1', 9))",
    "http": "import httpx; httpx.get('http://192.0.2.1/', trust_env=False)",
    "a hub": (
        "import os; os.environ['HF_HUB_OFFLINE'] = '0'\n"
        "import huggingface_hub as h; h.hf_hub_download('a/b', 'config.json')"
    ),
}


@pytest.mark.parametrize("name", TRIES)
def test_no_process_of_the_suite_reaches_another_machine(name: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = os.environ | {"HAZARDSCRIBE_OUTWARD_LOG": str(log)}
    tried = subprocess.run(
        [sys.executable, "-c", TRIES[name]],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert tried.returncode != 0
    assert "OutwardConnectionError" in tried.stderr or name == "a hub"
    assert log.read_text()


def test_nor_does_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAZARDSCRIBE_OUTWARD_LOG", str(tmp_path / "log"))
    with pytest.raises(RuntimeError, match="tests speak to no other machine"):
        socket.create_connection(("192.0.2.1", 9), timeout=1)
    with pytest.raises(RuntimeError, match="tests speak to no other machine"):
        httpx.get("http://example.com/", trust_env=False)


def test_a_swallowed_refusal_fails_the_session_and_leaves_no_file(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    guard = request.config.pluginmanager.get_plugin(str(Path(__file__).with_name("conftest.py")))
    log = tmp_path / "log"
    monkeypatch.setattr(guard, "_OUTWARD", log)
    session = SimpleNamespace(exitstatus=0)
    monkeypatch.setattr(guard, "_TELLS", False)  # started by pytest: the first one tells
    log.write_text("socket.connect", encoding="utf-8")
    guard.pytest_sessionfinish(session)
    assert (session.exitstatus, log.exists()) == (0, True)
    monkeypatch.setattr(guard, "_TELLS", True)
    guard.pytest_sessionfinish(session)
    assert (session.exitstatus, log.exists()) == (pytest.ExitCode.TESTS_FAILED, False)
    assert "socket.connect" in capsys.readouterr().out


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        waiting = threading.Thread(target=lambda: server.accept()[0].close())
        waiting.start()
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()
        waiting.join()
