"""The verdict panel: what stands on top of the report, in which order, from where, and what it survives."""

import pytest
from report_helpers import DIAGNOSIS, HOSTILE, Page, a_check, a_verdict, assert_harmless

from adversaria.report.verdicts import CELLS


def test_panel_stands_between_the_title_and_the_numbers(run):
    text = run.fill().judged().report()
    assert text.index("</h1>") < text.index("Verdicts</h2>") < text.index('class="facts"') < text.index("<section")


def test_failures_come_first_and_the_inapplicable_on_one_line(run):
    text = run.fill().judged().report()
    names = ("collapse", "blur", "memorisation", "vanishing gradient")
    places = [text.index(f'<h3 class="named">{name}') for name in names]
    assert places == sorted(places)
    page = Page(text)
    assert "1 fail · 1 inconclusive · 2 pass" in page.text
    assert (
        "Not applicable: posterior collapse (The recipe has no encoder); unused codes (The recipe has no codebook)."
        in page.text
    )
    assert '<h3 class="named">posterior collapse' not in text


def test_state_is_told_by_word_colour_and_shape(run):
    text = run.fill().judged().report()
    shapes = set()
    for state in ("fail", "inconclusive", "pass"):
        start = text.index(f'<span class="state {state}">')
        badge = text[start : text.index("</span>", start)]
        assert badge.endswith(f"</svg>{state}") and f"card verdict {state}" in text
        shapes.add(badge[badge.index("<path") : badge.index("</path>")])
    assert len(shapes) == 3


def test_card_has_sentence_advice_caveat_and_folded_evidence(run):
    text = run.fill().judged().report()
    card = text[text.index('<h3 class="named">collapse') : text.index('<h3 class="named">blur')]
    for said in ("Samples cover 62%", "What to change: ", "mini-batch statistics", "Known to err: ", "evidence (3)",
                 "0.62 ± 0.02; 0.97 expected", "for the fault", "neither"):  # fmt: skip
        assert said in card, said
    assert card.index("<details>") < card.index("0.62 ± 0.02") < card.index("</details>")
    assert "against it" in Page(text).text


def test_advice_is_not_given_to_what_passes(run):
    told = [a_verdict("blur", "pass", advice="do something")]
    assert "do something" not in run.fill().judged(diagnosis={"verdicts": told}).report()


def test_without_a_diagnosis_the_latest_checks_of_the_log_speak(run):
    run.fill().log(a_check(20, "collapse", "pass"), a_check(40, "collapse", "fail"), a_check(40, "blur", "pass"))
    page = Page(run.report())
    assert "Collapse is fail so far." in page.text and "Collapse is pass so far." not in page.text
    assert "From the checks while training, on a cheap subset, at round 40" in page.text
    assert f"adversaria diagnose {run.path}" in page.text


def test_a_diagnosis_goes_before_the_log(run):
    page = Page(run.fill().judged(checks=[a_check(40, "collapse", "pass")]).report())
    assert "so far." not in page.text and "Diagnosis of round 40" in page.text


def test_without_either_one_line_tells_the_command(run):
    page = Page(run.fill().report())
    assert f"No verdicts yet: adversaria diagnose {run.path}" in page.text and "Verdicts" not in page.headings


@pytest.mark.parametrize("newer", ["log", "checkpoint", "check"])
def test_older_diagnosis_says_so(run, newer):
    run.fill().judged()
    assert "Make it again" not in Page(run.report()).text
    if newer == "log":
        run.log({"kind": "event", "round": 70, "event": "stopped", "text": ""})
    elif newer == "check":
        run.log(a_check(70, "collapse", "fail"))
    else:
        (run.path / "checkpoints/00000070").mkdir(parents=True)
    page = Page(run.report())
    said = "This diagnosis is of round 40; the run has reached round 70. Make it again: "
    assert f"{said}adversaria diagnose {run.path}" in page.text
    assert "This evaluation is of round 40" in page.text


