"""Sequences of tokens: an exact distribution by enumeration, and the policy gradient against its exact value."""

import itertools

import pytest
import torch
from scipy import stats

from adversaria.data import Batch, DataSpec
from adversaria.nn.tokens import TokenLSTM
from adversaria.objectives.policy import reinforce
from adversaria.recipes.sequence.seqgan import SeqGAN

pytestmark = pytest.mark.usefixtures("float64")
K, T = 3, 3
ALL = torch.tensor(list(itertools.product(range(K), repeat=T)))


def language(hidden=5):
    net = TokenLSTM(K, 4, hidden)
    for p in net.parameters():
        p.data.mul_(2)
    return net


def flat(gradients):
    return torch.cat([g.flatten() for g in gradients])


def expected_gradient(net, value):
    """E over sequences of the gradient of reinforce, each sequence weighed with its probability."""
    parameters = list(net.parameters())
    log_p = net.log_prob(ALL)
    p = log_p.sum(1).exp().detach()
    surrogate = sum(p[i] * reinforce(log_p[i : i + 1], value[i : i + 1]) for i in range(len(ALL)))
    return flat(torch.autograd.grad(surrogate, parameters))


def exact_gradient(net, reward):
    """grad of E[R] = sum over sequences of p(y) R(y)."""
    return flat(torch.autograd.grad((net.log_prob(ALL).sum(1).exp() * reward).sum(), list(net.parameters())))


def action_values(net, reward):
    """Q(y_<t, y_t) = E[R | y_1 .. y_t], (sequences, T)."""
    p = net.log_prob(ALL).sum(1).exp().detach()
    q = torch.zeros(len(ALL), T)
    for t in range(T):
        for i in range(len(ALL)):
            same = (ALL[:, : t + 1] == ALL[i, : t + 1]).all(1)
            q[i, t] = (p[same] * reward[same]).sum() / p[same].sum()
    return q


def test_reinforce_is_minus_the_mean_over_sequences_of_the_weighted_log_probabilities():
    log_p, value = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    loss = reinforce(log_p, value)
    assert loss.item() == pytest.approx(-(log_p * value).sum().item() / 4)
    to_log_p, to_value = torch.autograd.grad(loss, (log_p, value), allow_unused=True)
    torch.testing.assert_close(to_log_p, -value.detach() / 4)
    assert to_value is None


@pytest.mark.parametrize("what", ["return", "action values"])
def test_the_expected_gradient_of_reinforce_is_minus_the_policy_gradient(what):
    net, reward = language(), torch.randn(len(ALL))
    value = reward[:, None].expand(-1, T) if what == "return" else action_values(net, reward)
    exact = exact_gradient(net, reward)
    assert exact.norm() > 1e-2
    torch.testing.assert_close(expected_gradient(net, value), -exact, rtol=1e-9, atol=1e-12)


def test_a_baseline_of_the_past_leaves_the_expected_gradient_as_it_is():
    net, reward = language(), torch.randn(len(ALL))
    q = action_values(net, reward)
    baseline = torch.randn(T, K**T)[torch.arange(T), ALL.cumsum(1) * 0]  # (sequences, T), the same for all
    code = torch.stack([ALL[:, :t] @ K ** torch.arange(t) + 100 * t for t in range(T)], 1)  # names the prefix y_<t
    past = torch.sin(code.double() * 1.7)
    for b in (baseline, past):
        torch.testing.assert_close(expected_gradient(net, q - b), -exact_gradient(net, reward), rtol=1e-9, atol=1e-12)


def test_a_baseline_that_knows_the_action_does_not():
    net, reward = language(), torch.randn(len(ALL))
    q = action_values(net, reward)
    wrong = expected_gradient(net, q - ALL.double()) + exact_gradient(net, reward)
    assert wrong.norm() > 1e-2


def test_probabilities_of_all_sequences_sum_to_one():
    net = language()
    p = net.log_prob(ALL).sum(1).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-12) and p.max() / p.min() > 2
    torch.testing.assert_close(net(ALL).exp().sum(2), torch.ones(len(ALL), T))


def test_a_tokens_probability_depends_on_all_tokens_before_it_and_on_none_after():
    net, y = language(), torch.randint(K, (1, 5))
    before = net(y)
    for t in range(5):
        other = y.clone()
        other[0, t] = (other[0, t] + 1) % K
        after = net(other)
        assert torch.equal(after[:, : t + 1], before[:, : t + 1])
        assert (after[:, t + 1 :] != before[:, t + 1 :]).all()


