"""How a server is set up; what the command line says, with the defaults of one office machine."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hazardscribe.errors import InputError

MOST_PHOTOS = 200
"""Of one finding, whatever a server allows."""

MIB = 2**20


@dataclass(frozen=True)
class ServeSettings:
    """Settings of `hazardscribe serve`.

    Attributes:
        model: model folder. With `engine`, only its prompt and language are used.
        engine: base URL of an OpenAI-compatible endpoint (vLLM, llama.cpp, hazardscribe) that
            describes in place of a model in this process; its key is taken from
            HAZARDSCRIBE_ENGINE_KEY in the environment.
        engine_model: name of the model at the endpoint; default: the only one that it lists.
        prompt: text sent with each photo to `engine`; default: the model folder's, else the
            built-in one.
        language: language in which `engine` answers, `zh` or `en`; default: the model folder's,
            else `zh`.
        data: pairs to search for similar past cases, which also suggest categories.
        host: address to listen on; anything but this machine's own needs tokens.
        port: port to listen on; 0: any free one.
        store: folder of the ledger (an SQLite file and photos), or an SQLAlchemy URL such as
            `postgresql+psycopg://user@host/name`.
        photo_folder: folder of the ledger's photos; default: `photos` in the store's folder, or
            `runs/serve/photos` if the store is a URL.
        tokens: file with a line `inspector NAME TOKEN` or `admin NAME TOKEN` for each person; an
            admin's token may also stand in HAZARDSCRIBE_TOKEN in the environment.
        max_photos: maximum photos in one request.
        max_photo_bytes: maximum bytes of one photo.
        max_request_bytes: maximum bytes of one request.
        max_pixels: maximum width x height of one photo, as stated in its header.
        max_batch: maximum photos that are described together.
        max_wait_ms: maximum milliseconds that a photo waits for others to fill a batch.
        queue_size: maximum photos that wait; beyond that, requests are refused with 429.
        deadline_s: seconds after which an unanswered request is given up.
        requests_per_minute: maximum requests per minute and caller; 0: unlimited.
        drain_s: seconds that running requests get to finish when the server stops.
        keep_unconfirmed_days: days after which model texts that nobody confirmed are deleted.
        keep_days: days after which ledger records are deleted; default: never.
        device: `cpu`, `cuda` ...; default: a GPU if there is one.
        precision: number format of matrix products; bfloat16 halves the memory of their weights.
        max_new_tokens: longest description, in tokens; default: the length that the model was
            trained to; for an endpoint 96.
        rerank: compare several candidates by both likelihoods; default: if it gained on dev.
        doubt: hold back descriptions whose confidence is too low.
        risk: target share of unacceptable answers; default: the calibration's.
        engine_key: of `engine`, from the environment.
        token: an admin's, from the environment.
    """

    model: Path | None = None
    engine: str | None = None
    engine_model: str | None = None
    prompt: str | None = None
    language: Literal["zh", "en"] | None = None
    data: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    store: str = "runs/serve"
    photo_folder: Path | None = None
    tokens: Path | None = None
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
    keep_days: int | None = None
    device: str | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    max_new_tokens: int | None = None
    rerank: bool | None = None
    doubt: bool = True
    risk: float | None = None
    engine_key: str | None = None
    token: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            InputError: naming the option.
        """
        if self.model is None and self.engine is None:
            raise InputError("serve: name a model folder (--model) or an endpoint (--engine)")
        if self.engine is not None and "@" in self.engine.partition("://")[2].partition("/")[0]:
            raise InputError(
                "--engine: holds a password, which everybody on the machine could read there; put "
                "the key into HAZARDSCRIBE_ENGINE_KEY in the environment"
            )
        if self.engine is not None and not self.engine.startswith(("http://", "https://")):
            raise InputError(f"--engine {self.engine}: must begin with http:// or https://")
        if self.data is not None and self.engine is not None:
            raise InputError(
                "--data: similar cases are found by the encoder of a model in this process; leave "
                "--data or --engine out"
            )
        if self.data is not None and not Path(self.data).exists():
            raise InputError(
                f"--data {self.data}: there is no such file or folder. Check the path."
            )
        if not 0 <= self.port <= 65535:
            raise InputError(f"--port {self.port}: must be between 0 and 65535")
        if not self.host:
            raise InputError("--host: name an address, such as 127.0.0.1 or 0.0.0.0")
        for name, least in (
            ("max_new_tokens", 1),
            ("max_batch", 1),
            ("max_wait_ms", 0),
            ("queue_size", 1),
            ("requests_per_minute", 0),
            ("drain_s", 0),
            ("keep_unconfirmed_days", 1),
            ("keep_days", 1),
            ("max_photos", 1),
            ("max_photo_bytes", 1),
            ("max_pixels", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"--{name} {value}: must be at least {least}")
        if self.max_photos > MOST_PHOTOS:
            raise InputError(f"--max_photos {self.max_photos}: must be at most {MOST_PHOTOS}")
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
    def max_held_bytes(self) -> int:
        """Bytes of bodies and photos that all requests under way may hold in memory."""
        return 4 * max(self.max_request_bytes, self.max_json_bytes)

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


SECRETS = {"token": "HAZARDSCRIBE_TOKEN", "engine_key": "HAZARDSCRIBE_ENGINE_KEY"}
"""Settings that come from the environment: a command line is seen by everybody on the machine."""


def secrets_of_environment() -> dict[str, Any]:
    """The settings that the environment holds."""
    return {name: os.environ.get(variable) or None for name, variable in SECRETS.items()}
