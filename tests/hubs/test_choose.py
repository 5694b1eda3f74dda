"""Which release and which files are taken, and that the reasons are said."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.errors import Ambiguous, DownloadDisabled, EarlyAccess, NotOnHub
from sdkeep.ground.kinds import Access, Extent, Family, Format, Kind, Precision, Role
from sdkeep.ground.model import Model, Release, RemoteFile
from sdkeep.hubs.choose import Choice, Wish, choose_files, choose_release, for_base

FORMATS = {"safetensors": Format.SAFETENSORS, "ckpt": Format.PICKLE, "gguf": Format.GGUF, "zip": Format.ZIP}


def file(name: str, role: Role = Role.MODEL, **traits: object) -> RemoteFile:
    made = RemoteFile(
        id=str(traits.pop("id", zlib.crc32(name.encode()) % 10_000)),
        name=name,
        url=f"https://hub.example/{name}",
        role=role,
        format=FORMATS.get(name.rpartition(".")[2], Format.OTHER),
    )
    return replace(made, **traits)  # type: ignore[arg-type]


def release(*files: RemoteFile, id: str = "1", base: str = "SD 1.5", **traits: object) -> Release:
    family = {"SD": Family.SD1, "SDXL": Family.SDXL, "Pony": Family.SDXL, "Pony V7": Family.AURAFLOW}
    made = Release(
        hub="civitai",
        model_id="9",
        id=id,
        model_name="Model",
        name=f"v{id}",
        kind=Kind.CHECKPOINT,
        base=base,
        family=family.get(base) or family.get(base.split()[0], Family.UNKNOWN),
        files=files,
    )
    return replace(made, **traits)  # type: ignore[arg-type]


def page(*releases: Release) -> Model:
    return Model("civitai", "9", "Model", Kind.CHECKPOINT, releases, "https://hub.example/9")


def names(choice: Choice) -> list[str]:
    return [file.name for file in choice.files]


ONE = file("a.safetensors", id="11")
MIXED = page(
    release(ONE, id="4", base="Pony"),
    release(ONE, id="3", base="SDXL 1.0"),
    release(ONE, id="2", base="SDXL Lightning"),
    release(ONE, id="1", base="SD 1.5"),
)


# releases


def test_the_first_release_is_taken_and_the_other_bases_are_told() -> None:
    picked = choose_release(MIXED)
    assert picked.release.id == "4"
    assert [(other.base, other.ref) for other in picked.others] == [
        ("SDXL 1.0", "civitai:9@3"),
        ("SDXL Lightning", "civitai:9@2"),
        ("SD 1.5", "civitai:9@1"),
    ]
    assert picked.why == ("`v4` is the first release of the page for Pony",)


@pytest.mark.parametrize(
    ("base", "id_"),
    [
        ("Pony", "4"),
        ("pony", "4"),
        ("sdxl", "3"),
        ("SDXL 1.0", "3"),
        ("sdxl-lightning", "2"),
        ("sd1", "1"),
        ("SD 1.5", "1"),
        ("sd15", "1"),
    ],
)
def test_a_base_is_wished_for_by_any_spelling_of_its_name_or_its_family(base: str, id_: str) -> None:
    assert choose_release(MIXED, Wish(base=base)).release.id == id_


def test_a_family_finds_what_only_its_structure_has_in_common_with_it() -> None:
    assert [r.id for r in for_base([release(ONE, base="Pony"), release(ONE, base="Pony V7")], "sdxl")] == ["1"]


def test_a_name_is_not_mistaken_for_a_longer_one() -> None:
    pony = page(release(ONE, id="2", base="Pony V7"), release(ONE, id="1", base="Pony"))
    assert choose_release(pony, Wish(base="Pony")).release.id == "1"


def test_a_base_that_the_page_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(NotOnHub) as caught:
        choose_release(MIXED, Wish(base="flux1"))
    assert "Pony, SDXL 1.0, SDXL Lightning, SD 1.5" in caught.value.why


def test_releases_that_cannot_be_had_are_passed_over_with_a_reason() -> None:
    picked = choose_release(
        page(
            release(ONE, id="5", access=Access.EARLY, access_until="2026-09-01T00:00:00Z"),
            release(ONE, id="4", access=Access.PAID),
            release(ONE, id="3", access=Access.DISABLED),
            release(id="2"),
            release(file("t.zip", Role.TRAINING_DATA), id="1"),
            release(ONE, id="0", access=Access.LOGIN),
        )
    )
    assert picked.release.id == "0"
    assert picked.why[1:] == (
        "`v5` was passed over: it is in early access until 2026-09-01T00:00:00Z",
        "`v4` was passed over: it is for sale",
        "`v3` was passed over: it is not for download",
        "`v2` was passed over: it has no files",
        "`v1` was passed over: it holds training data alone",
    )


@pytest.mark.parametrize(
    ("closed", "error"),
    [
        (release(ONE, access=Access.EARLY, access_until="2026-09-01T00:00:00Z"), EarlyAccess),
        (release(ONE, access=Access.PAID), EarlyAccess),
        (release(ONE, access=Access.DISABLED), DownloadDisabled),
        (release(access=Access.ARCHIVED), DownloadDisabled),
        (release(), NotOnHub),
    ],
)
def test_a_page_where_everything_is_closed_says_why(closed: Release, error: type[Exception]) -> None:
    with pytest.raises(error):
        choose_release(page(closed))


def test_early_access_can_be_asked_for_by_name() -> None:
    with pytest.raises(EarlyAccess) as caught:
        choose_release(page(release(ONE, access=Access.EARLY, access_until="2026-09-01T00:00:00Z")))
    assert caught.value.until == "2026-09-01T00:00:00Z"
    assert "`sdkeep get civitai:9@1`" in caught.value.next


def test_a_page_without_releases_is_refused() -> None:
    with pytest.raises(NotOnHub):
        choose_release(page())


# files


FULL = file("m_full.safetensors", precision=Precision.FP32, extent=Extent.FULL, primary=True, size=8)
PRUNED = file("m.safetensors", Role.PRUNED_MODEL, precision=Precision.FP16, extent=Extent.PRUNED, size=2)
HALF = file("m_half.safetensors", precision=Precision.FP16, extent=Extent.FULL, size=4)
BRAIN = file("m_bf16.safetensors", precision=Precision.BF16, extent=Extent.PRUNED, size=2)
SMALL = file("m_fp8.safetensors", precision=Precision.FP8, extent=Extent.PRUNED, size=1)
PICKLE = file("m.ckpt", precision=Precision.FP16, extent=Extent.PRUNED, primary=True)
GGUF = file("m.gguf")
VAE = file("m.vae.safetensors", Role.VAE)
CONFIG = file("m.yaml", Role.CONFIG)
TRAINING = file("m.zip", Role.TRAINING_DATA)
ALL = release(FULL, PRUNED, HALF, BRAIN, SMALL, PICKLE, GGUF, VAE, CONFIG, TRAINING)


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        (Wish(), "m.safetensors"),
        (Wish(extent=Extent.FULL), "m_half.safetensors"),
        (Wish(precision=Precision.FP32), "m_full.safetensors"),
        (Wish(precision=Precision.BF16), "m_bf16.safetensors"),
        (Wish(precision=Precision.FP8), "m_fp8.safetensors"),
        (Wish(format=Format.PICKLE), "m.ckpt"),
        (Wish(format=Format.GGUF), "m.gguf"),
        (Wish(precision=Precision.INT4), "m.safetensors"),
    ],
    ids=str,
)
def test_one_file_fits_a_wish_best(wish: Wish, name: str) -> None:
    assert names(choose_files(ALL, wish)) == [name]


def test_the_reasons_are_short_sentences() -> None:
    assert choose_files(ALL).why == (
        "`m.safetensors` out of 7 files",
        "safetensors can hold no code",
        "precision fp16",
        "pruned: all that making pictures needs",
        "beside it: m.vae.safetensors (vae), m.yaml (config)",
    )


def test_a_wish_that_nothing_fulfils_gives_way_and_says_so() -> None:
    choice = choose_files(release(PICKLE), Wish(format=Format.SAFETENSORS, precision=Precision.FP32))
    assert choice.why[:2] == (
        "no file with the format safetensors: this one is pickle",
        "no file with the precision fp32: this one is fp16",
    )
    assert "not labelled" in choose_files(release(ONE), Wish(precision=Precision.FP16)).why[0]


def test_the_hubs_main_file_decides_between_equals() -> None:
    plain = [file("b.safetensors", size=1), file("c.safetensors", size=2, primary=True)]
    choice = choose_files(release(*plain))
    assert names(choice) == ["c.safetensors"]
    assert choice.why[-1] == "the hub's main file"


def test_a_pickle_is_taken_when_there_is_nothing_else() -> None:
    assert names(choose_files(release(PICKLE, VAE))) == ["m.ckpt"]


def test_extras_are_the_point_when_the_release_is_about_them() -> None:
    assert names(choose_files(release(VAE, kind=Kind.VAE))) == ["m.vae.safetensors"]
    negative = file("bad.pt", Role.NEGATIVE)
    assert names(choose_files(release(negative, kind=Kind.EMBEDDING))) == ["bad.pt"]
    assert names(choose_files(release(VAE, CONFIG))) == ["m.yaml"]
    assert names(choose_files(release(VAE))) == ["m.vae.safetensors"]


def test_companions_are_one_vae_the_config_of_the_same_name_and_every_text_encoder_once() -> None:
    choice = choose_files(
        release(
            PRUNED,
            file("other.yaml", Role.CONFIG),
            CONFIG,
            file("old.vae.ckpt", Role.VAE),
            VAE,
            file("clip.safetensors", Role.TEXT_ENCODER),
            file("clip.ckpt", Role.TEXT_ENCODER),
            file("t5.safetensors", Role.TEXT_ENCODER),
        )
    )
    assert {file.name for file in choice.companions} == {
        "m.vae.safetensors",
        "m.yaml",
        "clip.safetensors",
        "t5.safetensors",
    }


def test_training_data_comes_only_when_named() -> None:
    everything = choose_files(ALL, Wish(every=True))
    assert TRAINING not in everything.files
    assert (len(everything.files), everything.why[1]) == (9, "1 with training data left out")
    assert names(choose_files(ALL, Wish(file="m.zip"))) == ["m.zip"]
    with pytest.raises(NotOnHub) as caught:
        choose_files(release(TRAINING))
    assert "--file" in caught.value.next


@pytest.mark.parametrize("wanted", ["m.ckpt", "M.CKPT", PICKLE.id])
def test_a_file_is_named_by_id_or_name(wanted: str) -> None:
    assert choose_files(ALL, Wish(file=wanted)).files == (PICKLE,)


def test_a_file_in_a_folder_is_named_by_its_last_part() -> None:
    inner = file("unet/weights.safetensors")
    assert choose_files(release(inner, ONE), Wish(file="weights")).files == (inner,)


def test_a_name_borne_twice_is_ambiguous_and_the_ids_tell_them_apart() -> None:
    twice = release(file("a.safetensors", id="1"), file("a.safetensors", id="2"))
    with pytest.raises(Ambiguous) as caught:
        choose_files(twice, Wish(file="a.safetensors"))
    assert caught.value.candidates == ("civitai:9@1#1", "civitai:9@1#2")


def test_a_name_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(NotOnHub) as caught:
        choose_files(release(ONE), Wish(file="b"))
    assert "a.safetensors" in caught.value.why


def test_a_release_without_files_is_refused() -> None:
    with pytest.raises(NotOnHub):
        choose_files(release())
    with pytest.raises(DownloadDisabled):
        choose_files(release(access=Access.ARCHIVED))


any_file = st.builds(
    RemoteFile,
    id=st.integers(1, 99).map(str),
    name=st.text(min_size=1, max_size=8),
    url=st.just("https://hub.example/f"),
    role=st.sampled_from(Role),
    format=st.sampled_from(Format),
    precision=st.sampled_from(Precision),
    extent=st.sampled_from(Extent),
    primary=st.booleans(),
    size=st.none() | st.integers(0, 2**40),
)
any_wish = st.builds(
    Wish,
    format=st.none() | st.sampled_from(Format),
    precision=st.none() | st.sampled_from(Precision),
    extent=st.none() | st.sampled_from(Extent),
    every=st.booleans(),
)


@given(st.lists(any_file, max_size=6), any_wish, st.sampled_from(Kind), st.randoms())
def test_the_choice_does_not_depend_on_the_order_and_always_has_reasons(
    files: list[RemoteFile], wish: Wish, kind: Kind, random: object
) -> None:
    try:
        choice = choose_files(release(*files, kind=kind), wish)
    except NotOnHub:
        assert all(file.role is Role.TRAINING_DATA for file in files)
        return
    assert choice.files
    assert choice.why
    assert not set(choice.files) & set(choice.companions)
    assert all(file.role is not Role.TRAINING_DATA for file in (*choice.files, *choice.companions))
    if not wish.every:
        other = choose_files(release(*reversed(files), kind=kind), wish).files[0]
        best = choice.files[0]
        assert (other.format, other.precision, other.extent) == (best.format, best.precision, best.extent)
