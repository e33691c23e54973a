"""The report as a file: what is in it, what is not, and what it survives."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from report_helpers import EXHIBITS, HOSTILE, Page, a_round, a_score, assert_harmless, charts, draw

from adversaria.errors import UserError
from adversaria.report import write
from adversaria.runs.folder import RunFolder


def test_page_loads_nothing_and_says_so_to_the_browser(run):
    text = run.fill().report()
    page = Page(text)
    assert_harmless(page)
    outside = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"data:[^\"]*", "", text))
    assert set(outside) == {"https://arxiv.org"}
    assert "@import" not in text and "url(" not in text and "<script" not in text
    policy = page.all("meta", "content")[0]
    assert page.all("meta", "http-equiv") == ["Content-Security-Policy"] and "default-src 'none'" in policy


def test_full_run_has_every_part_in_order(run):
    page = Page(run.fill(events=[(0, "started", ""), (9, "rolled-back", "to round 4"), (40, "finished", "")]).report())
    assert page.headings == ["Samples", "Measured", "Samples over time", "A closer look", "Curves", "What happened",
                             "The system", "Configuration"]  # fmt: skip
    for said in (
        "my-toy on faces", "finished", "40 of 40", "1,280", "0.5 ± 0.02", "n = 30", "faces valid; 256 directions",
        "look for copies", "round 20", "judge", "forger", "rolled-back", "to round 4", "max_J", "arXiv:1406.2661",
        "There is no paper.", "adversaria train ./my_toy.py --data /data/faces --rounds 40", "split at random",
        "3.11.7", "cd" * 32,
    ):  # fmt: skip
        assert said in page.text, said


def test_run_that_has_only_begun_has_system_and_configuration_alone(run):
    page = Page(run.begin().report())
    assert page.headings == ["The system", "Configuration"]
    assert "not started" in page.text and "0 of 40" in page.text and "No score" in page.text
    assert not page.all("img", "src")


@pytest.mark.parametrize(
    ("missing", "heading"),
    [("exhibits", "A closer look"), ("samples", "Samples over time"), ("recipe.py", "The system")],
)
def test_part_is_absent_without_its_input(run, missing, heading):
    assert heading in Page(run.fill(rounds=[]).report()).headings
    path = run.path / missing
    for file in [path] if path.is_file() else list(path.iterdir()):
        file.unlink()
    if missing == "recipe.py":
        assert "recipe.py can't be read" in Page(run.report()).text
    assert heading not in Page(run.report()).headings


def test_library_recipe_speaks_where_the_run_kept_no_copy(run):
    run.fill(config={"recipe": "gan"})
    (run.path / "recipe.py").unlink()
    page = Page(run.report())
    assert "gan on faces" in page.text and "1406.2661" in page.text


@pytest.mark.parametrize(
    ("events", "status"),
    [(["started"], "still going"), (["started", "stopped"], "stopped"),
     (["started", "stopped", "resumed"], "still going"), (["started", "rolled-back", "broke-down"], "broke down"),
     (["started", "resumed", "finished"], "finished")],
)  # fmt: skip
def test_status_follows_the_events(run, events, status):
    page = Page(run.fill(rounds=[], scores=[], events=[(i, event, "") for i, event in enumerate(events)]).report())
    assert f"Report on a run of adversaria{status}" in page.text
    assert ("What happened" in page.headings) == (set(events) > {"started"} and events != ["started", "finished"])


def test_hostile_names_stay_text(run):
    exhibits = {**EXHIBITS, "pictures": {"samples": HOSTILE, "../../secret": "x", "bad name": "y"}}
    draw(run.path / "secret.png", np.zeros((9, 9, 3), np.uint8))
    run.fill(
        rounds=[a_round(r, terms={HOSTILE: {"$\\frac{": 1.0, "_x": r, HOSTILE: 2.0}}, skipped={HOSTILE: 1})
                for r in range(1, 4)],
        scores=[a_score(3, 1.0, name=HOSTILE, unit=HOSTILE, protocol=HOSTILE)],
        events=[(0, HOSTILE, HOSTILE)],
        config={"command": HOSTILE, "fields": {HOSTILE: HOSTILE}, "recipe": f"/{HOSTILE}.py",
                "stages": [[HOSTILE, 2], ["$\\frac{", 38]], "data": {"source": HOSTILE, HOSTILE: [HOSTILE]}},
        data={"name": HOSTILE, "kind": HOSTILE, "notes": [HOSTILE], "skipped": [[HOSTILE, HOSTILE]],
              "sizes": {HOSTILE: 1}},
        exhibits=exhibits,
    )  # fmt: skip
    (run.path / "recipe.py").write_text(
        '"""</pre><script>alert(3)</script>"""\n'
        'REFERENCE = R(title="t", authors="<b>", year=1, arxiv="x\\" onclick=\\"y")\n'
        "class X(Recipe):\n    pass\n"
    )
    page = Page(run.report())
    assert_harmless(page)
    assert page.text.count("<img src=x onerror=alert(1)>") > 10 and "</pre><script>" in page.text
    assert len([u for u in page.all("img", "src") if "webp" in u]) == 1 + 3  # samples, and the sheets over time
    assert not page.all("a", "href")


def test_report_stays_small_with_many_large_sheets(run):
    run.fill(rounds=[a_round(r) for r in range(1, 3000)], sheets=tuple(range(10, 40)))
    draw(run.path / "noise.png", np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8))
    for path in [*run.path.glob("samples/*.png"), *run.path.glob("exhibits/*.png")]:
        path.write_bytes((run.path / "noise.png").read_bytes())
    text = run.report()
    assert len(text) < 5_000_000
    assert text.count("data:image/webp") == 12 + 4


def test_values_that_are_not_finite_are_gaps_and_are_counted(run):
    nan, inf = float("nan"), float("inf")
    rounds = [a_round(r, terms={"judge": {"real": nan if r % 2 else 10**400}}, gradient_norms={"judge": inf},
                      seconds=nan, images_per_second=-inf, images=nan, time=nan) for r in range(1, 9)]  # fmt: skip
    rounds.append(a_round(9))
    run.fill(rounds=rounds, scores=[a_score(4, nan, error=nan, n=nan), a_score(8, 0.5, error=None)])
    page = Page(run.report())
    assert "8 values aren't finite" in page.text
    assert "0.5 (no error known)" in page.text
    assert len(charts(page)) == 5  # judge, forger, gradients, score, speed


def test_player_without_a_finite_value_has_no_chart(run):
    page = Page(
        run.fill(rounds=[a_round(1, terms={"judge": {"real": float("nan")}}, gradient_norms={})], scores=[]).report()
    )
    assert len(charts(page)) == 1  # speed


def test_rounds_played_twice_count_once(run):
    rounds = [a_round(r) for r in range(1, 31)] + [a_round(r, time=1.9e9 + r) for r in range(21, 41)]
    page = Page(run.fill(rounds=rounds, events=[(0, "started", ""), (20, "resumed", "")]).report())
    assert "40 of 40" in page.text and "1,280" in page.text
    assert "0.4 s in rounds" in page.text and "by the clock" not in page.text


def test_images_are_told_with_the_round_they_were_logged_at(run):
    page = Page(run.fill(events=[(0, "started", ""), (52, "stopped", "")], config={"stages": [["main", 90]]}).report())
    assert "52 of 90" in page.text and "1,280 by round 40" in page.text


def test_images_are_summed_over_stages_and_stages_are_marked(run):
    rounds = [a_round(r, "codes") for r in range(1, 21)] + [
        a_round(r, "prior", images=8 * (r - 20)) for r in range(21, 41)
    ]
    page = Page(run.fill(rounds=rounds, config={"stages": [["codes", 20], ["prior", 20]]}).report())
    assert f"{20 * 32 + 20 * 8}" in page.text
    assert "round 20, codes" in page.text and "round 40, prior" in page.text
    assert sum(">codes<" in svg and ">prior<" in svg for svg in charts(page)) == 4  # the score begins with round 20


def test_skipped_moves_have_a_chart_and_it_counts_them_all(run):
    rounds = [a_round(r, skipped={"forger": 2} if r in (3, 9) else {}) for r in range(1, 41)]
    page = Page(run.fill(rounds=rounds).report())
    assert "Skipped moves" in page.text and "forger4" in page.text
    assert "Skipped moves" not in Page(run.fill().report()).text


def test_torn_lines_and_damaged_files_are_survived_and_named(run):
    run.fill()
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('[1]\n{"kind": "round", "rou')
    (run.path / "environment.json").unlink()
    (run.path / "data.json").write_text("{")
    (run.path / "exhibits/exhibits.json").write_text("[]")
    (run.path / "samples/round-00000020.png").write_bytes(b"no picture")
    (run.path / "recipe.py").write_text("def (")
    page = Page(run.report())
    assert "data.json can't be read" in page.text and "recipe.py can't be read" in page.text
    assert "round-00000020.png can't be shown" in page.text
    assert "my-toy on /data/faces" in page.text and "not recorded" in page.text and "40 of 40" in page.text


def test_picture_too_large_to_decode_is_named_not_opened(run, monkeypatch):
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 300)
    assert "samples.png can't be shown: DecompressionBomb" in Page(run.fill(rounds=[]).report()).text


def test_translations_stand_beside_their_sources(run):
    text = run.fill(rounds=[], exhibits={"pictures": {"samples": "a", "data": "b", "sources": "c"}}).report()
    assert text.index("<h3>sources") < text.index("<h3>samples") < text.index("<h3>held-out data")


def test_skipped_files_are_counted_and_the_first_named(run):
    page = Page(run.fill(rounds=[], data={"skipped": [[f"file{i}.png", "not an image"] for i in range(1234)]}).report())
    assert "skipped files: 1,234" in page.text and "and 1,214 more" in page.text
    assert "file19.png" in page.text and "file20.png" not in page.text


def test_changed_hyperparameters_stand_beside_their_defaults(run):
    text = run.fill(config={"fields": {"width": 32, "adam": {"lr": 0.001, "clip": 0.0, "betas": [0.0, 0.9]}}}).report()
    assert "<b>32</b></td><td>16</td><td>Units (Section 2).</td>" in text
    assert "<span>0.001</span></td><td></td>" in text  # as the recipe has it
    assert "<b>(0.0, 0.9)</b></td><td>(0.5, 0.9)</td>" in text
    assert "<span>0.0</span></td><td>—</td>" in text  # the recipe doesn't name it
    assert "2 of 4 differ" in text


def test_best_score_is_told_as_a_pick(run):
    page = Page(run.fill(scores=[a_score(r, v) for r, v in ((10, 0.9), (20, 0.3), (40, 0.5))]).report())
    assert "0.5 ± 0.02" in page.text and "The best of 3 was 0.3 ± 0.02 at round 20; as a pick it flatters." in page.text


def test_same_folder_gives_the_same_page(run):
    first, second = run.fill().report(), run.report()
    assert re.sub(r"<footer>.*</footer>", "", first) == re.sub(r"<footer>.*</footer>", "", second)


def test_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="no run at"):
        write(RunFolder(tmp_path))


def test_report_needs_no_torch(run):
    run.fill()
    code = (
        "import sys; from adversaria.report import write; from adversaria.runs.folder import RunFolder; "
        f"write(RunFolder({json.dumps(str(run.path))})); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
