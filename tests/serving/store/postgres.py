"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket in it, gone after."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Debian's folder of the newest version that is installed, else that of `initdb`."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    path = found[-1] if found else shutil.which("initdb")
    return None if path is None else Path(path).parent


@contextmanager
def server() -> Iterator[str]:
    """Run a server; gives the address of its database, `{}` standing for the database's name."""
    bin_folder = binaries()
    assert bin_folder is not None
    folder = Path(tempfile.mkdtemp(prefix="hs-pg-"))
    user = getpass.getuser()
    as_user = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in names else "nobody"
        shutil.chown(folder, user)
        as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    data = folder / "data"

    def run(name: str, *arguments: str) -> None:
        command = [str(bin_folder / name), *arguments]
        log = folder / f"{name}.out"
        with log.open("wb") as stream:
            done = subprocess.run(
                command, stdout=stream, stderr=stream, cwd=folder, check=False, **as_user
            )
        assert done.returncode == 0, log.read_text(errors="replace")

    # What is tested is the store, not the disk of the machine: no fsync.
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    try:
        run("initdb", "-D", str(data), "-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C")
        run("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            yield f"postgresql://tests@/{{}}?host={folder}"
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
