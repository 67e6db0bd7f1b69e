"""Memory that a step or a batch frees is kept for the next one, on a processor.

The activations of a visual encoder are buffers of many megabytes. glibc asks the system anew for
each of them and gives it back at once, and the system fills every page with zeros before it hands
it out: more work than most of the layers' own. PyTorch keeps freed memory by itself on a GPU, not
here (`benchmarks/training_speed.py --peers ours ours-giving-back`).
"""

from __future__ import annotations

import ctypes
import platform

# Of glibc's malloc.h; `man mallopt` describes them.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, from now on; whether it could be arranged.

    Peak memory grows by what lies between buffers in use, see `give_back_freed_memory`. Nothing
    changes but speed. Other C libraries than glibc, and systems other than Linux, are left as they
    are.
    """
    if not _is_glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = (
        (_MMAP_MAX, 0),  # no mapping of its own for a large buffer
        (_TRIM_THRESHOLD, -1),  # nothing is given back
        (_TOP_PAD, 256 << 20),  # asked for in large portions
        (_ARENA_MAX, 1),  # the backward pass, a thread of its own, reuses the forward's memory
    )
    done = [mallopt(name, value) == 1 for name, value in settings]
    return all(done)


def give_back_freed_memory() -> bool:
    """Give back, this once, what is kept and not in use; whether there was any.

    Batches of other lengths ask for buffers of other sizes, and what lies between those grows from
    step to step, up to as much again as is in use. The next step asks the system anew for what it
    needs.
    """
    return _is_glibc() and ctypes.CDLL(None).malloc_trim(0) == 1


def _is_glibc() -> bool:
    return platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"
