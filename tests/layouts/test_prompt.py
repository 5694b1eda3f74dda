from __future__ import annotations

import pytest

from sdkeep.ground.kinds import Kind
from sdkeep.layouts.layout import find
from sdkeep.layouts.prompt import paste_line, trigger_words


@pytest.mark.parametrize(
    "id, kind, weight, line",
    [
        ("a1111", Kind.LORA, 0.8, "<lora:name:0.8>"),
        ("a1111", Kind.LYCORIS, 1.0, "<lora:name:1>"),
        ("forge", Kind.HYPERNETWORK, 0.333333, "<hypernet:name:0.33>"),
        ("a1111", Kind.EMBEDDING, 1.0, "name"),
        ("comfyui", Kind.EMBEDDING, 1.0, "embedding:Pony/name"),
        ("comfyui", Kind.LORA, 1.0, "Pony/name.safetensors"),
        ("a1111", Kind.VAE, 1.0, ""),
        ("a1111", Kind.TEXT_ENCODER, 1.0, ""),
    ],
)
def test_the_line_to_paste_is_in_the_words_of_the_webui(id: str, kind: Kind, weight: float, line: str) -> None:
    assert paste_line(find(id), kind, "name", weight, below="Pony", extension=".safetensors") == line


@pytest.mark.parametrize(
    "given, clean",
    [
        (["ohwx woman, blue dress", "ohwx woman"], ("ohwx woman", "blue dress")),
        (["a, , b,", ""], ("a", "b")),
        (["(red, blue:1.2), x"], ("(red, blue:1.2)", "x")),
        (["<lora:foo:1>, foo style"], ("foo style",)),
        (["Foo", "foo"], ("Foo",)),
        (["a\x1b[31m b\n c"], ("a b c",)),
        (["unclosed (a, b"], ("unclosed (a, b",)),
        ([], ()),
    ],
)
def test_trigger_words_come_one_by_one(given: list[str], clean: tuple[str, ...]) -> None:
    assert trigger_words(given) == clean
