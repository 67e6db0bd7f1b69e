"""What stops a training from outside, told in a sentence: memory, a dead worker, no compiler."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from hazardscribe.errors import InputError
from hazardscribe.files import writing_failure
from hazardscribe.training.checkpoints import last_checkpoint
from hazardscribe.training.recipe import Recipe

_DEAD_WORKER = re.compile(r"DataLoader worker.*(?:exited unexpectedly|is killed by signal)")


class NoMemoryError(Exception):
    """Memory ran out where the Trainer's batch finder must not try again."""

    def __init__(self, batch_size: int | None) -> None:
        super().__init__()
        self.batch_size = batch_size


def out_of_memory(error: BaseException) -> bool:
    """Whether a device, or this machine, had no memory left."""
    from accelerate.utils.memory import should_reduce_batch_size

    if not isinstance(error, Exception):
        return False
    # Those who take memory beside PyTorch's allocator have words of their own.
    others = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return should_reduce_batch_size(error) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in others)
    )


def could_not_compile(error: BaseException) -> bool:
    """Whether `torch.compile` gave up, for want of a compiler most often."""
    from torch._dynamo.exc import TorchDynamoException

    return isinstance(error, TorchDynamoException)


def fault(error: Exception, recipe: Recipe, checkpoints: Path) -> InputError | None:
    """The sentence for an error from within the loop; None for a defect of ours.

    Args:
        checkpoints: the folder of resumable checkpoints, to say from where the run can go on.
    """
    last = last_checkpoint(checkpoints)
    again = (
        f"The same command with --resume goes on from {last.name}."
        if last is not None
        else "No checkpoint had been saved yet: the same command with --resume begins anew."
    )
    if isinstance(error, InputError):
        cause = error.__cause__  # of a checkpoint or model that could not be written
        unwritten = isinstance(cause, Exception) and writing_failure(cause) is not None
        return InputError(f"{error} {again}") if unwritten else None
    if isinstance(error, NoMemoryError) and error.batch_size:
        photos = recipe.batch_size * recipe.accumulation
        size = error.batch_size
        recipe = replace(recipe, batch_size=size, accumulation=photos // size)
    if isinstance(error, NoMemoryError) or out_of_memory(error):
        return InputError(f"out of memory: {_smaller(recipe)} {again}")
    if _DEAD_WORKER.search(str(error)):
        return InputError(
            "a worker process that prepares batches died, most often because memory ran out "
            "(--shm-size in a container counts). Lower workers, or set workers: 0; the result "
            f"does not depend on it. {again}"
        )
    if recipe.compile and could_not_compile(error):
        said = " ".join(str(error).partition("\n\n")[0].split())[:300]
        return InputError(
            f"compile: the model's blocks could not be compiled ({said}). "
            "Install a C++ compiler and Python's headers, or set compile: false; what is learned "
            f"does not depend on it. {again}"
        )
    if type(error).__name__ == "UnpicklingError":
        return InputError(
            f"{last}: holds pickled objects beside tensors, which are not loaded, because loading "
            f"them can run code. It is not as it was written: delete the folder and use --resume."
        )
    return None


def _smaller(recipe: Recipe) -> str:
    batch, accumulation = recipe.batch_size, recipe.accumulation
    if recipe.stage == "reward":
        return (
            f"a forward pass held {batch} photos with {recipe.reward.samples} descriptions each. "
            "Set activation_checkpointing: true, or lower batch_size or max_text_tokens."
        )
    if batch == 1:
        return (
            "a forward pass held a single photo. Set activation_checkpointing: true, tune parts "
            "by lora or freeze them, or lower max_text_tokens."
        )
    half = next(size for size in range(batch // 2, 0, -1) if batch * accumulation % size == 0)
    portions = f"batch_size: {half} and accumulation: {batch * accumulation // half}"
    if recipe.alignment.contrasts_batch:
        return (
            f"a forward pass held {batch} photos. Set activation_checkpointing: true. Or start "
            f"anew with {portions}: a step sees as many photos, but alignment.form "
            f"{recipe.alignment.form} contrasts those of one forward pass alone; form corpus does "
            "not depend on them."
        )
    return (
        f"a forward pass held {batch} photos. Set {portions}, which is the same step in smaller "
        "portions; or find_batch_size: true; or activation_checkpointing: true."
    )
