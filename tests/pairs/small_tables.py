"""What the small tables of these tests say, and what was read of them."""

from pathlib import Path

from hazardscribe.pairs.records import Pairs

NAMES = [f"photos/{index}.png" for index in range(4)]
TEXTS = ["配电箱未上锁", "临边未设置防护栏杆", "灭火器超期，压力不足", "No guard rail, north side"]


def descriptions(pairs: Pairs) -> list[str]:
    return list(pairs.frame["description"])


def reasons(pairs: Pairs) -> list[tuple[int | None, str]]:
    return [(one.row, one.reason) for one in pairs.rejected]


def write_csv(folder: Path, *rows: str, name: str = "pairs.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path
