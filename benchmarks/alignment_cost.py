"""What does the alignment likelihood add to a training step, beside the caption likelihood alone?

    python benchmarks/alignment_cost.py --data DIR --start MODEL [--threads 1] [--steps 12]

One module takes both kinds of step by turns: forward, backward and AdamW, on the same batches.
Processor time, so that other programs matter little.
Prints the ratio of neighbouring steps, and writes benchmarks/results/alignment_cost.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from measuring import passing_folder, processor, spread

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--target", default="{description_en}")
    parser.add_argument("--text-encoder", default="lsa")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=12, help="of each kind, two more unmeasured")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    import torch

    from hazardscribe import Recipe, read_pairs
    from hazardscribe.training.callbacks import StopOnSignal
    from hazardscribe.training.likelihood import LikelihoodSession

    torch.set_num_threads(args.threads)
    rate = {"learning_rate": 1e-5}
    recipe = Recipe.from_dict(
        {
            "start": str(args.start),
            "target": args.target,
            **dict.fromkeys(("tower", "projector", "llm"), rate),
            "alignment": {"weight": 0.3, "text_encoder": args.text_encoder, "first_share": 0.0},
            "batch_size": args.batch,
        }
    )
    folder = passing_folder()
    session = LikelihoodSession(read_pairs(args.data), recipe, folder, progress=False)
    trainer = session.trainer(StopOnSignal())
    module, optimizer = session.module.train(), trainer.create_optimizer()
    batches = iter(trainer.get_train_dataloader())

    def seconds(batch: dict[str, Any], alignment: bool) -> float:
        begin = time.process_time()
        losses = module(batch, alignment=alignment)
        sum(losses.values()).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)  # without its gradient the head costs nothing
        return time.process_time() - begin

    pairs = []
    for i in range(args.steps + 2):
        batch = next(batches)["batch"]
        kinds = (True, False) if i % 2 else (False, True)
        found = {alignment: seconds(batch, alignment) for alignment in kinds}
        pairs.append((found[True], found[False]))
    ratios = sorted(both / alone for both, alone in pairs[2:])
    result = {
        "batch": args.batch,
        "texts": len(session.bank.texts) if session.bank is not None else 0,
        "threads": args.threads,
        "processor": processor(),
        "torch": torch.__version__,
        "seconds_alone": spread([alone for _, alone in pairs[2:]]),
        "both_over_alone": spread(ratios),
        "quartiles": [round(ratios[len(ratios) * k // 4], 4) for k in (1, 3)],
    }
    out = ROOT / "benchmarks" / "results" / "alignment_cost.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
