"""Tokens, roles, the rate limit, and whom a server without tokens speaks to."""

from __future__ import annotations

import pytest

from hazardscribe.errors import InputError
from hazardscribe.serving.auth import (
    LOCAL,
    Caller,
    Gate,
    RateLimit,
    Tokens,
    check_exposure,
    is_local,
    warn_if_readable,
)
from hazardscribe.serving.errors import ApiError

ZHANG, LI = "zhang-0123456789-abcdef", "li-0123456789-abcdefghi"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tokens.txt"
    path.write_text(
        f"\ufeff# role name token\n\ninspector 张三 {ZHANG}  # phone\nadmin\t李主任\t{LI}\n",
        encoding="utf-8",
    )
    return path


def scope(address: str = "10.0.0.9", **headers: str) -> dict:
    headers = {"host": "127.0.0.1:8000"} | {k.replace("_", "-"): v for k, v in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "path": "/v1/session", "client": (address, 5), "headers": raw}


def test_a_token_names_its_holder_and_role(file):
    tokens = Tokens.load(file, "environment-0123456789")
    assert tokens.caller(ZHANG) == Caller("张三", "inspector")
    assert tokens.caller(LI) == Caller("李主任", "admin")
    assert tokens.caller("environment-0123456789") == Caller("admin", "admin")
    for wrong in ("", ZHANG[:-1], ZHANG.upper(), ZHANG + " ", "\udcff"):
        assert tokens.caller(wrong) is None


def test_every_entry_is_compared_even_after_a_match(file, monkeypatch):
    from hazardscribe.serving import auth

    compared = []
    plain = auth.hmac.compare_digest
    monkeypatch.setattr(
        auth.hmac, "compare_digest", lambda a, b: compared.append(len(a)) or plain(a, b)
    )
    tokens = Tokens.load(file)
    for token in (ZHANG, LI, "wrong"):
        tokens.caller(token)
    assert compared == [32] * 6


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("inspector 张三", "line 2: must be `inspector NAME TOKEN`"),
        (f"boss 张三 {ZHANG}", "line 2: must be"),
        (f"inspector 张 三 {ZHANG}", "line 2: must be"),
        ("admin 李 short", "at least 20"),
        ("admin 李 令牌令牌令牌令牌令牌令牌令牌令牌令牌令牌", "ASCII"),
        (f"admin 李 {ZHANG}\ninspector 王 {ZHANG}", "twice"),
        ("", "holds no token"),
    ],
)
def test_a_tokens_file_that_is_wrong(tmp_path, line, said):
    path = tmp_path / "tokens.txt"
    path.write_text(f"# tokens\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=said) as raised:
        Tokens.load(path)
    assert ZHANG not in str(raised.value)
    with pytest.raises(InputError, match=r"cannot be read \(No such file"):
        Tokens.load(tmp_path / "missing")


@pytest.mark.parametrize("sign", [" ", "\x07", "\n", "é"])
def test_a_token_from_the_environment_is_one_that_a_header_can_bear(sign):
    with pytest.raises(InputError, match="HAZARDSCRIBE_TOKEN: a token is made of ASCII"):
        Tokens.load(None, f"{ZHANG}{sign}{LI}")


def test_a_sign_of_a_token_begins_no_comment(tmp_path):
    path = tmp_path / "tokens.txt"
    path.write_text(f"# tokens\n #\nadmin li {LI}#7  # phone\n", encoding="utf-8")
    tokens = Tokens.load(path)
    assert tokens.caller(f"{LI}#7") == Caller("li", "admin")
    assert tokens.caller(LI) is None


def test_a_tokens_file_that_all_can_read_is_told_of(file, caplog):
    file.chmod(0o640)
    warn_if_readable(file)
    warn_if_readable(None)
    assert not caplog.text
    file.chmod(0o644)
    warn_if_readable(file)
    assert "everybody on this machine can read it" in caplog.text


def test_the_gate_knows_callers_by_their_token(file):
    gate = Gate(Tokens.load(file))
    assert gate.admit(scope(authorization=f"Bearer {ZHANG}")).name == "张三"
    assert gate.admit(scope(authorization=f"bearer  {LI}")).role == "admin"
    for wrong in ({}, {"authorization": f"Basic {ZHANG}"}, {"authorization": "Bearer x"}):
        with pytest.raises(ApiError) as raised:
            gate.admit(scope("127.0.0.1", **wrong))
        assert (raised.value.status, raised.value.code) == (401, "unauthorized")
        assert raised.value.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("address", "headers", "code"),
    [
        ("127.0.0.1", {}, None),
        ("::1", {"host": "[::1]:8000"}, None),
        ("127.0.0.1", {"host": "localhost:8000", "origin": "http://localhost:8000"}, None),
        ("10.0.0.9", {}, "no_tokens"),
        ("127.0.0.1", {"host": "evil.example:8000"}, "no_tokens"),  # a name made to point here
        ("127.0.0.1", {"x_forwarded_for": "10.0.0.9"}, "no_tokens"),  # a proxy
        ("127.0.0.1", {"forwarded": "for=10.0.0.9"}, "no_tokens"),
        ("127.0.0.1", {"via": "1.1 proxy"}, "no_tokens"),
        ("127.0.0.1", {"origin": "https://evil.example"}, "cross_site"),
        ("127.0.0.1", {"origin": "http://127.0.0.1:9000"}, "cross_site"),
        ("127.0.0.1", {"origin": "null"}, "cross_site"),
        ("127.0.0.1", {"origin": "http://[evil"}, "cross_site"),
        ("127.0.0.1", {"host": "[evil"}, "no_tokens"),
        ("127.0.0.1", {"host": ""}, "no_tokens"),
        ("127.0.0.1", {"sec_fetch_site": "same-origin"}, None),
        ("127.0.0.1", {"sec_fetch_site": "cross-site"}, "cross_site"),  # an <img>, a link
        ("127.0.0.1", {"sec_fetch_site": "same-site"}, "cross_site"),  # another port
    ],
)
def test_without_tokens_only_this_machines_own_programs_and_page_come_in(address, headers, code):
    gate = Gate(Tokens([]))
    if code is None:
        assert gate.admit(scope(address, **headers)) == LOCAL
        return
    with pytest.raises(ApiError) as raised:
        gate.admit(scope(address, **headers))
    error = raised.value
    assert (error.status, error.code) == (403, code)
    assert "WWW-Authenticate" not in error.headers  # there is no token that would help
    if code == "no_tokens":
        for sentence in (error.zh, error.en):
            assert "127.0.0.1" in sentence
            assert "--tokens" in sentence


