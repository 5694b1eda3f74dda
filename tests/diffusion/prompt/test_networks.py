"""Networks named in a prompt, and AND."""

from __future__ import annotations

from sdkeep.diffusion.prompt.networks import split_and, take_networks


def test_networks_are_taken_out_and_read():
    text, networks = take_networks("a cat <lora:Style-v1:0.8> on <hypernet:old> a <lyco:x:0.5:0.25:lbw=MIDD> mat")
    assert text == "a cat  on  a  mat"
    assert [(one.kind, one.name, one.text_weight, one.unet_weight) for one in networks] == [
        ("lora", "Style-v1", 0.8, 0.8),
        ("hypernet", "old", 1.0, 1.0),
        ("lyco", "x", 0.5, 0.25),
    ]
    assert networks[2].blocks == "MIDD"


def test_named_weights_win():
    _, (network,) = take_networks("<lora:a:1:te=0.2:unet=0.4>")
    assert (network.text_weight, network.unet_weight) == (0.2, 0.4)


def test_nonsense_weights_mean_one():
    _, (network,) = take_networks("<lora:a:heavy>")
    assert network.unet_weight == 1.0
    _, (network,) = take_networks("<lora:a:inf>")
    assert network.unet_weight == 1.0


def test_what_only_looks_like_a_network_stays():
    text, networks = take_networks("1 < 2 > 1 <not a network>")
    assert text == "1 < 2 > 1 <not a network>"
    assert networks == ()


def test_and_joins_prompts_with_weights():
    parts = split_and("a cat :1.2 AND a dog AND a penguin : 2.2\nBRAND ANDROID")
    assert [(part.text.strip(), part.weight) for part in parts] == [
        ("a cat", 1.2),
        ("a dog", 1.0),
        ("a penguin : 2.2\nBRAND ANDROID", 1.0),
    ]
    assert [part.weight for part in split_and("x:-1 AND y:.5")] == [-1.0, 0.5]
