"""What a step frees serves the next one: the system is asked for pages once."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

STEPS = """
import resource, sys
import torch
from hazardscribe.training.memory import keep_freed_memory

torch.set_num_threads(1)
if sys.argv[1] == "keep":
    assert keep_freed_memory()

def step():
    x = torch.ones(16 << 20, requires_grad=True)
    (x * 2).relu().sum().backward()

for _ in range(8):  # until what lies free fits what is asked for
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_pages_are_asked_for_once():
    def faults(how: str) -> int:
        command = [sys.executable, "-c", STEPS, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("keep") * 10 < faults("give back")


def test_another_system_is_left_as_it_is(monkeypatch):
    from hazardscribe.training.memory import keep_freed_memory

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert keep_freed_memory() is False
