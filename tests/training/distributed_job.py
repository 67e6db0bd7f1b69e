"""What several processes do together for `test_distributed.py`.

RANK=0 WORLD_SIZE=2 distributed_job.py shard FOLDER [lora]: steps of the training module, part each
torchrun ... distributed_job.py train ARGUMENTS: the command line, sharded by Accelerate
torchrun ... distributed_job.py stop RANK STEP ARGUMENTS: the same, one rank gets SIGTERM
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import torch

from hazardscribe.training import train as training
from hazardscribe.training import trainer as training_loop


def shard(folder: Path, adapters: bool) -> None:
    """Losses of two steps with sharded weights, then the weights whole, in FOLDER."""
    from distributed_module import optimizer_of, rows_of, step, training_module
    from safetensors.torch import save_file
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor

    from hazardscribe.training import sharding

    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    meeting = f"file://{folder / 'meeting'}"
    torch.distributed.init_process_group("gloo", meeting, rank=rank, world_size=world)
    module, batch = training_module(folder, adapters)
    wanted = set(module._no_split_modules)
    for child in [*module.modules()][:0:-1]:  # the innermost first
        if type(child).__name__ in wanted:
            fully_shard(child)
    fully_shard(module)
    sharding.open_methods(module.vlm)
    assert all(isinstance(parameter, DTensor) for parameter in module.parameters())
    local = sum(parameter.to_local().numel() for parameter in module.parameters())
    every = sum(parameter.numel() for parameter in module.parameters())
    assert local < 0.7 * every

    optimizer = optimizer_of(module)
    half = len(batch["labels"]) // 2
    mine = rows_of(batch, slice(rank * half, (rank + 1) * half))
    losses = [step(module, optimizer, mine, batch, world=2) for _ in range(2)]
    with torch.no_grad():  # outside the module's own forward pass
        features = module.vlm.get_image_features(pixel_values=mine["pixel_values"]).pooler_output
    assert not any(isinstance(one, DTensor) for one in features)
    weights = sharding.whole(dict(module.state_dict()), keep=rank == 0)
    state = sharding.whole(optimizer.state_dict(), keep=rank == 0)
    if rank == 0:
        weights = {name: value.clone() for name, value in weights.items()}
        save_file(weights, folder / "weights.safetensors")
        torch.save({"losses": losses, "optimizer": state}, folder / "two.pt")
    torch.distributed.destroy_process_group()


def shard_as_on_a_gpu() -> None:
    """Take Accelerate's own way to FSDP2, which it leaves on CPUs for DDP without a word."""
    from accelerate import state
    from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

    former = state.AcceleratorState.__init__

    def init(self: state.AcceleratorState, *args: object, **kwargs: object) -> None:
        former(self, *args, **kwargs)
        if self.distributed_type == DistributedType.MULTI_CPU:
            self.distributed_type = DistributedType.FSDP
            self.fsdp_plugin = FullyShardedDataParallelPlugin(
                fsdp_version=2, auto_wrap_policy="transformer_based_wrap"
            )
            self.fsdp_plugin.cpu_ram_efficient_loading = False
            state.PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    state.AcceleratorState.__init__ = init
    former_step = training_loop.DescriptionTrainer.compute_loss

    def compute_loss(self, model, *args, **kwargs):
        from torch.distributed.tensor import DTensor

        assert all(isinstance(p, DTensor) for p in self.model.parameters() if p.requires_grad)
        return former_step(self, model, *args, **kwargs)

    training_loop.DescriptionTrainer.compute_loss = compute_loss


def stop_one(rank: int, step: int) -> None:
    """SIGTERM for one rank before a step; the first rank takes its time to write the record."""
    former = training_loop.DescriptionTrainer.compute_loss
    write = training.write_run

    def write_run(folder, record):
        if record["status"] == "interrupted" and os.environ["RANK"] == "0":
            time.sleep(2)
        write(folder, record)

    training.write_run = write_run

    def compute_loss(self, *args, **kwargs):
        if int(os.environ["RANK"]) == rank and self.state.global_step == step - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return former(self, *args, **kwargs)

    training_loop.DescriptionTrainer.compute_loss = compute_loss


if __name__ == "__main__":
    torch.set_num_threads(1)
    what, *rest = sys.argv[1:]
    if what == "shard":
        shard(Path(rest[0]), "lora" in rest)
        sys.exit()
    from hazardscribe.cli import main

    if what == "train":
        shard_as_on_a_gpu()
    elif what == "stop":
        stop_one(int(rest[0]), int(rest[1]))
        rest = rest[2:]
    sys.exit(main(["train", *rest]))
