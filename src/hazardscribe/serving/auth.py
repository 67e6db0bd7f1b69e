"""Who asks, and how often: tokens with roles, and a rate limit.

A tokens file has one line for each person or device, `role name token`; `#` begins a comment:

    # role     name      token (20 characters or more; `openssl rand -hex 24` makes one)
    inspector  张三       3f1c...
    admin      李主任     9ab2...

Tokens are kept and compared as SHA-256 digests, against every entry and in constant time. Without
any token the server speaks to its own machine alone, and everybody there is `local`, an admin. A
browser on that machine may show a stranger's page, though: requests that come from another site,
under another host name, or through a proxy are then refused.

The gate runs before a request's body is read; `inspector` and `admin` are what routes depend on.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers

from hazardscribe.errors import InputError
from hazardscribe.serving.errors import ApiError
from hazardscribe.serving.settings import is_loopback

logger = logging.getLogger(__name__)

Role = Literal["inspector", "admin"]
_SHORTEST = 20
_COMMENT = re.compile(r"(?:^|\s)#.*")  # within a token, # is a sign like others
_MOST_BUCKETS = 10_000

_bearer = HTTPBearer(auto_error=False, description="a token of the server's tokens file")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    role: Role


LOCAL = Caller("local", "admin")


class Tokens:
    """The callers by the digests of their tokens.

    Args:
        entries: `(caller, token)`.
    """

    def __init__(self, entries: list[tuple[Caller, str]]) -> None:
        self._entries = [(caller, _digest(token)) for caller, token in entries]

    @classmethod
    def load(cls, path: Path | None, admin_token: str | None = None) -> Tokens:
        """The tokens of a file, and one admin's from elsewhere.

        Raises:
            InputError: if the file cannot be read, or a line is none of `role name token`.
        """
        entries: list[tuple[Caller, str]] = []
        if admin_token is not None:
            entries.append((Caller("admin", "admin"), _checked(admin_token, "HAZARDSCRIBE_TOKEN")))
        if path is not None:
            try:
                lines = path.read_text(encoding="utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                cause = getattr(error, "strerror", None) or "it is no UTF-8 text"
                raise InputError(
                    f"--tokens {path}: cannot be read ({cause}); check the file and its permissions"
                ) from error
            for number, line in enumerate(lines, start=1):
                words = _COMMENT.sub("", line).split()
                if not words:
                    continue
                where = f"--tokens {path}: line {number}"
                if len(words) != 3 or words[0] not in ("inspector", "admin"):
                    raise InputError(
                        f"{where}: must be `inspector NAME TOKEN` or `admin NAME TOKEN`"
                    )
                role: Role = "admin" if words[0] == "admin" else "inspector"
                entries.append((Caller(words[1][:100], role), _checked(words[2], where)))
            if not entries:
                raise InputError(f"--tokens {path}: holds no token; add `admin NAME TOKEN`")
            digests = [_digest(token) for _, token in entries]
            if len(set(digests)) < len(digests):
                raise InputError(f"--tokens {path}: a token stands there twice")
        return cls(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def caller(self, token: str) -> Caller | None:
        """Whose token it is; takes as long for a wrong one as for a right one."""
        digest, found = _digest(token), None
        for caller, known in self._entries:
            if hmac.compare_digest(digest, known):
                found = caller
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _checked(token: str, where: str) -> str:
    if len(token) < _SHORTEST:
        raise InputError(
            f"{where}: the token has {len(token)} characters; take at least {_SHORTEST}, for "
            "example from `openssl rand -hex 24`"
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(f"{where}: a token is made of ASCII letters, digits and signs")
    return token


class RateLimit:
    """A token bucket for each key: so many at once, as many again in a minute.

    Args:
        per_minute: 0 lets everything pass. clock: seconds, for tests.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size, self._clock = float(per_minute), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """Take one from the key's bucket; seconds to wait where it is empty, else 0."""
        if not self._size:
            return 0.0
        now = self._clock()
        left, at = self._buckets.pop(key, (self._size, now))
        left = min(self._size, left + (now - at) * self._size / 60)
        passes = left >= 1
        self._buckets[key] = (left - 1 if passes else left, now)
        if len(self._buckets) > _MOST_BUCKETS:  # strangers must not fill the memory
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1 - left) * 60 / self._size


