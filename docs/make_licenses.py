"""Write docs/licenses.md: under which licence each package comes that hazardscribe needs.

    python docs/make_licenses.py            # writes the list
    python docs/make_licenses.py --check    # only says whether any stands in the way (exit code 1)

Read from the metadata of what is installed, so install with all extras first (`make dev`). Packages
for development are left out: nobody who uses hazardscribe gets them.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

OURS = "hazardscribe"
OUT = Path(__file__).with_name("licenses.md")
# Not for a program under Apache-2.0 that others may build on. The lesser GPL is: nothing is
# modified or linked in, and it comes with extras alone.
UNFIT = re.compile(r"(?<![L])\b(?:A?GPL|Affero|GNU General Public)", re.IGNORECASE)
LESSER = re.compile(r"LGPL|Lesser", re.IGNORECASE)


def licence_of(name: str) -> str:
    """The licence as a package states it: by expression, by classifier, or by its first line."""
    about = metadata.metadata(name)
    if expression := about.get("License-Expression"):
        return expression
    kinds = [one for one in about.get_all("Classifier") or [] if one.startswith("License ::")]
    named = [kind.rpartition(" :: ")[2] for kind in kinds if kind.count("::") > 1]
    if named:
        return "; ".join(named)
    text = (about.get("License") or "").strip()
    return text.splitlines()[0][:60] if text else "not stated"


def needed() -> dict[str, set[str]]:
    """Package -> the extras of ours that need it, `core` for all; only what is installed."""
    extras = metadata.metadata(OURS).get_all("Provides-Extra") or []
    found: dict[str, set[str]] = {}
    for extra in ["", *(one for one in extras if one != "dev")]:
        _follow(OURS, {extra}, extra or "core", found)
    return {name: {"core"} if "core" in of else of for name, of in found.items()}


def _follow(name: str, extras: set[str], why: str, found: dict[str, set[str]]) -> None:
    try:
        wanted = [Requirement(one) for one in metadata.requires(name) or []]
    except metadata.PackageNotFoundError:
        return
    for one in wanted:
        if one.marker is not None and not any(
            one.marker.evaluate({"extra": extra}) for extra in extras | {""}
        ):
            continue
        key = re.sub(r"[-_.]+", "-", one.name).lower()
        if key == OURS or why in found.get(key, set()) or not _installed(key):
            continue
        found.setdefault(key, set()).add(why)
        _follow(key, set(one.extras), why, found)


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def main(arguments: list[str]) -> int:
    lines, unfit = [], []
    for name, extras in sorted(needed().items()):
        licence = licence_of(name)
        needs = "always" if extras == {"core"} else ", ".join(sorted(extras))
        lines.append(f"| {name} | {licence} | {needs} |")
        without_lesser = LESSER.sub("", licence)
        if UNFIT.search(without_lesser) or (LESSER.search(licence) and "core" in extras):
            unfit.append(f"{name}: {licence}")
    for one in unfit:
        print(f"not fit for a program under Apache-2.0: {one}", file=sys.stderr)
    if "--check" not in arguments:
        OUT.write_text("\n".join([*HEAD, *lines, ""]), encoding="utf-8")
    print(f"{len(lines)} packages, {len(unfit)} of them unfit")
    return bool(unfit)


HEAD = [
    "# Licences of what hazardscribe needs",
    "",
    "hazardscribe is under Apache-2.0. This list is written by `make licences` from the metadata",
    "of the installed packages (Linux x86-64); the last column says which extra needs a package.",
    "",
    "None is under the GPL or AGPL. Two extras bring libraries under the LGPL, which are used as",
    "they are: `smolvlm` (num2words) and `postgresql` (psycopg). The `nvidia-*` and `cuda-*`",
    "packages come with PyTorch's wheels for GPUs, under NVIDIA's own terms; PyTorch's wheels for",
    "CPUs (`--index-url https://download.pytorch.org/whl/cpu`) do without. tqdm and certifi are",
    "under the MPL-2.0, which asks something only of who changes their files.",
    "",
    "| Package | Licence | Needed |",
    "|---|---|---|",
]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
