"""The alignment head of a model folder."""

from __future__ import annotations

import torch
from safetensors.torch import save_file

from hazardscribe.describing.aligner import load_head
from hazardscribe.model.checkpoint import HEAD_FILE
from hazardscribe.objectives.alignment import AlignmentHead


def test_a_head_whose_numbers_have_no_dimension_is_read(tmp_path):
    """As folders were written before weights could be sharded."""
    head = AlignmentHead(8, 5, "sigmoid")
    state = {name: value.squeeze() for name, value in head.state_dict().items()}
    assert state["log_scale"].shape == state["bias"].shape == ()
    save_file(state, tmp_path / HEAD_FILE, metadata={"form": "sigmoid"})
    read = load_head(tmp_path)
    assert read is not None
    assert torch.equal(read.scale(), head.scale())
    assert read.scale().shape == ()
