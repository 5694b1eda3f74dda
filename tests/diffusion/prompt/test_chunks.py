"""Chunks of 75 tokens."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.diffusion.prompt.chunks import COMMA, EMPTY, LENGTH, chunk, known_embeddings
from sdkeep.diffusion.prompt.tokenizer import END, START, encode


def words(one):
    return [token for token in one.tokens[1:-1] if token != END]


def test_an_empty_prompt_is_one_empty_chunk():
    assert chunk("") == (EMPTY,)


def test_a_chunk_is_the_words_between_marks():
    (one,) = chunk("a (red:1.5) cat")
    assert one.tokens[0] == START
    assert words(one) == encode("a red cat")
    assert one.weights[:5] == (1.0, 1.0, 1.5, 1.0, 1.0)
    assert (len(one.tokens), len(one.weights)) == (LENGTH + 2, LENGTH + 2)


def test_break_begins_a_new_chunk():
    assert [words(one) for one in chunk("a BREAK b")] == [encode("a"), encode("b")]


def test_the_text_after_a_near_comma_moves_on_together():
    prompt = "cat " * 70 + ", blue sky over green hills and a river"
    first, second = chunk(prompt)
    assert words(first)[-1] == COMMA
    assert words(second) == encode("blue sky over green hills and a river")


def test_a_far_comma_moves_nothing():
    first, second = chunk("cat , " + "dog " * 100)
    assert len(words(first)) == LENGTH
    assert len(words(first)) + len(words(second)) == 102


def test_an_embedding_takes_its_vectors_places():
    (one,) = chunk("by (my-style:1.2) artist", known_embeddings({"my-style": 3, "my": 1}))
    assert [(splice.start, splice.name) for splice in one.splices] == [(2, "my-style")]
    assert one.tokens[2:5] == (0, 0, 0)
    assert one.weights[2:5] == (1.2, 1.2, 1.2)


def test_an_embedding_is_never_cut_in_two():
    first, second = chunk("cat " * 73 + "my-style", known_embeddings({"my-style": 4}))
    assert (first.splices, second.splices[0].start) == ((), 1)


def test_an_embedding_behind_a_comma_moves_with_its_text():
    known = known_embeddings({"zz": 2})
    chunks = chunk("cat " * 60 + ", zz " + "dog " * 20, known)
    assert [len(one.splices) for one in chunks] == [0, 1]
    splice = chunks[1].splices[0]
    assert chunks[1].tokens[splice.start : splice.start + 2] == (0, 0)


def test_brackets_are_text_without_emphasis():
    (one,) = chunk("(a:1.2)", emphasis=False)
    assert words(one) == encode("(a:1.2)")
    assert set(one.weights) == {1.0}


@given(prompt=st.text(max_size=400))
@settings(deadline=None, max_examples=50)
def test_every_chunk_is_of_full_length(prompt):
    for one in chunk(prompt):
        assert len(one.tokens) == len(one.weights) == LENGTH + 2
        assert one.tokens[0] == START
        assert one.tokens[-1] == END
