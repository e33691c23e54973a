"""Augmentations: same shape, differentiable, examples apart from one another, and what each leaves as it is."""

import pytest
import torch

from adversaria.ops import augment

SHAPES = [(4, 1, 8, 8), (3, 3, 9, 13), (2, 5, 28, 20)]
ALL = [augment.brightness, augment.saturation, augment.contrast, augment.translation, augment.cutout, augment.flip,
       augment.quarter_turns, augment.affine]  # fmt: skip
pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("op", ALL, ids=lambda op: op.__name__)
def test_shape_and_gradient_by_finite_differences(op, shape):
    x = torch.randn(shape, requires_grad=True)

    def seeded(x):
        torch.manual_seed(3)
        return op(x)

    y = seeded(x)
    assert y.shape == x.shape and y.dtype == x.dtype
    direction, weight = torch.randn(shape), torch.randn(shape)
    (slope,) = torch.autograd.grad((y * weight).sum(), x)
    step = 1e-6
    numeric = ((seeded(x + step * direction) - seeded(x - step * direction)) * weight).sum() / (2 * step)
    assert (slope * direction).sum().item() == pytest.approx(numeric.item(), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("op", [*ALL, augment.adaptive], ids=lambda op: op.__name__)
def test_a_chance_of_zero_touches_nothing(op):
    x = torch.rand(5, 3, 8, 8) * 2 - 1
    torch.testing.assert_close(op(x, 0.0), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.__name__)
def test_a_chance_between_touches_that_share_of_examples(op):
    n, p = 4000, 0.3
    x = torch.randn(1, 3, 8, 8).expand(n, -1, -1, -1).clone()
    touched = (op(x, p) - x).abs().flatten(1).amax(1).gt(1e-9).double().mean().item()
    # Some draws leave an image as it is: no shift, no turn, one of two mirrors; affine draws each of four by itself.
    share = {"flip": 0.5, "quarter_turns": 0.75, "translation": 8 / 9}.get(op.__name__, 1.0) * p
    share = 1 - 0.7**4 if op is augment.affine else share
    assert touched == pytest.approx(share, abs=4 * (share * (1 - share) / n) ** 0.5)


def test_translation_moves_pixels_without_changing_them():
    x = torch.arange(1.0, 65).view(1, 1, 8, 8).expand(200, -1, -1, -1)
    for before, after in zip(x, augment.translation(x), strict=True):
        shifts = [
            (r, c) for r in (-1, 0, 1) for c in (-1, 0, 1)
            if torch.equal(after[0, max(0, -r) : 8 - max(0, r), max(0, -c) : 8 - max(0, c)],
                           before[0, max(0, r) : 8 - max(0, -r), max(0, c) : 8 - max(0, -c)])
        ]  # fmt: skip
        assert len(shifts) == 1
        r, c = shifts[0]
        assert (after == 0).sum() == 64 - (8 - abs(r)) * (8 - abs(c))


def test_cutout_hides_a_rectangle_of_half_of_each_side_at_most():
    x = torch.ones(300, 2, 8, 12)
    hidden = augment.cutout(x) == 0
    assert torch.equal(hidden[:, 0], hidden[:, 1])
    assert hidden[:, 0].flatten(1).sum(1).max() == 4 * 6 and hidden[:, 0].flatten(1).sum(1).min() >= 1
    for mask in hidden[:, 0]:
        rows, columns = mask.any(1), mask.any(0)
        assert torch.equal(mask, rows[:, None] & columns[None])


def test_quarter_turns_and_flips_are_the_eight_symmetries():
    x = torch.randn(1, 1, 6, 6).expand(600, -1, -1, -1)
    seen = augment.quarter_turns(augment.flip(x))
    expected = [torch.rot90(image, k, (2, 3)) for image in (x[:1], x[:1].flip(3)) for k in range(4)]
    counts = [sum(torch.equal(one[None], e) for one in seen) for e in expected]
    assert sum(counts) == 600 and min(counts) > 40


def test_a_pure_turn_keeps_distances_on_images_that_are_not_square():
    """A disc stays a disc: the grid is turned in pixels, not in units of the sides."""
    rows, columns = torch.meshgrid(torch.arange(24.0) - 11.5, torch.arange(40.0) - 19.5, indexing="ij")
    disc = torch.sigmoid((36 - rows**2 - columns**2) / 6).view(1, 1, 24, 40)
    turned = augment.affine(disc.expand(20, -1, -1, -1), scale=0.0, shift=0.0)
    inside = (turned - disc).abs()[:, :, 4:-4, 12:-12]  # further out, borders are reflected
    assert inside.max() < 0.1
    assert inside.mean() < 0.02


def test_what_one_example_becomes_does_not_depend_on_the_others():
    x = torch.randn(6, 3, 8, 8)
    for op in (*ALL, augment.adaptive):
        torch.manual_seed(1)
        one = op(x, 0.7)
        other = x.clone()
        other[3:] = torch.randn(3, 3, 8, 8)
        torch.manual_seed(1)
        assert torch.equal(op(other, 0.7)[:3], one[:3]), op.__name__
