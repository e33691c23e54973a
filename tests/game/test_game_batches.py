"""What play takes for batches, and the order in which it takes them."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from adversaria.data import Batch
from adversaria.errors import UserError
from adversaria.game import SGD, Player, Referee, Stage, play


def watcher():
    net, seen = nn.Linear(1, 1), []

    def objective(batch):
        seen.append((batch.x.flatten().tolist(), None if batch.labels is None else batch.labels.tolist()))
        return {"loss": net(batch.x).mean()}

    return Stage((Player("net", (net,), objective, SGD()),)), seen


def x(*numbers):
    return torch.tensor(numbers, dtype=torch.float32)[:, None]


def test_a_list_starts_anew_when_it_ends():
    stage, seen = watcher()
    for _ in play(stage, [x(1), x(2), x(3, 4)], rounds=7):
        pass
    assert [b for b, _ in seen] == [[1], [2], [3, 4], [1], [2], [3, 4], [1]]


def test_pairs_are_examples_and_labels_and_batches_are_themselves():
    stage, seen = watcher()
    pair = (x(1, 2), torch.tensor([3, 4]))
    for _ in play(stage, [pair, list(pair), Batch(*pair), x(5)], rounds=4):
        pass
    assert seen == [([1, 2], [3, 4])] * 3 + [([5], None)]


@pytest.mark.parametrize("labels", [False, True])
def test_a_data_loader_is_gone_through_again_and_again(labels):
    stage, seen = watcher()
    parts = (x(1, 2, 3, 4), torch.arange(4)) if labels else (x(1, 2, 3, 4),)
    for _ in play(stage, DataLoader(TensorDataset(*parts), batch_size=3), rounds=4):
        pass
    assert [b for b, _ in seen] == [[1, 2, 3], [4]] * 2
    assert [given for _, given in seen] == ([[0, 1, 2], [3]] * 2 if labels else [None] * 4)


def test_a_data_loader_of_bare_tensors_will_do():
    stage, seen = watcher()
    for _ in play(stage, DataLoader(x(1, 2, 3, 4), batch_size=2), rounds=3):
        pass
    assert [b for b, _ in seen] == [[1, 2], [3, 4], [1, 2]]


def test_batches_that_know_their_steps_are_asked_for_them_and_resume_where_they_were():
    class Steps:
        def at(self, step):
            return Batch(x(step))

    stage, seen = watcher()
    referee = Referee(stage, 3)
    for _ in play(stage, Steps(), referee=referee):
        pass
    referee.rounds = 5
    for _ in play(stage, Steps(), referee=referee):
        pass
    assert [b for b, _ in seen] == [[0], [1], [2], [3], [4]]


def test_a_generator_that_ends_is_an_error_that_says_what_to_do():
    stage, seen = watcher()
    with pytest.raises(UserError, match="do not start anew; pass a list"):
        for _ in play(stage, (x(i) for i in range(3)), rounds=5):
            pass
    assert len(seen) == 3
    with pytest.raises(UserError, match="came to an end"):
        next(play(stage, [], rounds=1))


@pytest.mark.parametrize("wrong", [1.0, "images", (x(1), "label"), (x(1), x(1), x(1)), {"x": x(1)}])
def test_anything_else_is_an_error_that_names_its_type(wrong):
    stage, _ = watcher()
    with pytest.raises(UserError, match=f"got {type(wrong).__name__}"):
        next(play(stage, [wrong], rounds=1))


def test_play_stops_at_its_rounds_and_without_them_goes_on_until_it_is_left():
    stage, seen = watcher()
    assert [r.number for r in play(stage, [x(1)], rounds=3)] == [1, 2, 3]
    for r in play(stage, [x(1)]):
        if r.number == 5:
            break
    assert len(seen) == 8


def test_nothing_is_played_or_drawn_before_it_is_asked_for():
    stage, seen = watcher()
    rounds = play(stage, [x(1)], rounds=3)
    assert seen == []
    next(rounds)
    assert len(seen) == 1
