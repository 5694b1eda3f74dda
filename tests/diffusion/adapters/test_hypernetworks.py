"""Hypernetworks against AUTOMATIC1111's own architecture, stated anew with torch's modules."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from sdkeep.diffusion.adapters.hypernetworks import (
    Hypernetwork,
    activations,
    check_hypernetwork,
    context_transform,
    load_hypernetwork,
)
from sdkeep.diffusion.checkpoint import Model
from sdkeep.formats.cleanpt import write_clean_pt
from sdkeep.formats.convert import plan, write_safetensors
from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import FormatError, PartialMatch, WrongFamily

FUNCTIONS = {
    "linear": None, "relu": nn.ReLU, "leakyrelu": nn.LeakyReLU, "elu": nn.ELU, "swish": nn.Hardswish,
    "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "mish": nn.Mish, "softplus": nn.Softplus, "gelu": nn.GELU,
    "silu": nn.SiLU, "softsign": nn.Softsign, "celu": nn.CELU, "selu": nn.SELU, "tanhshrink": nn.Tanhshrink,
}  # fmt: skip


class Reference(nn.Module):
    """The module as it is trained: `linear` is a sequence of layers, functions, norms and dropouts."""

    def __init__(self, width: int, options: dict[str, object]) -> None:
        super().__init__()
        structure = options.get("layer_structure", [1, 2, 1])
        function, dropout = FUNCTIONS[options.get("activation_func", "linear")], options.get("dropout_structure")
        layers: list[nn.Module] = []
        for place in range(len(structure) - 1):
            layers.append(nn.Linear(int(width * structure[place]), int(width * structure[place + 1])))
            is_last = place >= len(structure) - 2
            if function and (not is_last or options.get("activate_output", True)):
                layers.append(function())
            if options.get("is_layer_norm", False):
                layers.append(nn.LayerNorm(int(width * structure[place + 1])))
            if dropout and dropout[place + 1] > 0:
                layers.append(nn.Dropout(dropout[place + 1]))
        self.linear = nn.Sequential(*layers)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3)

    def forward(self, x: Tensor, multiplier: float) -> Tensor:
        return x + self.linear(x) * multiplier


def reference(widths: tuple[int, ...], **options: object) -> dict[int, tuple[Reference, Reference]]:
    torch.manual_seed(3)
    return {width: (Reference(width, options).eval(), Reference(width, options).eval()) for width in widths}


def written(path: Path, made: dict[int, tuple[Reference, Reference]], **options: object) -> Path:
    whole = {width: (keys.state_dict(), values.state_dict()) for width, (keys, values) in made.items()}
    torch.save({**whole, "step": 100, "name": "style", "sd_checkpoint_name": "base", **options}, path)
    return path


def same(found: Hypernetwork, made: dict[int, tuple[Reference, Reference]], multiplier: float) -> bool:
    checks = []
    for width, halves in made.items():
        x = torch.randn(2, 5, width, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            expected = [half(x, multiplier) for half in halves]
        transform = context_transform([(found, multiplier)])
        assert transform is not None
        checks += [torch.allclose(a, b, atol=1e-6) for a, b in zip(transform(x), expected, strict=True)]
    return all(checks)


OPTIONS = st.fixed_dictionaries(
    {
        "layer_structure": st.lists(st.sampled_from([0.5, 1, 1.5, 2, 3]), max_size=3).map(lambda mid: [1, *mid, 1]),
        "activation_func": st.sampled_from(list(FUNCTIONS)),
        "is_layer_norm": st.booleans(),
        "activate_output": st.booleans(),
        "use_dropout": st.booleans(),
        "last_layer_dropout": st.booleans(),
    }
)


@given(options=OPTIONS, multiplier=st.sampled_from([1.0, 0.5, -1.0, 1.7]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_structure_function_and_option_is_as_trained(
    tmp_path: Path, options: dict[str, object], multiplier: float
) -> None:
    if options["use_dropout"]:
        structure = options["layer_structure"]
        options["dropout_structure"] = [0, *[0.3] * (len(structure) - 2), 0]
    made = reference((8, 12), **options)
    assert same(load_hypernetwork(written(tmp_path / "h.pt", made, **options)), made, multiplier)


def test_what_an_old_file_does_not_say_is_as_it_was_then(tmp_path: Path) -> None:
    made = reference((8,))
    old = {}
    for width, halves in made.items():
        renamed = []
        for half in halves:
            state = half.state_dict()
            names = {"linear.0": "linear1", "linear.1": "linear2"}
            renamed.append({names[key.rpartition(".")[0]] + "." + key.rpartition(".")[2]: state[key] for key in state})
        old[width] = tuple(renamed)
    torch.save(old, tmp_path / "old.pt")
    assert same(load_hypernetwork(tmp_path / "old.pt"), made, 1.0)


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_what_our_converters_write_is_the_same_hypernetwork(tmp_path: Path, ending: str) -> None:
    options = {"layer_structure": [1, 2, 2, 1], "activation_func": "swish", "is_layer_norm": True}
    options |= {"activate_output": False, "use_dropout": True, "dropout_structure": [0, 0.1, 0.2, 0]}
    made = reference((100, 160), **options)
    path, out = written(tmp_path / "h.pt", made, **options), tmp_path / f"converted.{ending}"
    with FileSource(path) as source:
        (write_safetensors if ending == "safetensors" else write_clean_pt)(source, plan(look(source)), out)
    assert same(load_hypernetwork(out), made, 0.8)


def test_all_of_automatic1111s_words_for_functions_are_known() -> None:
    assert set(FUNCTIONS) <= activations().keys()
    assert "multiheadattention" not in activations()


# In the UNet


def test_they_bend_every_attention_of_their_widths_and_leave_again(model: Model, tmp_path: Path) -> None:
    made = reference((32, 64))
    one = load_hypernetwork(written(tmp_path / "h.pt", made))
    draw = torch.Generator().manual_seed(2)
    x, context = torch.randn(1, 4, 8, 8, generator=draw), torch.randn(1, 77, 64, generator=draw)
    plain = model.predict(x, torch.tensor([10.0]), context)
    model.unet.set_context_transform(context_transform([(one, 1.0)]))
    bent = model.predict(x, torch.tensor([10.0]), context)
    model.unet.set_context_transform(context_transform([(one, 0.0)]))
    assert torch.equal(model.predict(x, torch.tensor([10.0]), context), plain)
    assert not torch.allclose(bent, plain, atol=1e-3)


def test_several_work_one_after_another(tmp_path: Path) -> None:
    first, second = reference((8,)), reference((8,), activation_func="tanh")
    loaded = [load_hypernetwork(written(tmp_path / f"{place}.pt", made, **options)) for place, made, options in
              ((1, first, {}), (2, second, {"activation_func": "tanh"}))]  # fmt: skip
    x = torch.randn(1, 3, 8)
    transform = context_transform([(loaded[0], 0.5), (loaded[1], 2.0)])
    assert transform is not None
    with torch.no_grad():
        torch.testing.assert_close(transform(x)[0], second[8][0](first[8][0](x, 0.5), 2.0))
        torch.testing.assert_close(transform(x)[1], second[8][1](first[8][1](x, 0.5), 2.0))


def test_half_precision_goes_in_and_comes_out(tmp_path: Path) -> None:
    one = load_hypernetwork(written(tmp_path / "h.pt", reference((8,))))
    assert one.to(torch.device("cpu")).bent(torch.ones(1, 2, 8).half(), 0, 1.0).dtype is torch.float16


# What is refused


def test_one_for_another_family_is_refused_by_name(model: Model, tmp_path: Path) -> None:
    one = load_hypernetwork(written(tmp_path / "wide.pt", reference((768, 32))))
    with pytest.raises(WrongFamily) as caught:
        check_hypernetwork(one, model.config)
    assert "`wide`" in caught.value.what
    assert "768" in caught.value.why


def test_widths_that_the_unet_has_not_are_a_warning(model: Model, tmp_path: Path) -> None:
    one = load_hypernetwork(written(tmp_path / "part.pt", reference((64, 100))))
    (warning,) = check_hypernetwork(one, model.config)
    assert "100" in warning
    with pytest.raises(PartialMatch):
        check_hypernetwork(one, model.config, strict=True)
    assert check_hypernetwork(load_hypernetwork(written(tmp_path / "fit.pt", reference((64,)))), model.config) == ()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"linear.0.weight": torch.ones(8, 9), "linear.0.bias": torch.ones(8)}, "takes 9 numbers where 8"),
        ({"linear.0.weight": torch.ones(9, 8), "linear.0.bias": torch.ones(9)}, "9 numbers come out"),
        ({"linear.0.weight": torch.ones(8, 8)}, "lacks its weight or its bias"),
        ({"linearity.weight": torch.ones(8, 8)}, "belongs to no layer"),
    ],
)
def test_broken_layers_are_named(tmp_path: Path, broken: dict[str, Tensor], why: str) -> None:
    torch.save({8: (broken, broken)}, tmp_path / "b.pt")
    with pytest.raises(FormatError) as caught:
        load_hypernetwork(tmp_path / "b.pt")
    assert why in caught.value.why


def test_an_unknown_function_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        load_hypernetwork(written(tmp_path / "x.pt", reference((8,)), activation_func="os.system"))
    assert "os.system" in caught.value.why


def test_an_embedding_is_no_hypernetwork(tmp_path: Path) -> None:
    save_file({"emb_params": torch.ones(2, 768)}, tmp_path / "e.safetensors")
    with pytest.raises(FormatError, match="is no hypernetwork"):
        load_hypernetwork(tmp_path / "e.safetensors")
