"""How a server is set up; what the command line says, with the defaults of one office machine."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from hazardscribe.errors import InputError

MIB = 2**20


@dataclass(frozen=True)
class ServeSettings:
    """Settings of `hazardscribe serve`.

    Attributes:
        model: model folder; None with an engine elsewhere. engine: URL of an OpenAI-compatible
            endpoint that describes in its place. engine_model: the model's name there.
        data: pairs in which similar past cases are looked for.
        host, port: where to listen; 0 takes a free port.
        store: folder of the ledger (SQLite file and photos), or a SQLAlchemy URL.
        photo_folder: folder of the ledger's photos; default: in the store's folder.
        tokens: file of tokens; token: one admin token more.
        max_photos, max_photo_bytes, max_request_bytes: limits of one request.
        max_pixels: width x height of a photo, as its header states them.
        max_batch: photos that go through the model together. max_wait_ms: how long the first waits
            for company. queue_size: photos that may wait; beyond, requests are refused with 429.
        deadline_s: seconds after which a request that is not answered is given up.
        requests_per_minute: of one caller; 0: no limit.
        drain_s: seconds that requests under way get when the server is told to stop.
        keep_unconfirmed_days: after which what the model said and nobody confirmed is forgotten.
        device, precision, max_new_tokens, rerank, doubt, risk: as for `describe`.
    """

    model: Path | None = None
    engine: str | None = None
    engine_model: str | None = None
    engine_key: str | None = None
    prompt: str | None = None
    language: str | None = None
    data: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    store: str = "runs/serve"
    photo_folder: Path | None = None
    tokens: Path | None = None
    token: str | None = None
    max_photos: int = 20
    max_photo_bytes: int = 20 * MIB
    max_request_bytes: int = 100 * MIB
    max_pixels: int = 100_000_000
    max_batch: int = 16
    max_wait_ms: float = 10.0
    queue_size: int = 64
    deadline_s: float = 60.0
    requests_per_minute: int = 600
    drain_s: float = 30.0
    keep_unconfirmed_days: int = 30
    device: str | None = None
    precision: str = "float32"
    max_new_tokens: int = 96
    rerank: bool | None = None
    doubt: bool = True
    risk: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            InputError: naming the option.
        """
        if self.model is None and self.engine is None:
            raise InputError("serve: name a model folder (--model) or an endpoint (--engine)")
        if self.engine is not None and not self.engine.startswith(("http://", "https://")):
            raise InputError(f"--engine {self.engine}: must begin with http:// or https://")
        if self.data is not None and self.engine is not None:
            raise InputError(
                "--data: similar cases are found by the encoder of a model in this process; leave "
                "--data or --engine out"
            )
        if not 0 <= self.port <= 65535:
            raise InputError(f"--port {self.port}: must be between 0 and 65535")
        for name, least in (
            ("max_batch", 1),
            ("max_wait_ms", 0),
            ("queue_size", 1),
            ("requests_per_minute", 0),
            ("drain_s", 0),
            ("keep_unconfirmed_days", 1),
            ("max_photos", 1),
            ("max_photo_bytes", 1),
            ("max_pixels", 1),
        ):
            if getattr(self, name) < least:
                raise InputError(f"--{name} {getattr(self, name)}: must be at least {least}")
        if not self.deadline_s > 0:
            raise InputError(f"--deadline_s {self.deadline_s}: must be above 0")
        if self.queue_size < self.max_photos:
            raise InputError(
                f"--queue_size {self.queue_size}: must hold one request of {self.max_photos} photos"
            )

    @property
    def max_json_bytes(self) -> int:
        """Bytes of a JSON body that carries one photo as a `data:` URL."""
        return self.max_photo_bytes * 4 // 3 + 64 * 1024

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the ledger."""
        if "://" in self.store:
            return self.store
        return f"sqlite:///{Path(self.store).absolute() / 'ledger.sqlite'}"

    @property
    def store_photos(self) -> Path:
        """Folder of the ledger's photos."""
        if self.photo_folder is not None:
            return self.photo_folder
        return Path("runs/serve" if "://" in self.store else self.store).absolute() / "photos"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def token_of_environment() -> str | None:
    """`HAZARDSCRIBE_TOKEN`: an admin's token, kept out of files and process lists."""
    return os.environ.get("HAZARDSCRIBE_TOKEN") or None
