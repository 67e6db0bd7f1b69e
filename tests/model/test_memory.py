"""What a step frees serves the next one: the system is asked for memory once."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from hazardscribe.model.memory import give_back_freed_memory, keep_freed_memory

STEPS = """
import ctypes, sys
import torch
from hazardscribe.model.memory import keep_freed_memory

class Mallinfo2(ctypes.Structure):  # of glibc's malloc.h
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

ask = ctypes.CDLL(None).mallinfo2
ask.restype = Mallinfo2

torch.set_num_threads(1)
if sys.argv[1] == "keep":
    assert keep_freed_memory()

def held_after_a_step():
    x = torch.ones(16 << 20, requires_grad=True)
    (x * 2).relu().sum().backward()
    del x
    told = ask()
    return told.arena + told.hblkhd

for _ in range(12):  # until what lies free fits what is asked for
    held_after_a_step()
print(*(held_after_a_step() for _ in range(4)))
"""
BUFFER = 4 * (16 << 20)  # bytes of a tensor of the step


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_memory_is_asked_for_once():
    def held(how: str) -> list[int]:
        command = [sys.executable, "-c", STEPS, how]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return [int(one) for one in said.split()]

    kept, given_back = held("keep"), held("give back")
    # Sixteen steps that each asked anew would hold a hundred buffers. Now and then one does, where
    # the backward pass, a thread of its own, gave back late.
    assert max(kept) < 40 * BUFFER
    assert min(kept) > max(given_back) + 2 * BUFFER  # and what the step works with


GIVE_BACK = """
import torch
from pathlib import Path
from hazardscribe.model.memory import give_back_freed_memory, keep_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) >> 8  # pages of 4 KB, in MiB

assert keep_freed_memory()
buffers = [torch.ones(8 << 20) for _ in range(16)]  # 32 MiB each
del buffers[::2]
full = resident()
assert give_back_freed_memory()
print(full - resident(), *(int(one.min()) for one in buffers))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_what_lies_between_buffers_can_be_given_back():
    command = [sys.executable, "-c", GIVE_BACK]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(said[0]) > 200  # of 256 MiB
    assert said[1:] == ["1"] * 8


def test_another_system_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert keep_freed_memory() is False
    assert give_back_freed_memory() is False