def test_timeline_has_a_cell_for_every_check(run):
    checks = [a_check(r, "collapse", "fail" if r == 8 else "pass") for r in (4, 8, 12)] + [a_check(8, "blur", "pass")]
    page = Page(run.fill().judged(checks=checks).report())
    cells = [t for t in page.all("td", "title") if "round" in t or "not checked" in t]
    assert cells == ["collapse, round 4: pass", "collapse, round 8: fail", "collapse, round 12: pass",
                     "blur: not checked", "blur, round 8: pass", "blur: not checked"]  # fmt: skip


def test_timeline_of_many_checks_shows_the_worst_of_each_cell(run):
    checks = [a_check(r, "collapse", "fail" if r == 41 else "pass") for r in range(1, 91)]
    page = Page(run.fill().judged(checks=checks).report())
    cells = [t for t in page.all("td", "title") if t.startswith("collapse, round")]
    assert len(cells) == CELLS
    assert [c for c in cells if "fail" in c] == ["collapse, round 40 to 42: fail, 1 of 3"]


def test_one_check_makes_no_timeline(run):
    run.fill(scores=[]).judged(checks=[a_check(4, "collapse", "pass")])
    assert "over training" not in Page(run.report()).text


@pytest.mark.parametrize(
    "verdicts",
    [None, "none", [], [3, None, "x"], [{}], [{"name": None, "state": None, "evidence": {"a": 1}}],
     [{"name": "x", "state": "doubtful", "evidence": [3, {}, {"speaks": "loudly"}]}]],
)  # fmt: skip
def test_odd_verdicts_are_survived(run, verdicts):
    assert_harmless(Page(run.fill().judged(diagnosis={"verdicts": verdicts, "round": "x", "time": []}).report()))


def test_unknown_state_keeps_its_word_and_stands_after_the_failures(run):
    told = [a_verdict("a", "pass"), a_verdict("b", "doubtful"), a_verdict("c", "fail")]
    text = run.fill().judged(diagnosis={"verdicts": told}).report()
    assert text.index(">c<") < text.index(">b<") < text.index(">a<") and "</svg>doubtful" in text


def test_damaged_and_newer_files_are_named(run):
    run.fill().judged()
    (run.path / "diagnosis.json").write_text('{"format": 1, "verd')
    run.json("evaluation.json", {"format": 99, "estimates": []})
    page = Page(run.report())
    assert "diagnosis.json can't be read" in page.text and "No verdicts yet" in page.text
    assert "evaluation.json can't be read: its format is 99" in page.text and "Not evaluated yet" in page.text
    run.json("diagnosis.json", [1])
    assert "diagnosis.json can't be read: a JSON object was expected" in Page(run.report()).text


def test_hostile_verdicts_stay_text(run):
    evil = {"name": HOSTILE, "state": HOSTILE, "sentence": HOSTILE, "advice": HOSTILE, "caveat": HOSTILE,
            "evidence": [{"name": HOSTILE, "said": HOSTILE, "speaks": HOSTILE}]}  # fmt: skip
    told = [evil, evil | {"state": "not applicable"}]
    checks = [a_check(r, HOSTILE, HOSTILE, sentence=HOSTILE) for r in (4, 8)]
    run.fill().judged(diagnosis={"verdicts": told, "round": HOSTILE, "time": HOSTILE}, checks=checks)
    page = Page(run.report())
    assert_harmless(page)
    assert page.text.count("<img src=x onerror=alert(1)>") >= 10
    run.json("diagnosis.json", {})
    page = Page(run.report())
    assert_harmless(page)
    assert "From the checks while training" in page.text


def test_same_diagnosis_gives_the_same_panel(run):
    backwards = run.fill().judged(diagnosis={"verdicts": DIAGNOSIS["verdicts"][::-1]}).report()
    assert backwards.index(">collapse<") < backwards.index(">blur<")