def test_the_rate_limit_refills_with_time():
    now = [0.0]
    limit = RateLimit(60, clock=lambda: now[0])
    assert [limit.wait("a") for _ in range(60)] == [0] * 60
    assert limit.wait("a") == pytest.approx(1)
    assert limit.wait("b") == 0
    now[0] += 0.5
    assert limit.wait("a") == pytest.approx(0.5)
    now[0] += 0.5
    assert limit.wait("a") == 0
    assert limit.wait("a") > 0
    now[0] += 1e6
    assert [limit.wait("a") for _ in range(61)][-1] > 0
    assert RateLimit(0).wait("a") == 0


def test_the_rate_limit_remembers_no_more_than_so_many_addresses():
    limit = RateLimit(60)
    for i in range(11_000):
        limit.wait(str(i))
    assert len(limit._buckets) == 10_000
    assert list(limit._buckets)[-1] == "10999"  # what is forgotten is the oldest


def test_each_caller_has_a_rate_of_its_own_and_strangers_a_lower_one(file):
    gate = Gate(Tokens.load(file), requests_per_minute=100)
    zhang, li = scope(authorization=f"Bearer {ZHANG}"), scope(authorization=f"Bearer {LI}")
    for _ in range(100):
        gate.admit(zhang)
    with pytest.raises(ApiError) as raised:
        gate.admit(zhang)
    assert (raised.value.status, raised.value.code) == (429, "rate_limited")
    assert int(raised.value.headers["Retry-After"]) >= 1
    gate.admit(li)
    codes = []
    for _ in range(70):
        with pytest.raises(ApiError) as raised:
            gate.admit(scope(authorization="Bearer guess"))
        codes.append(raised.value.status)
    assert codes == [401] * 60 + [429] * 10


def test_other_machines_need_tokens(file):
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        check_exposure(host, Tokens([]))
    for host in ("0.0.0.0", "::", "192.168.1.5", "server"):
        check_exposure(host, Tokens.load(file))
        with pytest.raises(InputError, match="--tokens FILE"):
            check_exposure(host, Tokens([]))


def test_local_is_who_comes_directly_from_this_machine():
    assert is_local(scope("127.0.0.1"))
    assert not is_local(scope("10.0.0.9"))
    for proxy in ({"x_forwarded_for": "1.2.3.4"}, {"forwarded": "for=1.2.3.4"}, {"via": "1.1 a"}):
        assert not is_local(scope("127.0.0.1", **proxy))
