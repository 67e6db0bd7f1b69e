"""The verb that serves inspectors: page, API and ledger."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from hazardscribe.errors import InputError
from hazardscribe.serving.settings import ServeSettings

_NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "python_multipart", "prometheus_client", "httpx")


def serve(settings: ServeSettings, say: Callable[[str], None] = print) -> None:
    """Serve the inspectors' page, the API and the ledger until told to stop.

    Args:
        settings: `ServeSettings(model=Path("runs/mine/model"))` and more.
        say: told where it listens.

    Raises:
        InputError: an option, address, token, model or ledger that cannot be used, or a missing
            package.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            f"serve needs {', '.join(missing)}, which is not installed: "
            'pip install ".[serve]" in a clone of hazardscribe'
        )
    from hazardscribe.serving.serve import serve as run

    run(settings, say)
