"""Splits: honoured where given, else cut the same way everywhere, twins together."""

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hazardscribe.pairs.read import Pairs, read_pairs
from hazardscribe.pairs.splits import divide, read_split, settle_names

MakePhoto = Callable[..., Path]
THIRDS = {"validation": 0.1, "dev": 0.1}


def table(folder: Path, rows: list[tuple[str, str]], head: str = "photo,split") -> Pairs:
    lines = [f"{head},description", *(f"{a},{b},描述{n}" for n, (a, b) in enumerate(rows))]
    (folder / "pairs.csv").write_text("\n".join(lines), encoding="utf-8")
    return read_pairs(folder)


def counts(pairs: Pairs) -> dict[str, int]:
    return dict(Counter(pairs.frame["split"]))


def test_names_of_splits() -> None:
    assert [
        read_split(n) for n in ("Train", " 训练集", "VAL", "valid", "验证", "开发", "测试")
    ] == [*("train", "train", "validation", "validation", "validation", "dev", "test")]
    assert read_split("fold3") is None
    assert settle_names({"train", "test"})["test"] == "validation"
    assert settle_names({"train", "test", "validation"})["validation"] == "dev"
    assert settle_names({"train", "dev", "validation"})["validation"] == "validation"


class TestDivide:
    def test_shares_and_determinism(self) -> None:
        keys = [f"{n}.jpg" for n in range(1000)]
        splits = divide(range(1000), keys, THIRDS, seed=0)
        assert Counter(splits) == {"train": 800, "dev": 100, "validation": 100}
        assert splits == divide(range(1000), keys, THIRDS, seed=0)
        assert splits != divide(range(1000), keys, THIRDS, seed=1)
        shuffled = np.random.default_rng(0).permutation(1000).tolist()
        again = divide(shuffled, [keys[n] for n in shuffled], THIRDS, seed=0)
        assert again == [splits[n] for n in shuffled]

    def test_adding_rows_moves_few(self) -> None:
        keys = [f"{n}.jpg" for n in range(1100)]
        before = divide(range(1000), keys[:1000], THIRDS, seed=0)
        after = divide(range(1100), keys, THIRDS, seed=0)
        moved = sum(a != b for a, b in zip(before, after, strict=False))
        assert moved < 40

    def test_groups_stay_whole(self) -> None:
        rng = np.random.default_rng(0)
        groups = np.sort(rng.integers(0, 150, 1000)).tolist()
        splits = divide(groups, [f"{n}" for n in range(1000)], THIRDS, seed=3)
        seen = defaultdict(set)
        for group, split in zip(groups, splits, strict=True):
            seen[group].add(split)
        assert all(len(one) == 1 for one in seen.values())
        assert 80 <= Counter(splits)["validation"] <= 130

    @pytest.mark.parametrize("sizes", [[1, 1, 1], [50, 1, 1], [40, 30, 30], [1] * 5, [99, 1, 5, 5]])
    def test_no_share_is_left_empty(self, sizes: list[int]) -> None:
        groups = [g for g, size in enumerate(sizes) for _ in range(size)]
        splits = Counter(divide(groups, [f"{g}" for g in groups], THIRDS, seed=0))
        assert set(splits) == {"train", "dev", "validation"}

    @pytest.mark.parametrize(("size", "held"), [(15, 105), (40, 120), (70, 70)])
    def test_whole_groups_may_exceed_a_share_by_a_quarter_and_no_more(
        self, size: int, held: int
    ) -> None:
        groups = [n // size for n in range(1000 // size * size)]
        splits = Counter(divide(groups, [f"{g}" for g in groups], THIRDS, seed=0))
        assert splits["validation"] == splits["dev"] == held

    def test_categories_too_small_to_share_out_leave_no_share_empty(self) -> None:
        splits = divide(range(5), list("12345"), THIRDS, seed=0, strata=list("abcde"))
        assert Counter(splits) == {"train": 3, "validation": 1, "dev": 1}

    @pytest.mark.parametrize("seed", range(5))
    def test_a_group_belongs_to_its_commonest_category(self, seed: int) -> None:
        groups = [n // 3 for n in range(60)]
        strata = ["fire", "fire", "power"] * 10 + ["power"] * 30
        splits = divide(groups, [f"{g}" for g in groups], THIRDS, seed=seed, strata=strata)
        for share in THIRDS:
            assert splits[:30].count(share) == splits[30:].count(share) == 3

    @pytest.mark.parametrize("groups", [[], [0], [0, 0, 0]])
    def test_train_keeps_the_last_group(self, groups: list[int]) -> None:
        assert set(divide(groups, ["a"] * len(groups), THIRDS, seed=0)) <= {"train"}


class TestReading:
    def test_column_is_honoured(self, tmp_path: Path, make_photo: MakePhoto) -> None:
        rows = [
            (make_photo(f"{n}.png").name, s) for n, s in enumerate(["训练", "dev", "val", "val"])
        ]
        assert counts(table(tmp_path, rows)) == {"train": 1, "dev": 1, "validation": 2}

    def test_dev_is_cut_from_train(self, tmp_path: Path, make_photo: MakePhoto) -> None:
        rows = [(make_photo(f"{n}.png").name, "train" if n < 40 else "test") for n in range(50)]
        pairs = table(tmp_path, rows)
        assert counts(pairs) == {"train": 34, "dev": 6, "validation": 10}
        assert set(pairs.frame["split"][40:]) == {"validation"}
        assert counts(read_pairs(tmp_path, dev_share=0)) == {"train": 40, "validation": 10}
        assert counts(read_pairs(tmp_path, dev_share=0.5))["dev"] == 20
        assert list(read_pairs(tmp_path, seed=1).frame["split"]) != list(pairs.frame["split"])
        assert list(read_pairs(tmp_path).frame["split"]) == list(pairs.frame["split"])

    def test_only_train_gives_dev_and_nothing_to_report(
        self, tmp_path: Path, make_photo: MakePhoto
    ) -> None:
        rows = [(make_photo(f"{n}.png").name, "train") for n in range(20)]
        assert counts(table(tmp_path, rows)) == {"train": 17, "dev": 3}

    def test_only_validation_stays(self, tmp_path: Path, make_photo: MakePhoto) -> None:
        rows = [(make_photo(f"{n}.png").name, "test") for n in range(3)]
        assert counts(table(tmp_path, rows)) == {"validation": 3}

    def test_no_splits(self, tmp_path: Path, make_photo: MakePhoto) -> None:
        rows = [(make_photo(f"{n}.png").name, "") for n in range(50)]
        assert counts(table(tmp_path, rows)) == {"train": 40, "dev": 5, "validation": 5}
        assert counts(read_pairs(tmp_path, dev_share=0)) == {"train": 45, "validation": 5}

    def test_does_not_depend_on_the_place(self, tmp_path: Path, make_photo: MakePhoto) -> None:
        for place in ("a", "b/c"):
            for n in range(30):
                make_photo(f"{place}/{n}.png", seed=n)
        rows = [(f"{n}.png", "") for n in range(30)]
        one, other = table(tmp_path / "a", rows), table(tmp_path / "b/c", rows)
        assert list(one.frame["split"]) == list(other.frame["split"])

    def test_twins_stay_together(self, tmp_path: Path, make_photo: MakePhoto) -> None:
        """Same file, resized copy, flat copy, and the photos of one row."""
        rows = []
        for n in range(40):
            path = make_photo(f"{n}.png")
            with Image.open(path) as image:
                image.resize((36, 32)).save(tmp_path / f"{n}.jpg")
            rows += [(f"{n}.png", "a"), (f"{n}.jpg", "b"), (f"{n}.png", "c")]
        for name in ("x", "y"):
            Image.new("RGB", (40, 40), (5, 5, 5)).save(tmp_path / f"{name}.png")
            rows.append((f"{name}.png", "flat"))
        for n in range(10):
            make_photo(f"m{n}.png")
            make_photo(f"n{n}.png")
            rows.append((f"m{n}.png;n{n}.png", f"row{n}"))
            rows.append((f"n{n}.png", f"row{n} again"))
        frame = table(tmp_path, rows, head="photo,note").frame
        twins = defaultdict(set)
        for photo, split, note in zip(frame["photo"], frame["split"], frame["note"], strict=True):
            name = Path(photo).stem
            key = "flat" if note == "flat" else note.split()[0] if note.startswith("row") else name
            twins[key].add(split)
        assert all(len(splits) == 1 for splits in twins.values())
        assert len(twins) == 51
        assert set(frame["split"]) == {"train", "dev", "validation"}
