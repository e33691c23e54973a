"""Paths between codes: closed forms, exact ends, degenerate pairs, and what suits which prior."""

import math

import pytest
import torch
from latent_helpers import box, game_of, linear, normal

from adversaria import latent
from adversaria.errors import UserError

pytestmark = pytest.mark.usefixtures("float64")


def angle(a, b):
    return torch.nn.functional.cosine_similarity(a, b, dim=-1).clamp(-1, 1).acos()


def test_a_spherical_path_turns_at_constant_speed_and_its_length_changes_evenly():
    a, b = 3 * torch.randn(40, 7), torch.randn(40, 7)
    path, w = latent.spherical(a, b, 11), angle(a, b)
    turned = angle(path[:, :-1], path[:, 1:])
    torch.testing.assert_close(turned, (w / 10)[:, None].expand(-1, 10), atol=1e-7, rtol=1e-7)
    first, last = a.norm(dim=1)[:, None], b.norm(dim=1)[:, None]
    lengths = torch.lerp(first, last, torch.linspace(0, 1, 11))
    torch.testing.assert_close(path.norm(dim=2), lengths)
    normal_part = path - (path @ (basis := torch.linalg.qr(torch.stack([a, b], 2)).Q)) @ basis.mT
    assert normal_part.abs().max() < 1e-12  # it stays in the plane of both


def test_in_the_plane_a_spherical_path_is_a_rotation():
    a, w = torch.tensor([[2.0, 1.0]]), 2.0
    turn = lambda s: torch.tensor([[math.cos(s), -math.sin(s)], [math.sin(s), math.cos(s)]])  # noqa: E731
    path = latent.spherical(a, a @ turn(w).T, 5)[0]
    torch.testing.assert_close(path, torch.cat([a @ turn(w * t).T for t in (0, 0.25, 0.5, 0.75, 1)]))


def test_for_codes_of_one_length_it_is_the_usual_formula():
    a, b = (torch.nn.functional.normalize(torch.randn(20, 9), dim=1) * 2.5 for _ in range(2))
    w, t = angle(a, b)[:, None, None], torch.linspace(0, 1, 7)[:, None]
    usual = (((1 - t) * w).sin() * a[:, None] + (t * w).sin() * b[:, None]) / w.sin()
    torch.testing.assert_close(latent.spherical(a, b, 7), usual)


def test_the_middle_keeps_its_length_where_the_straight_one_loses_the_cosine_of_half_the_angle():
    a, b = (torch.nn.functional.normalize(torch.randn(20, 50), dim=1) for _ in range(2))
    round_, straight = (way(a, b, 3)[:, 1].norm(dim=1) for way in (latent.spherical, latent.linear))
    torch.testing.assert_close(round_, torch.ones(20))
    torch.testing.assert_close(straight, (angle(a, b) / 2).cos())


@pytest.mark.parametrize("way", [latent.spherical, latent.linear])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_ends_are_exact(way, dtype):
    a, b = torch.randn(100, 6, dtype=dtype), 3 * torch.randn(100, 6, dtype=dtype)
    path = way(a, b, 4)
    assert path.dtype == dtype and path.shape == (100, 4, 6)
    assert torch.equal(path[:, 0], a) and torch.equal(path[:, -1], b)


@pytest.mark.parametrize("factor", [2.0, 1.0, 0.0, -1.0, -0.5, 1 + 1e-12])
def test_codes_that_determine_no_circle_are_joined_straight(factor):
    a = torch.randn(5, 4)
    for p, q in ((a, factor * a), (factor * a, a)):
        torch.testing.assert_close(latent.spherical(p, q, 6), latent.linear(p, q, 6))


def test_a_path_changes_continuously_into_the_straight_one():
    a, side = torch.randn(5, 4), torch.randn(5, 4)
    for step in (1e-3, 1e-5, 1e-6, 1e-8, 1e-10):
        away = latent.spherical(a, a + step * side, 9) - latent.linear(a, a + step * side, 9)
        assert away.abs().max() < 2 * step**2 + 1e-12


def test_codes_of_one_number_are_joined_straight():
    a, b = torch.randn(8, 1), torch.randn(8, 1)
    torch.testing.assert_close(latent.spherical(a, b, 5), latent.linear(a, b, 5))


def test_interpolation_decodes_the_path_that_suits_the_prior():
    for prior, way in ((normal(3), latent.spherical), (box(3), latent.linear)):
        G = linear(3, 5)
        game = game_of(G, prior)
        a, b = game.latent(4, seed=1), game.latent(4, seed=2)
        examples, codes = latent.interpolate(game, a, b, 6)
        torch.testing.assert_close(codes, way(a, b, 6))
        assert examples.shape == (4, 6, 5) and not examples.requires_grad
        torch.testing.assert_close(examples, G(codes).detach())
        straight = latent.interpolate(game, a, b, 6, way="linear")[1]
        assert torch.equal(straight, latent.linear(a, b, 6))


def test_a_spherical_path_is_about_the_priors_mean_in_its_standard_deviations():
    sd, mean = torch.tensor([1.0, 5.0, 0.2]), torch.tensor([30.0, 0.0, -4.0])
    game = game_of(linear(3, 2), lambda n: mean + sd * torch.randn(n, 3))
    a, b = game.latent(6, seed=1), game.latent(6, seed=2)
    codes = latent.interpolate(game, a, b, 5)[1]
    expected = mean + sd * latent.spherical((a - mean) / sd, (b - mean) / sd, 5)
    assert float(((codes - expected) / sd).abs().max()) < 0.2  # mean and deviation are those of 4,096 draws
    assert torch.equal(codes[:, 0], a) and torch.equal(codes[:, -1], b)


def test_spherical_paths_are_refused_where_the_prior_is_not_normal():
    game = game_of(linear(3, 2), box(3))
    z = game.latent(2, seed=0)
    with pytest.raises(UserError, match="this model's are uniform; take the linear way"):
        latent.interpolate(game, z, z, way="spherical")
    with pytest.raises(UserError, match="steps is 1"):
        latent.interpolate(game, z, z, 1)
    with pytest.raises(UserError, match="give two of one shape"):
        latent.interpolate(game, z, z[:, :2])
    with pytest.raises(UserError, match="'spherical' or 'linear'"):
        latent.interpolate(game, z, z, way="round")


def test_a_model_without_codes_is_told_what_is_missing():
    game = game_of(linear(3, 2), normal(3))
    del game.abilities["decode"]
    with pytest.raises(UserError, match="game gives no decode, so there are no codes"):
        latent.interpolate(game, torch.zeros(1, 3), torch.zeros(1, 3))


def test_labels_are_held_along_the_path_where_the_model_decodes_under_labels():
    G = linear(3, 2)
    game = game_of(G, normal(3), decode=lambda z, labels: G(z) + 10 * labels[:, None], condition="label")
    a, b = game.latent(2, seed=1), game.latent(2, seed=2)
    examples, codes = latent.interpolate(game, a, b, label=3)
    torch.testing.assert_close(examples, G(codes).detach() + 30)
    with pytest.raises(UserError, match="say which: label=0"):
        latent.interpolate(game, a, b)
    with pytest.raises(UserError, match="leave the label out"):
        latent.interpolate(game_of(G, normal(3)), a, b, label=3)
