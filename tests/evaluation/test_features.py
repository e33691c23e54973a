"""Features that need no training: shapes, what their hash stands for, principal components, a user's own file."""

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria.data import DataSpec
from adversaria.errors import UserError
from adversaria.evaluation.choice import features_for
from adversaria.evaluation.features import Features, module, pca, pixels, width_for

IMAGE = DataSpec("image", (1, 8, 8))
GOOD = "def features(x):\n    return x.flatten(1)[:, :5]\n"


@pytest.fixture(scope="module")
def digits():
    return adv.load("digits")


@pytest.fixture
def file(tmp_path):
    def write(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_pixels_are_the_numbers_of_an_example(digits):
    x = digits.examples(7, "test").x
    found = pixels(digits.spec)
    assert torch.equal(found(x), x.reshape(7, 64)) and found.d == 64 and found.name == "pixels"
    assert torch.equal(found(x, piece=2), found(x))
    assert found.facts == {"features": "pixels", "features_hash": found.hash}
    assert pixels(DataSpec("points", (2,))).name == "points"


def test_tokens_are_one_hot():
    spec = DataSpec("sequence", (3,), categories=4)
    found = pixels(spec)(torch.tensor([[0, 3, 1]]))
    assert found.shape == (1, 12) and found.dtype == torch.float32
    assert found.reshape(3, 4).argmax(1).tolist() == [0, 3, 1] and found.sum() == 3


def test_pixels_of_one_shape_share_a_hash_and_of_others_do_not():
    assert pixels(IMAGE).hash == pixels(DataSpec("image", (1, 8, 8), 10)).hash
    specs = [IMAGE, DataSpec("image", (1, 8, 9)), DataSpec("points", (64,)), DataSpec("sequence", (8,), categories=8)]
    hashes = {pixels(spec).hash for spec in specs}
    assert len(hashes) == 4 and all(len(h) == 12 and int(h, 16) >= 0 for h in hashes)


def test_principal_components_are_those_of_scikit_learn(digits):
    from sklearn.decomposition import PCA

    batch = digits.examples(digits.size("train"), "train")
    oracle = PCA(16, svd_solver="full").fit(batch.x.flatten(1).double().numpy())
    x = digits.examples(50, "test").x
    found, expected = pca(digits, 16)(x).double().numpy(), oracle.transform(x.flatten(1).double().numpy())
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found * signs, expected, atol=2e-5)
    assert pca(digits, 16).accuracy == pytest.approx(oracle.explained_variance_ratio_.sum(), abs=1e-9)
    assert pca(digits, 16).name == "PCA-16"


def test_all_components_keep_distances(digits):
    x = digits.examples(40, "test").x
    kept, flat = pca(digits, 64)(x).double(), x.flatten(1).double()
    assert torch.allclose(torch.cdist(kept, kept), torch.cdist(flat, flat), atol=1e-4)
    assert pca(digits, 64).accuracy == pytest.approx(1)


def test_hash_of_components_is_of_the_data(digits):
    x = digits.examples(200, "train").x.numpy()
    a, b = adv.load(x), adv.load(np.where(x > 0.5, 0.4, x).astype(np.float32))
    assert pca(digits).hash == pca(adv.load("digits")).hash
    assert len({pca(digits, 4).hash, pca(digits, 5).hash, pca(a, 4).hash, pca(b, 4).hash}) == 4


def test_width_follows_the_held_out_examples(digits):
    assert min(digits.size("valid"), digits.size("test")) < 5 * 64
    assert width_for(digits) == 32 == pca(digits).d
    small = adv.load(np.random.default_rng(0).random((60, 1, 8, 8), dtype=np.float32))
    assert width_for(small) == 8


@pytest.mark.parametrize("d", [0, 65])
def test_more_components_than_numbers_are_refused(digits, d):
    with pytest.raises(UserError, match="ask for 1 to 64"):
        pca(digits, d)


def test_features_must_give_a_row_for_each_example():
    wrong = Features("wrong", "ab", 3, lambda x: x.flatten(1))
    with pytest.raises(UserError, match=r"\(4, 64\).*expected \(4, 3\)"):
        wrong(torch.zeros(4, 1, 8, 8))