class Gate:
    """Lets callers in, or says why not.

    Args:
        tokens: none: this machine alone. requests_per_minute: of one caller; 0: no limit.
    """

    def __init__(self, tokens: Tokens, requests_per_minute: int = 0) -> None:
        self.tokens = tokens
        self._rate = RateLimit(requests_per_minute)
        # Wrong tokens are counted by address, and fewer of them.
        self._strangers = RateLimit(min(requests_per_minute, 60))

    def admit(self, scope: MutableMapping[str, Any]) -> Caller:
        """The caller of a request.

        Raises:
            ApiError: 401 without a valid token, 403 from another site or, where there are no
                tokens, from elsewhere, 429 for too many requests.
        """
        headers = Headers(scope=scope)
        address = (scope.get("client") or ("",))[0]
        if len(self.tokens):
            scheme, _, token = headers.get("authorization", "").partition(" ")
            caller = self.tokens.caller(token.strip()) if scheme.lower() == "bearer" else None
            if caller is None:
                _refuse_haste(self._strangers.wait(address))
                raise ApiError(
                    401,
                    "unauthorized",
                    "请先填写有效的访问口令。",
                    "A valid access token is needed.",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        else:
            _refuse_other_sites(scope, headers)
            caller = LOCAL
        _refuse_haste(self._rate.wait(caller.name))
        return caller


def is_local(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request comes from a program on this machine, and not through a proxy."""
    headers = Headers(scope=scope)
    address = (scope.get("client") or ("",))[0]
    proxied = any(name in headers for name in ("x-forwarded-for", "forwarded", "via"))
    return is_loopback(address) and not proxied


def _refuse_other_sites(scope: MutableMapping[str, Any], headers: Headers) -> None:
    host = headers.get("host", "")
    if not is_local(scope) or not is_loopback(_name(host)):
        raise ApiError(
            403,  # and no 401: nobody has a token that would help
            "no_tokens",
            "服务器未设置访问口令，只接受本机以 127.0.0.1 或 localhost 访问。"
            "其他地址或设备需要使用时，请管理员用 --tokens 启动服务器。",
            "Without access tokens the server serves its own machine alone, under 127.0.0.1 or "
            "localhost. For other names and machines its administrator starts it with --tokens.",
        )
    origin = headers.get("origin")
    elsewhere = origin is not None and origin.partition("://")[2] != host
    # What a page merely loads or links to bears no Origin, but this in browsers of today.
    if elsewhere or headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise ApiError(
            403,
            "cross_site",
            "不接受来自其他网站页面的请求。",
            "Requests from another site's page are refused.",
        )


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half an IPv6 address
        return ""


def _refuse_haste(seconds: float) -> None:
    if seconds > 0:
        raise ApiError(
            429,
            "rate_limited",
            "请求过于频繁，请稍后再试。",
            "Too many requests; try again a little later.",
            headers={"Retry-After": str(max(1, round(seconds + 0.5)))},
        )


async def inspector(
    request: Request,
    _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
) -> Caller:
    """The caller, of whatever role. What routes depend on that any caller may use."""
    caller = request.scope.get("state", {}).get("caller")
    return caller if isinstance(caller, Caller) else request.app.state.gate.admit(request.scope)


async def admin(caller: Annotated[Caller, Depends(inspector)]) -> Caller:
    """The caller, who must be an admin.

    Raises:
        ApiError: 403 for others.
    """
    if caller.role != "admin":
        raise ApiError(
            403, "forbidden", "此操作需要管理员权限。", "Only an administrator may do this."
        )
    return caller


def warn_if_readable(path: Path | None) -> None:
    """Say so in the log if everybody on the machine can read the tokens."""
    if path is not None and os.name != "nt" and path.stat().st_mode & stat.S_IROTH:
        logger.warning("--tokens %s: everybody on this machine can read it; chmod o= it", path)


def check_exposure(host: str, tokens: Tokens) -> None:
    """Refuse to listen to other machines without tokens.

    Raises:
        InputError: if the host is not this machine's own and there is no token.
    """
    if not is_loopback(host) and not len(tokens):
        raise InputError(
            f"--host {host}: other machines could then use the server without a password. Give "
            "--tokens FILE (lines `inspector NAME TOKEN` or `admin NAME TOKEN`) or set "
            f"HAZARDSCRIBE_TOKEN{'' if os.name == 'nt' else ' in the environment'}."
        )
