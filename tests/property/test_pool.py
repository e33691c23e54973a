"""The pool of generated images: it fills, then swaps; no image is lost or made up."""

from collections import Counter

import pytest
import torch

from adversaria.nn.translate import Pool


def images(numbers):
    return torch.as_tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).clone()


def numbers(x):
    assert (x == x[:, :1, :1, :1]).all(), "an image was mixed with another"
    return x[:, 0, 0, 0].int().tolist()


def test_while_it_fills_the_new_images_come_back_and_are_kept():
    pool = Pool(10, (1, 2, 2))
    assert numbers(pool(images([1, 2, 3, 4]))) == [1, 2, 3, 4]
    assert numbers(pool(images([5, 6, 7, 8]))) == [5, 6, 7, 8]
    assert int(pool.filled) == 8 and numbers(pool.images[:8]) == list(range(1, 9))


@pytest.mark.parametrize(("size", "n"), [(10, 4), (8, 8), (3, 7), (1, 5), (50, 6)])
def test_images_are_conserved(size, n):
    """What is in the pool and what came out is what went in, once more for each image that filled a place."""
    pool, held, counter = Pool(size, (1, 2, 2)), Counter(), 0
    for _ in range(30):
        fresh = list(range(counter + 1, counter + n + 1))
        counter += n
        room = max(0, min(size - int(pool.filled), n))
        out = numbers(pool(images(fresh)))
        now = Counter(numbers(pool.images[: int(pool.filled)]))
        assert len(out) == n
        assert now + Counter(out) == held + Counter(fresh) + Counter(fresh[:room])
        held = now
    assert int(pool.filled) == min(size, counter)


def test_a_full_pool_swaps_each_image_with_chance_one_half_for_one_drawn_evenly():
    pool, rounds, n = Pool(40, (1, 2, 2)), 2_000, 4
    pool(images(range(40)))
    swapped, places = 0, torch.zeros(40)
    for r in range(rounds):
        before = pool.images[:, 0, 0, 0].clone()
        fresh = torch.arange(n) + 100 + r * n
        out = pool(images(fresh))[:, 0, 0, 0]
        swapped += int((out != fresh).sum())
        places += pool.images[:, 0, 0, 0] != before
    trials = rounds * n
    assert abs(swapped / trials - 0.5) < 4 * (0.25 / trials) ** 0.5
    expected = trials / 2 / 40
    assert (abs(places - expected) < 5 * expected**0.5).all()


def test_what_comes_out_has_no_gradient_and_the_fresh_images_stay():
    pool, fresh = Pool(2, (1, 2, 2)), images([1, 2, 3, 4]).requires_grad_()
    out = pool(fresh)
    assert not out.requires_grad
    out.zero_()
    assert numbers(fresh.detach()) == [1, 2, 3, 4] and 0 not in numbers(pool.images)


def test_the_pool_is_kept_by_checkpoints():
    pool = Pool(5, (1, 2, 2))
    pool(images([1, 2, 3]))
    again = Pool(5, (1, 2, 2))
    again.load_state_dict(pool.state_dict())
    assert int(again.filled) == 3 and torch.equal(again.images, pool.images)
    for _ in range(5):
        answers = []
        for p in (pool, again):
            torch.manual_seed(4)
            answers.append(p(images([7, 8, 9])))
        assert torch.equal(*answers)
