"""What a result rests on: the imports' closure, no more and no less, and a hash that sees code alone."""

import subprocess
import sys

import pytest

from adversaria import catalogue
from adversaria.zoo import code


@pytest.fixture
def package(tmp_path):
    """toy/: claims.py takes f by way of lib/__init__, which takes it from lib/inner; lib/other is nobody's."""
    place = tmp_path / "toy"
    files = {
        "__init__.py": "",
        "lib/__init__.py": "from toy.lib.inner import f\nfrom toy.lib.other import g\n",
        "lib/inner.py": (
            '"""Doc."""\nfrom toy import deep\n\n\ndef f():\n    """Says."""\n    # why\n    return deep.one\n'
        ),
        "lib/other.py": "g = 1\n",
        "lib/typed.py": "T = 1\n",
        "deep.py": "one = 1\n",
        "api.py": "secret = 1\n",
        "claims.py": (
            "from typing import TYPE_CHECKING\nimport toy.api\nfrom toy.lib import f\n"
            "if TYPE_CHECKING:\n    from toy.lib.typed import T\n"
        ),
    }
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def names(package):
    return [path.relative_to(package).as_posix() for path in code.rests_on([package / "claims.py"], package)]


def test_a_name_leads_to_the_module_that_defines_it(package):
    assert names(package) == ["claims.py", "deep.py", "lib/inner.py"]


def test_relative_imports_and_imports_inside_functions_count(package):
    (package / "lib/inner.py").write_text("from .other import g\ndef f():\n    import toy.lib.typed\n")
    assert names(package) == ["claims.py", "lib/inner.py", "lib/other.py", "lib/typed.py"]


@pytest.mark.parametrize(
    "file, before, after, stale",
    [
        ("deep.py", "one = 1", "one = 2", True),
        ("lib/inner.py", "deep.one", "deep.two", True),
        ("claims.py", "import toy.api", "import toy.deep", True),
        ("lib/inner.py", "# why", "# wherefore", False),
        ("lib/inner.py", "Says.", "Tells.\n\n    More.", False),
        ("lib/inner.py", "\n\n\n", "\n", False),
        ("lib/other.py", "g = 1", "g = 2", False),
        ("lib/typed.py", "T = 1", "T = 2", False),
        ("api.py", "secret = 1", "secret = 2", False),
    ],
)
def test_the_hash_changes_with_code_it_rests_on_and_with_nothing_else(package, file, before, after, stale):
    was = code.fingerprint([package / "claims.py"], package)
    text = (package / file).read_text()
    assert before in text
    (package / file).write_text(text.replace(before, after))
    assert (code.fingerprint([package / "claims.py"], package) != was) == stale
    (package / file).write_text(text)
    assert code.fingerprint([package / "claims.py"], package) == was


def test_text_that_is_a_value_counts_line_by_line(package):
    (package / "deep.py").write_text('one = """\n# a\n\nb"""\n')
    was = code.fingerprint([package / "claims.py"], package)
    (package / "deep.py").write_text('one = """\n# c\n\nb"""\n')
    changed = code.fingerprint([package / "claims.py"], package)
    (package / "deep.py").write_text('one = """\n# a\nb"""\n')
    assert len({was, changed, code.fingerprint([package / "claims.py"], package)}) == 3


def test_a_recipe_rests_on_its_game_and_mathematics_and_on_no_other_recipe():
    found = {code._named(path, code.PACKAGE) for path in code.rests_on([catalogue.find("wgan-gp").path])}
    assert {"game.player", "ops.penalties", "nn.dcgan", "recipes.adversarial.wgan_gp"} <= found
    assert not {name for name in found if name.split(".")[0] in ("cli", "report", "api", "runs")}
    assert {name for name in found if name.startswith("recipes.")} == {"recipes.adversarial.wgan_gp"}


def test_a_claim_rests_on_the_recipes_it_makes_by_name(tmp_path):
    claims = tmp_path / "claims.py"
    claims.write_text('trial.play(recipe("vae", latent=2))\nmake("gan")\nrecipe(name)\nother("ali")\n')
    found = {code._named(path, code.PACKAGE) for path in code.rests_on([claims])}
    assert {name for name in found if name.startswith("recipes.")} == {
        "recipes.variational.vae",
        "recipes.adversarial.gan",
    }


def test_it_is_the_same_in_another_process_and_needs_no_torch():
    say = (
        "import sys; from adversaria import catalogue; from adversaria.zoo import code;"
        "print(code.fingerprint([catalogue.find('gan').path])); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == code.fingerprint([catalogue.find("gan").path])