def test_log_prob_picks_the_tokens_own():
    net = language()
    log_p = net.log_prob(ALL)
    for i, t in itertools.product(range(len(ALL)), range(T)):
        assert log_p[i, t] == net(ALL)[i, t, ALL[i, t]]


@pytest.mark.parametrize("prefix", [(), (2,), (1, 0)])
def test_completions_keep_the_prefix_and_come_as_often_as_the_conditional_says(prefix):
    net, n = language(), 20_000
    given = torch.tensor(prefix, dtype=torch.long).expand(n, len(prefix))
    y = net.complete(given, T)
    assert y.shape == (n, T) and y.dtype == torch.long
    assert torch.equal(y[:, : len(prefix)], given)
    p = net.log_prob(ALL).sum(1).exp().detach()
    fits = (ALL[:, : len(prefix)] == torch.tensor(prefix)).all(1) if prefix else torch.ones(len(ALL)).bool()
    expected = p[fits] / p[fits].sum() * n
    code = K ** torch.arange(T)
    seen = torch.stack([(y @ code == one @ code).sum() for one in ALL[fits]])
    assert expected.min() > 2
    assert stats.chisquare(seen.numpy(), expected.numpy()).pvalue > 1e-3


def test_a_whole_sequence_is_its_own_completion():
    y = torch.randint(K, (4, T))
    assert torch.equal(language().complete(y, T), y)


def test_sampling_is_completing_nothing():
    net = language()
    torch.manual_seed(1)
    y = net.sample(7, T)
    torch.manual_seed(1)
    assert torch.equal(y, net.complete(torch.empty(7, 0, dtype=torch.long), T))


def test_seqgans_gradient_is_the_policy_gradient_of_the_discriminators_opinion():
    recipe = SeqGAN(embedding=4, hidden=5, filters=4, rollouts=2, dropout=0.0)
    game = recipe.build(DataSpec(kind="sequence", shape=(T,), categories=K))
    G, G_beta, D = (game.networks[name] for name in ("generator", "rollout", "discriminator"))
    for p in [*G.parameters(), *D.parameters()]:
        p.data.mul_(2)
    G_beta.load_state_dict(G.state_dict())
    player = game.stage("adversarial").players[0]
    n = 40_000
    terms = player.objective(Batch(torch.zeros(n, T, dtype=torch.long)))
    ours = flat(torch.autograd.grad(player.loss(terms), list(G.parameters())))
    exact = -exact_gradient(G, torch.sigmoid(D(ALL)).detach())
    assert torch.cosine_similarity(ours, exact, dim=0) > 0.98
    assert (ours.norm() / exact.norm()).item() == pytest.approx(1, abs=0.15)


def test_the_mean_over_the_batch_as_baseline_scales_the_gradient_by_n_minus_one_over_n():
    """Each value is a share 1/n of its own baseline; over all pairs of sequences (n = 2) exactly half is left."""
    net, reward = language(), torch.randn(len(ALL))
    q, log_p = action_values(net, reward), net.log_prob(ALL)
    p = log_p.sum(1).exp().detach()
    i, j = (k.flatten() for k in torch.meshgrid(*[torch.arange(len(ALL))] * 2, indexing="ij"))
    mean = (q[i] + q[j]) / 2
    per_pair = -(log_p[i] * (q[i] - mean) + log_p[j] * (q[j] - mean)).sum(1) / 2
    gradient = flat(torch.autograd.grad((p[i] * p[j] * per_pair).sum(), list(net.parameters())))
    torch.testing.assert_close(gradient, -exact_gradient(net, reward) / 2, rtol=1e-9, atol=1e-12)


def test_the_rollout_policy_follows_the_generator():
    game = SeqGAN(embedding=4, hidden=5, filters=4, follow=0.75).build(
        DataSpec(kind="sequence", shape=(T,), categories=K)
    )
    G, G_beta = game.networks["generator"], game.networks["rollout"]
    before = [p.clone() for p in G_beta.parameters()]
    for p in G.parameters():
        p.data.normal_()
    with torch.no_grad():
        game.stage("adversarial").players[0].after()
    for slow, old, fast in zip(G_beta.parameters(), before, G.parameters(), strict=True):
        torch.testing.assert_close(slow, 0.75 * old + 0.25 * fast)
        assert not slow.requires_grad
