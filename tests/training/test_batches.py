"""Augmentation that keeps text and photo true to each other, and the order of the batches."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from torch.utils.data import DataLoader, Dataset

from hazardscribe.pairs.pixel_cache import PixelCache
from hazardscribe.training.augment import augment, mirrored_text
from hazardscribe.training.batches import BucketSampler, PairDataset
from hazardscribe.training.loop import Loop
from hazardscribe.training.recipe import Augmentation

ALL = Augmentation(mirror=0.5, brightness=0.3, crop=0.3)


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("左侧工人未戴安全帽", "右侧工人未戴安全帽"),
        ("左边和右边各有一人", "右边和左边各有一人"),
        ("A worker on the left", "A worker on the right"),
        (
            "Left-hand guard missing, right one is there",
            "Right-hand guard missing, left one is there",
        ),
        (
            "The worker in the red hard hat on the left is without a hi-vis vest; "
            "the workers on the right are without a hard hat.",
            "The worker in the red hard hat on the right is without a hi-vis vest; "
            "the workers on the left are without a hard hat.",
        ),
        ("On the LEFT side, an open edge", "On the RIGHT side, an open edge"),
        ("rubble in the lower left corner", "rubble in the lower right corner"),
        (
            "no guard at the top left; his right glove is torn",
            "no guard at the top right; his left glove is torn",
        ),
        ("to the left of the pit, to the right", "to the right of the pit, to the left"),
        ("消防通道被堵塞", "消防通道被堵塞"),
        ("the ladder is upright and brightly lit", "the ladder is upright and brightly lit"),
    ],
)
def test_left_and_right_change_places(text, mirrored):
    assert mirrored_text(text) == mirrored
    assert mirrored_text(mirrored) == text


@pytest.mark.parametrize(
    "text",
    [
        "the east gate is blocked",
        "turn the valve clockwise",
        "阀门应顺时针关闭",
        "北侧围挡缺失",
        "约三米左右的坑未防护",
        "vehicles have the right of way",
        "materials left on the walkway",
        "Materials left at the edge, on the left side",
        "distribution box door left open",
        "the trolley was left unattended",
        "Left unattended on the floor",
        "hand tools: left hand tools on the scaffold",
        "the right-of-way is blocked",
        "cylinders right next to the stove",
        "boxes stacked right on the edge",
        "the tool is not in the right place",
        "a rightmost worker without a helmet",
        "东北角临边无防护",
        "北门通道堵塞",
        "西区围墙倒塌",
    ],
)
def test_what_mirroring_would_falsify_is_left_alone(text):
    assert mirrored_text(text) is None
    photo = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    same, kept = augment(photo, text, Augmentation(mirror=1.0), random.Random(0))
    assert kept == text
    assert np.array_equal(same, photo)


def test_a_mirrored_photo_goes_with_the_mirrored_text():
    photo = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    turned, text = augment(photo, "左侧有明火", Augmentation(mirror=1.0), random.Random(0))
    assert np.array_equal(turned, photo[:, ::-1])
    assert text == "右侧有明火"


def test_nothing_changes_by_default():
    photo = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    same, text = augment(photo, "左侧", Augmentation(), random.Random(0))
    assert same is photo
    assert text == "左侧"


def test_crops_and_light_stay_within_their_bounds():
    photo = np.full((100, 80, 3), 128, dtype=np.uint8)
    for seed in range(50):
        cropped, _ = augment(photo, "", Augmentation(crop=0.2), random.Random(seed))
        assert cropped.shape[0] >= 80
        assert cropped.shape[1] >= 64
        relit, _ = augment(photo, "", Augmentation(brightness=0.2), random.Random(seed))
        assert relit.dtype == np.uint8
        assert abs(int(relit[0, 0, 0]) - 128) <= 26


def test_crops_take_from_every_side_and_light_changes_level_and_contrast():
    rows, columns = np.mgrid[:100, :80].astype(np.uint8)
    photo = np.stack([rows, columns, columns + 100], axis=2)
    crops, means, deviations = [], [], []
    for seed in range(50):
        cropped, _ = augment(photo, "", Augmentation(crop=0.2), random.Random(seed))
        crops.append([*cropped[0, 0, :2], *cropped[-1, -1, :2]])
        relit, _ = augment(photo, "", Augmentation(brightness=0.2), random.Random(seed))
        means.append(relit.mean() - photo.mean())
        deviations.append(relit.std() / photo.std())
    top, left, bottom, right = np.array(crops).T
    for taken, most in ((top, 10), (left, 8), (99 - bottom, 10), (79 - right, 8)):
        assert taken.min() < 0.2 * most < 0.8 * most <= taken.max() <= most
    assert not np.array_equal(top, 99 - bottom)  # each side by its own chance
    assert min(means) < -20 < 20 < max(means)
    assert min(deviations) < 0.85 < 1.15 < max(deviations)


def test_chance_depends_on_seed_epoch_and_row_alone(photos, tmp_path):
    cache = PixelCache.build(photos, tmp_path, bound=64)

    def dataset(seed):
        return PairDataset(photos, ["左侧"] * len(photos), cache, ALL, seed)

    first, again, other = dataset(1), dataset(1), dataset(2)
    _ = first[3, 0]  # what was asked for before plays no part
    for key in [(0, 0), (5, 1), (5, 2)]:
        a, b = first[key], again[key]
        assert np.array_equal(a.photo, b.photo)
        assert a.text == b.text
    by_epoch = [first[5, epoch].photo.tobytes() for epoch in range(4)]
    assert len(set(by_epoch)) == 4
    assert any(first[row, 0].photo.tobytes() != other[row, 0].photo.tobytes() for row in range(4))


@pytest.mark.parametrize("pool", [1, 8])
def test_every_pair_comes_once_an_epoch_in_a_repeatable_order(pool):
    lengths = [(7 * i) % 23 for i in range(50)]
    orders = []
    for _ in range(2):
        sampler = BucketSampler(lengths, 8, seed=3, pool=pool)
        orders.append([])
        for epoch in (0, 1):
            sampler.set_epoch(epoch)
            orders[-1].append(list(sampler))
    assert orders[0] == orders[1]
    for epoch, order in enumerate(orders[0]):
        assert sorted(row for row, _ in order) == list(range(50))
        assert {of for _, of in order} == {epoch}
    assert [row for row, _ in orders[0][0]] != [row for row, _ in orders[0][1]]
    assert orders[0][0] != list(BucketSampler(lengths, 8, seed=4, pool=pool))


def test_pooled_batches_hold_like_lengths():
    lengths = [(7 * i) % 100 for i in range(91)]  # a last batch of three

    def spread(pool):
        rows = [lengths[row] for row, _ in BucketSampler(lengths, 8, seed=0, pool=pool)]
        batches = [rows[i : i + 8] for i in range(0, len(rows), 8)]  # as the loader cuts them
        return np.mean([max(batch) - min(batch) for batch in batches])

    assert spread(12) < 0.2 * spread(1)


class Epochs:
    """What a Trainer does with its batches at the start of an epoch."""

    state = control = SimpleNamespace(global_step=0, max_steps=1, should_training_stop=False)

    def _run_epoch(self, epoch: int, train_dataloader: DataLoader) -> None:
        train_dataloader.set_epoch(epoch)
        self.seen = [key for batch in train_dataloader for key in batch]


@pytest.mark.parametrize("processes", [1, 2])
def test_an_epoch_that_was_cut_goes_on_with_its_own_order(processes):
    rows, cut = 24, 3

    class Trainer(Loop, Epochs):
        def make_sampler(self):
            return BucketSampler(range(rows), batch=2 * processes, seed=0)

    def epoch(rank: int, skipped: int) -> list[tuple[int, int]]:
        trainer = Trainer()
        keys = Keys(rows)
        loader = DataLoader(
            keys, batch_size=2, sampler=trainer._get_train_sampler(), collate_fn=list
        )
        loader = prepare_data_loader(
            loader, num_processes=processes, process_index=rank, put_on_device=False
        )
        if skipped:
            loader = skip_first_batches(loader, skipped)
        trainer._run_epoch(epoch=1, train_dataloader=loader)
        return trainer.seen

    for rank in range(processes):
        whole = epoch(rank, 0)
        assert {of for _, of in whole} == {1}
        assert epoch(rank, cut) == whole[2 * cut :]


class Keys(Dataset):
    """A dataset that gives back what it is asked for."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, key: tuple[int, int]) -> tuple[int, int]:
        return key
