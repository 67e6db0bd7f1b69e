"""The queue before the model: bounded, in batches, and nobody's time wasted on who has left."""

from __future__ import annotations

import threading
import time
import weakref
from concurrent.futures import CancelledError

import pytest

from hazardscribe.serving.batching import BatchQueue, DeadlineError, QueueFullError

LATER = 1e9


class Gated:
    """Work that begins when it is let, and remembers its batches."""

    def __init__(self) -> None:
        self.gate, self.batches, self.entered = threading.Event(), [], threading.Event()

    def __call__(self, key, jobs):
        self.entered.set()
        assert self.gate.wait(20)
        self.batches.append((key, [job.item for job in jobs]))
        return [f"{job.item}!" for job in jobs]


@pytest.fixture
def work():
    return Gated()


@pytest.fixture
def queue(work):
    made = BatchQueue(work, max_batch=3, max_wait=0.0, capacity=8)
    yield made
    work.gate.set()
    made.close()


def occupy(queue, work):
    """One item in the model's hands, so that what follows waits."""
    places = queue.reserve(1)
    job = places.put("first", key="a", deadline=LATER)
    assert work.entered.wait(20)
    return places, job


def test_what_waits_together_goes_together_in_its_order(queue, work):
    occupy(queue, work)
    places = queue.reserve(7)
    jobs = [places.put(i, key="a", deadline=LATER) for i in range(7)]
    work.gate.set()
    assert [job.future.result(20) for job in jobs] == [f"{i}!" for i in range(7)]
    assert [items for _, items in work.batches] == [["first"], [0, 1, 2], [3, 4, 5], [6]]


def test_the_first_waits_for_company(work):
    queue = BatchQueue(work, max_batch=2, max_wait=20.0, capacity=8)
    work.gate.set()
    places = queue.reserve(2)
    first = places.put(1, key="a", deadline=LATER)
    time.sleep(0.05)
    assert not first.future.done()
    places.put(2, key="a", deadline=LATER)
    first.future.result(10)
    assert work.batches == [("a", [1, 2])]
    queue.close()


def test_only_what_is_asked_alike_shares_a_batch(queue, work):
    occupy(queue, work)
    places = queue.reserve(4)
    jobs = [places.put(i, key="ab"[i % 2], deadline=LATER) for i in range(4)]
    work.gate.set()
    for job in jobs:
        job.future.result(20)
    assert work.batches[1:] == [("a", [0, 2]), ("b", [1, 3])]


def test_who_finds_no_place_is_turned_away_and_may_come_back(queue, work):
    occupy(queue, work)
    with queue.reserve(6) as places:
        places.put(1, key="a", deadline=LATER)
        with pytest.raises(QueueFullError) as full:
            queue.reserve(3)
        assert full.value.retry_after == queue.retry_after == 6  # a second each, as none was timed
        with queue.reserve(2):
            assert queue.full
    assert queue.held == 0
    queue.reserve(8)


def test_what_is_fast_is_waited_for_no_longer_than_it_takes(queue, work):
    work.gate.set()
    for i in range(20):
        queue.reserve(1).put(i, key="a", deadline=LATER).future.result(20)
    queue.reserve(8)
    assert queue.retry_after < 4


def test_who_leaves_gives_the_place_back_and_never_reaches_the_model(queue, work):
    _, first = occupy(queue, work)
    with queue.reserve(2) as places:
        left = [places.put(i, key="a", deadline=LATER) for i in (1, 2)]
    stays = queue.reserve(1).put(3, key="a", deadline=LATER)
    work.gate.set()
    assert stays.future.result(20) == "3!"
    assert first.future.result(20) == "first!"
    assert all(job.future.cancelled() for job in left)
    assert [items for _, items in work.batches] == [["first"], [3]]


def test_work_can_see_that_nobody_wants_it_any_more(queue, work):
    places, job = occupy(queue, work)
    assert job.wanted
    places.__exit__(None, None, None)
    assert not job.wanted


def test_a_deadline_that_passes_in_line_ends_the_wait(queue, work):
    occupy(queue, work)
    places = queue.reserve(2)
    late = places.put(1, key="a", deadline=time.monotonic() - 1)
    fine = places.put(2, key="a", deadline=LATER)
    work.gate.set()
    assert fine.future.result(20) == "2!"
    with pytest.raises(DeadlineError):
        late.future.result(20)
    assert [items for _, items in work.batches] == [["first"], [2]]
    assert queue.held == 0


def test_one_that_fails_does_not_take_the_others_with_it():
    def work(key, jobs):
        if any(job.item == "bad" for job in jobs):
            raise MemoryError("too much")
        return [job.item for job in jobs]

    queue = BatchQueue(work, max_batch=3, max_wait=0.2, capacity=3)
    places = queue.reserve(3)
    good, bad, fine = (places.put(i, key=0, deadline=LATER) for i in ("good", "bad", "fine"))
    assert (good.future.result(20), fine.future.result(20)) == ("good", "fine")
    with pytest.raises(MemoryError):
        bad.future.result(20)
    queue.close()


def test_positions_count_those_before(queue, work):
    _, first = occupy(queue, work)
    places = queue.reserve(3)
    jobs = [places.put(i, key="a", deadline=LATER) for i in range(3)]
    assert [queue.position(job) for job in jobs] == [0, 1, 2]
    assert queue.position(first) == 0


def test_other_work_takes_its_turn_on_the_same_thread(queue, work):
    work.gate.set()
    name = queue.run(lambda: threading.current_thread().name).result(20)
    assert name == "model"
    with pytest.raises(ZeroDivisionError):
        queue.run(lambda: 1 / 0).result(20)
    assert queue.run(lambda: queue.on_thread).result(20)
    assert not queue.on_thread


def test_an_item_is_kept_waiting_for_no_company_while_other_work_is_there(work):
    queue = BatchQueue(work, max_batch=2, max_wait=60.0, capacity=8)
    work.gate.set()
    for pause in (0.0, 0.05):  # at once, and when the item is being kept waiting already
        job = queue.reserve(1).put(1, key="a", deadline=LATER)
        time.sleep(pause)
        queue.run(lambda: None).result(20)
        assert job.future.result(20) == "1!"
    queue.close()


def test_closing_drops_what_waits_and_takes_nothing_new(queue, work):
    _, first = occupy(queue, work)
    places = queue.reserve(2)
    waits, task = places.put(1, key="a", deadline=LATER), queue.run(lambda: 1)
    closing = threading.Thread(target=queue.close)
    closing.start()
    for dropped in (waits.future, task):
        with pytest.raises(CancelledError):
            dropped.result(20)
    assert places.put(2, key="a", deadline=LATER).future.cancelled()
    assert queue.run(lambda: 1).cancelled()
    work.gate.set()
    closing.join(20)
    assert first.future.result(0) == "first!"
    assert [items for _, items in work.batches] == [["first"]]
    assert queue.held == 0


def test_what_a_failed_batch_held_is_let_go_before_its_photos_go_one_by_one():
    class Memory:
        pass

    held: list[weakref.ref] = []
    still = []

    def work(key, jobs):
        still.extend(one() is not None for one in held)
        memory = Memory()
        held.append(weakref.ref(memory))
        if len(jobs) > 1:
            raise RuntimeError("out of memory")
        del memory
        return [job.item for job in jobs]

    queue = BatchQueue(work, max_batch=3, max_wait=20.0, capacity=8)
    places = queue.reserve(3)
    jobs = [places.put(i, key="a", deadline=LATER) for i in range(3)]
    assert [job.future.result(20) for job in jobs] == [0, 1, 2]
    queue.close()
    assert still
    assert not any(still)
