"""What `check --model` says of pairs that a model would not learn whole."""

from __future__ import annotations

import pytest

from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.fitness import model_findings
from hazardscribe.model.prompting import Prompter


@pytest.mark.parametrize("text", ["一名工人未佩戴安全帽", "动火作业 <image> 未办票"])
def test_a_text_that_training_would_cut_is_found_and_no_other(text, start, photos):
    loaded = load_checkpoint(start)
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    whole = prompter.text_length(text)
    assert model_findings(start, [text], whole) == []
    [found] = model_findings(start, [text, text], whole - 1)
    assert (found.code, found.values) == ("model_cuts_text", {"limit": whole - 1, "longest": whole})
    assert found.count == 1
