"""Captioned shapes: what a caption says is what is drawn, and the test split's captions are unseen."""

import numpy as np

from adversaria.data import load, shapes


def test_images_say_their_captions():
    data = load("captioned-shapes")
    assert data.spec.shape == (3, 16, 16) and data.spec.classes == 288 == len(set(data.spec.class_names))
    for split in data.splits:
        batch = data.examples(400, split, seed=0)
        assert (shapes.read(data.spec.to_user(batch.x)) == batch.labels.numpy()).mean() > 0.99


def test_captions_of_the_test_split_are_held_out():
    data = load("captioned-shapes")
    seen, held = (set(data.labels[data.splits[s]].tolist()) for s in ("train", "test"))
    assert not seen & held and len(seen) == 259 and len(held) == 29
    words = {w for k in held for w in shapes.CAPTIONS[k].split()}
    assert words <= {w for k in seen for w in shapes.CAPTIONS[k].split()}, "every word of theirs is known"
    assert set(data.labels[data.splits["valid"]].tolist()) <= seen


def test_what_is_drawn_depends_on_the_seed_alone():
    captions = np.array([0, 5, 100, 287])
    assert np.array_equal(shapes.draw(captions, 3), shapes.draw(captions, 3))
    assert not np.array_equal(shapes.draw(captions, 3), shapes.draw(captions, 4))


def test_what_has_no_two_things_has_no_caption():
    blank = np.zeros((1, 16, 16, 3), np.uint8)
    one = blank.copy()
    one[0, 2:7, 1:6] = (220, 50, 50)
    assert shapes.read(blank).tolist() == [-1] and shapes.read(one).tolist() == [-1]


def test_the_reader_tells_colour_shape_relation_and_order_apart():
    number = {caption: k for k, caption in enumerate(shapes.CAPTIONS)}
    pairs = [
        ("a red square left of a blue circle", "a blue circle left of a red square"),
        ("a red square left of a blue circle", "a red square above a blue circle"),
        ("a red square above a red circle", "a red square above a red triangle"),
        ("a green circle above a green circle", "a yellow circle above a green circle"),
    ]
    for pair in pairs:
        captions = np.repeat([number[caption] for caption in pair], 20)
        assert np.array_equal(shapes.read(shapes.draw(captions, 0)), captions)
