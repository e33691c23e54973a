"""Recurrent layers over images: what each pixel sees, against loops over pixels."""

import pytest
import torch
from torch.nn import functional as F

import adversaria as adv
from adversaria.data import DataSpec
from adversaria.nn.pixelrnn import Diagonal, RowLSTM, cell, skew, unskew

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (1, 4), (4, 1)])
def test_skewing_moves_row_i_by_i_and_back(shape):
    x = torch.randn(2, 3, *shape)
    y = skew(x)
    assert y.shape == (2, 3, shape[0], shape[1] + shape[0] - 1)
    for i in range(shape[0]):
        assert torch.equal(y[:, :, i, i : i + shape[1]], x[:, :, i])
    assert torch.equal(unskew(y), x)


def test_a_diagonal_lstm_takes_the_states_of_the_left_and_the_upper_pixel():
    torch.manual_seed(0)
    layer, x = Diagonal(2, 3, 1), torch.randn(1, 2, 3, 4)
    states, none = {}, (torch.zeros(1, 3), torch.zeros(1, 3))
    sums = layer.here(x)
    above, left = layer.before.weight[:, :, 0], layer.before.weight[:, :, 1]
    for i in range(3):
        for j in range(4):
            h_left, c_left = states.get((i, j - 1), none)
            h_above, _ = states.get((i - 1, j), none)
            gates = sums[:, :, i, j] + h_left @ left.T + h_above @ above.T + layer.before.bias
            states[i, j] = cell(gates, c_left)
    by_hand = torch.stack([states[i, j][0] for i in range(3) for j in range(4)], 2).view(1, 3, 3, 4)
    torch.testing.assert_close(layer(x), by_hand)


def test_a_row_lstm_is_the_lstm_of_torch_where_no_pixel_sees_its_neighbours():
    torch.manual_seed(0)
    layer, x = RowLSTM(2, 3, 1), torch.randn(4, 2, 6, 1)
    lstm = torch.nn.LSTM(2, 3)
    order = torch.cat([torch.arange(6, 9), torch.arange(3, 6), torch.arange(9, 12), torch.arange(3)])  # i f g o
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(layer.here.weight[order, :, 0, 1])
        lstm.weight_hh_l0.copy_(layer.above.weight[order, :, 1])
        lstm.bias_ih_l0.copy_(layer.here.bias[order])
        lstm.bias_hh_l0.copy_(layer.above.bias[order])
    torch.testing.assert_close(layer(x)[..., 0], lstm(x[..., 0].permute(2, 0, 1))[0].permute(1, 2, 0))


def sight(net, channels, shape):
    seen = 0
    for _ in range(3):  # a ReLU may be shut at one input, not at all
        x = torch.randn(1, channels, *shape, requires_grad=True)
        y = net(x).permute(0, 2, 3, 1).reshape(x.numel(), -1).sum(1)
        rows = [torch.autograd.grad(out, x, retain_graph=True)[0].permute(0, 2, 3, 1).flatten() for out in y]
        seen = seen + torch.stack(rows).abs()
    return seen > 0


@pytest.mark.parametrize(("channels", "shape"), [(1, (6, 7)), (3, (3, 4))])
@pytest.mark.parametrize("variant", ["row", "diagonal"])
def test_no_later_number_is_seen_and_diagonals_see_all_earlier_ones(variant, channels, shape):
    torch.manual_seed(0)
    spec = DataSpec("image", (channels, *shape))
    net = adv.recipe("pixelrnn", "smoke", variant=variant, units=9).build(spec).networks["model"]
    for p in net.parameters():
        p.data = p.data + 0.2 * torch.randn_like(p)
    seen, d = sight(net, channels, shape), channels * shape[0] * shape[1]
    earlier = torch.ones(d, d).tril(-1).bool()
    assert not seen[~earlier].any()
    if variant == "diagonal" and channels == 1:
        (_, w), missed = shape, (~seen & earlier).nonzero().tolist()
        last_above = [[r * w + c, r * w - 1] for r in range(1, shape[0]) for c in range(w - 4)]
        assert missed == last_above, "the mask A hides a row's last pixel from states that go left below it"


def test_a_row_lstm_sees_a_triangle():
    torch.manual_seed(0)
    x = torch.randn(1, 1, 5, 9, requires_grad=True)
    y = RowLSTM(1, 2, 1)(F.pad(x, (1, 0))[..., :-1])  # a mask A: nothing of the pixel itself
    seen = torch.autograd.grad(y[0, :, 3, 4].sum(), x)[0][0, 0] != 0
    found = [row.nonzero().flatten().tolist() for row in seen]
    assert found == [[0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5], [1, 2, 3, 4], [2, 3], []]
