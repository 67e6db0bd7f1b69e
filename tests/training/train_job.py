"""A training run in a process of its own, which its test may kill at a chosen step.

python train_job.py PAIRS OUT RECIPE [--die SIGNAL STEP] [--die-saving STEP]
"""

import os
import signal
import sys

import torch

from hazardscribe.cli import main
from hazardscribe.training import trainer as training_loop


def die_at_step(number: int, step: int) -> None:
    former = training_loop.DescriptionTrainer.compute_loss

    def compute_loss(self, *args, **kwargs):
        # In the second forward pass of a step, so that gradients are half accumulated.
        self.passes = getattr(self, "passes", self.state.global_step * 2) + 1
        if self.passes == 2 * step:
            os.kill(os.getpid(), number)
        return former(self, *args, **kwargs)

    training_loop.DescriptionTrainer.compute_loss = compute_loss


def die_while_saving(step: int) -> None:
    former = training_loop.DescriptionTrainer._save_optimizer_and_scheduler

    def save(self, folder):
        if self.state.global_step == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return former(self, folder)

    training_loop.DescriptionTrainer._save_optimizer_and_scheduler = save


if __name__ == "__main__":
    torch.set_num_threads(1)
    pairs, out, recipe, *options = sys.argv[1:]
    if "--die" in options:
        at = options.index("--die")
        die_at_step(int(options[at + 1]), int(options[at + 2]))
    if "--die-saving" in options:
        die_while_saving(int(options[options.index("--die-saving") + 1]))
    sys.exit(main(["train", "--config", recipe, "--data", pairs, "--out", out]))