def test_a_file_of_ones_own(file):
    path = file(GOOD)
    found = module(path, IMAGE)
    x = torch.randn(9, 1, 8, 8)
    assert torch.equal(found(x), x.flatten(1)[:, :5]) and (found.name, found.d) == ("mine", 5)
    assert found.hash == module(path, IMAGE).hash and not found(x.requires_grad_()).requires_grad
    assert module(file(GOOD, "other.py"), IMAGE).hash == found.hash  # of content
    assert module(file(GOOD + "NAME = 'dino'\n"), IMAGE).name == "dino"
    assert module(file(GOOD + "# changed\n"), IMAGE).hash != found.hash


def test_hash_changes_with_the_weights(file, tmp_path):
    text = GOOD + "WEIGHTS = 'w.bin'\n"
    weights = tmp_path / "w.bin"
    weights.write_bytes(b"one")
    first = module(file(text), IMAGE).hash
    assert module(file(text), IMAGE).hash == first != module(file(GOOD), IMAGE).hash
    weights.write_bytes(b"two")
    assert module(file(text), IMAGE).hash != first
    weights.write_bytes(b"one")
    assert module(file(text), IMAGE).hash == first
    weights.unlink()
    with pytest.raises(UserError, match=r"w\.bin"):
        module(file(text), IMAGE)


def test_random_weights_are_the_same_each_time_and_touch_no_generator(file):
    path = file("import torch\nL = torch.nn.Linear(64, 3)\ndef features(x):\n    return L(x.flatten(1))\n")
    x = torch.randn(4, 1, 8, 8)
    before = torch.get_rng_state()
    first = module(path, IMAGE)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    assert torch.equal(first(x), module(path, IMAGE)(x))


def test_tokens_reach_a_users_file_as_integers(file):
    path = file("def features(x):\n    assert x.dtype.is_floating_point is False\n    return x.float()\n")
    assert module(path, DataSpec("sequence", (6,), categories=3)).d == 6


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("def features(x):\n    return x\n", "shape (2, 1, 8, 8)"),
        ("def features(x):\n    return x.flatten(1)[:1]\n", "shape (1, 64)"),
        ("def features(x):\n    return x.flatten(1).numpy()\n", "type ndarray"),
        ("def features(x):\n    return None\n", "type NoneType"),
        ("def features(x):\n    raise RuntimeError('one\\ntwo')\n", "RuntimeError: one two"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("def features(x:\n", "SyntaxError"),
        ("import no_such_module_here\n", "no_such_module_here"),
        ("def other(x):\n    return x\n", "features"),
        (GOOD + "WEIGHTS = 'gone.pt'\n", "gone.pt"),
    ],
)
def test_files_that_give_no_features_are_refused_in_a_line(file, text, named):
    path = file(text)
    with pytest.raises(UserError) as told:
        module(path, IMAGE)
    said = str(told.value)
    assert named in said and str(path) in said and "\n" not in said


def test_a_file_that_is_missing_or_no_python_is_refused(file, tmp_path):
    with pytest.raises(UserError, match=r"no features.*gone\.py"):
        module(tmp_path / "gone.py", IMAGE)
    with pytest.raises(UserError, match="no Python file"):
        module(file("{}", "mine.json"), IMAGE)
    with pytest.raises(UserError, match="no features"):
        module(tmp_path, IMAGE)


def test_features_are_chosen_by_name_or_file(digits, file):
    assert features_for(digits, "pixels").name == "pixels"
    assert features_for(digits, "pca").name == "PCA-32"
    assert features_for(digits, str(file(GOOD))).name == "mine"
    with pytest.raises(UserError, match="did you mean 'pixels'"):
        features_for(digits, "pixel")
    with pytest.raises(UserError, match="Python file"):
        features_for(digits, "zzz")
    with pytest.raises(UserError, match="no features"):
        features_for(digits, "gone.py")


def test_without_a_wish_points_are_measured_as_they_are():
    data = adv.load("ring8")
    assert features_for(data).name == "points" and features_for(data).d == 2
