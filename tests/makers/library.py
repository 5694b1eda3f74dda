"""What the sample hubs publish in the tests of actions and verbs: one model for every way that things can go."""

from __future__ import annotations

import json
from functools import cache

from sdkeep.demo.civitai_records import Record, SampleFile, SampleVersion, sample_files, sample_model
from sdkeep.demo.huggingface import SampleRepo
from tests.makers import headers, models

SD1, SDXL, PONY = "SD 1.5", "SDXL 1.0", "Pony"
SPITE = "\x1b]0;owned\x07\x1b[31mred\x1b[0m \u202eevil\u202c \x9b5mtail\x00"
"""A window title, colours, a bidirectional override and C1 controls, as a publisher could write them."""

CHECKPOINT, INK, PICKLE, EMBEDDING, HYPERNETWORK, WILDCARDS = 1001, 1002, 1003, 1004, 1005, 1006
EARLY, TROJAN, WRONG, ODD, HIDDEN, ARCHIVED, DISABLED, SPITEFUL, TWIN_A, TWIN_B, PACK, ADULT = range(1007, 1019)

ODD_NAMES = (
    "<x>.safetensors",
    "trailing dots....safetensors",
    "con.safetensors",
    "🏰 château.safetensors",
    "n" * 300 + ".safetensors",
    "../../evil.safetensors",
    "..\\..\\evil2.safetensors",
    ".hidden.safetensors",
    "a\nb\tc.safetensors",
)


@cache
def versions() -> dict[int, tuple[SampleVersion, ...]]:
    """The versions of every Civitai model, by its id."""
    lora = models.small_lora()
    return {
        CHECKPOINT: (
            _v(
                10011,
                "v2",
                SD1,
                SampleFile(1, "castleMix_v2.ckpt", models.checkpoint_pickle(2.0), format="PickleTensor", primary=True),
                SampleFile(2, "castleMix_v2.safetensors", _weights(models.small_checkpoint(), 3), type="Pruned Model"),
                SampleFile(
                    3,
                    "castleMix_v2_full.safetensors",
                    _weights(models.small_checkpoint(), 4, width=4),
                    fp="fp32",
                    size="full",
                ),
                SampleFile(4, "castle.vae.safetensors", _weights(headers.vae(), 5), type="VAE", fp=None, size=None),
                SampleFile(
                    5,
                    "castleMix_v2.yaml",
                    b"model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n",
                    type="Config",
                    format="Other",
                ),
                SampleFile(6, "castle_trainingData.zip", models.archive(a=b"a"), type="Training Data", format="Other"),
                words=("castle",),
            ),
        ),
        INK: (
            _v(10023, "for Pony", PONY, SampleFile(11, "ink_pony.safetensors", _weights(models.small_lora("sdxl"), 1))),
            _v(10022, "for SDXL", SDXL, SampleFile(12, "ink_xl.safetensors", _weights(models.small_lora("sdxl"), 2))),
            _v(10021, "for 1.5", SD1, SampleFile(13, "ink.safetensors", _weights(lora, 6)), words=("ink wash, brush",)),
        ),
        PICKLE: (
            _v(10031, "v1", SD1, SampleFile(21, "oldPickle.ckpt", models.checkpoint_pickle(), format="PickleTensor")),
        ),
        EMBEDDING: (
            _v(10041, "v1", SD1, SampleFile(31, "badHands.pt", models.embedding_pt("badHands"), format="PickleTensor")),
        ),
        HYPERNETWORK: (
            _v(
                10051,
                "v1",
                SD1,
                SampleFile(41, "waterNet.pt", models.hypernetwork_pt("waterNet"), format="PickleTensor"),
            ),
        ),
        WILDCARDS: (
            _v(
                10061,
                "v1",
                "Other",
                SampleFile(
                    51,
                    "words.zip",
                    models.archive(**{"a/colours.txt": b"red\nblue\n", "a/../../evil.txt": b"x", "run.exe": b"MZ"}),
                    type="Archive",
                    format="Other",
                ),
            ),
        ),
        EARLY: (
            _v(
                10071,
                "soon",
                SD1,
                SampleFile(61, "tomorrow.safetensors", _weights(lora, 7)),
                extra={"paidAccess": {"permanent": False, "endsAt": "2099-09-01T00:00:00.000Z"}},
            ),
        ),
        TROJAN: (_v(10081, "v1", SD1, SampleFile(71, "gift.ckpt", models.trojan(), format="PickleTensor")),),
        WRONG: (_v(10091, "v1", SD1, SampleFile(81, "wrong.safetensors", _weights(lora, 8))),),
        ODD: (
            _v(
                10101,
                "v1",
                SD1,
                *(
                    SampleFile(100 + at, name, _weights(lora, 20 + at), primary=at == 0)
                    for at, name in enumerate(ODD_NAMES)
                ),
            ),
        ),
        HIDDEN: (_v(10111, "v1", SD1, SampleFile(91, "hidden.safetensors", _weights(lora, 9))),),
        ARCHIVED: (_v(10121, "v1", SD1, SampleFile(92, "archived.safetensors", _weights(lora, 10))),),
        DISABLED: (
            _v(
                10131,
                "v1",
                SD1,
                SampleFile(93, "disabled.safetensors", _weights(lora, 11)),
                extra={"usageControl": "Generation"},
            ),
        ),
        SPITEFUL: (
            _v(
                10141,
                f"v1 {SPITE}",
                f"SD 1.5 {SPITE}",
                SampleFile(94, f"spite{SPITE}.safetensors", _weights(lora, 12)),
                words=(f"word {SPITE}",),
            ),
        ),
        TWIN_A: (_v(10151, "v1", SD1, SampleFile(95, "twin.safetensors", _weights(lora, 13))),),
        TWIN_B: (_v(10161, "v1", SD1, SampleFile(96, "Twin.safetensors", _weights(lora, 14))),),
        PACK: (
            _v(
                10171,
                "v1",
                SD1,
                SampleFile(
                    97,
                    "pack.zip",
                    models.archive(
                        **{
                            "one.pt": models.embedding_pt("one", 2.0),
                            "bad.pt": models.trojan(3.0),
                            "read.me": b"hello",
                        }
                    ),
                    type="Archive",
                    format="Other",
                ),
            ),
        ),
        ADULT: (_v(10181, "v1", SD1, SampleFile(98, "adult.safetensors", _weights(lora, 15)), level=16),),
    }


@cache
def civitai_files() -> dict[int, bytes]:
    """The bytes behind every file, by file id."""
    return sample_files([version for several in versions().values() for version in several])


def civitai_records() -> list[Record]:
    """Fresh answers of `models/:id` for all of them."""
    fresh = json.loads(_civitai_text())
    assert isinstance(fresh, list)
    return fresh


@cache
def _civitai_text() -> str:
    made = versions()

    def model(id_: int, name: str, type_: str, **extra: object) -> Record:
        return sample_model(id_, name, type_, made[id_], **extra)

    wrong = model(WRONG, "Wrong Sum", "LORA")
    _files_of(wrong)[0]["hashes"] = {"SHA256": "AB" * 32}
    records = [
        model(CHECKPOINT, "Castle Mix", "Checkpoint", creator={"username": "Ada"}),
        model(INK, "Ink Brush", "LORA", creator={"username": "Bob/../x"}),
        model(PICKLE, "Old Pickle", "Checkpoint"),
        model(EMBEDDING, "Bad Hands", "TextualInversion"),
        model(HYPERNETWORK, "Water Net", "Hypernetwork"),
        model(WILDCARDS, "Wild Words", "Wildcards"),
        model(EARLY, "Tomorrow", "LORA"),
        model(TROJAN, "Trojan Gift", "Checkpoint"),
        wrong,
        model(ODD, "Odd Names", "LORA"),
        model(HIDDEN, "Hidden", "LORA"),
        model(ARCHIVED, "Archived", "LORA", mode="Archived"),
        model(DISABLED, "Disabled", "LORA"),
        model(
            SPITEFUL,
            f"Spite {SPITE}",
            "LORA",
            creator={"username": f"mallory{SPITE}"},
            tags=[f"tag{SPITE}"],
            description=f"<p>text {SPITE}</p>",
        ),
        model(TWIN_A, "Twin A", "LORA"),
        model(TWIN_B, "Twin B", "LORA"),
        model(PACK, "Embedding Pack", "TextualInversion"),
        model(ADULT, "Castle After Dark", "LORA", nsfw=True, nsfwLevel=16),
    ]
    return json.dumps(records)


@cache
def repositories() -> dict[str, SampleRepo]:
    """The repositories at the sample Hugging Face."""
    main, beta = _weights(models.small_lora(), 16), _weights(models.small_lora(), 17)
    base = _weights(models.small_checkpoint(), 18)
    return {
        "ada/castle-lora": SampleRepo(
            files={"README.md": b"# Castle", "castle_lora.safetensors": main},
            branches={"v2/beta": {"weights/castle_beta.safetensors": beta}},
            tags=("lora",),
            card={"license": "openrail++", "instance_prompt": "castle"},
            downloads=5,
        ),
        "ada/gated": SampleRepo(
            files={"gated.safetensors": _weights(models.small_lora(), 19)}, gated="auto", members=frozenset({"ada"})
        ),
        "ada/gone": SampleRepo(files={"gone.safetensors": b"x"}, disabled=True),
        "stable-diffusion-v1-5/stable-diffusion-v1-5": SampleRepo(
            files={"v1-5-pruned-emaonly.safetensors": base, "v1-5-pruned.ckpt": b"x"},
            card={"license": "creativeml-openrail-m"},
        ),
        "stabilityai/sdxl-turbo": SampleRepo(files={"sd_xl_turbo_1.0.safetensors": base}),
    }


def _weights(header: models.Header, fill: int, width: int = 2) -> bytes:
    return models.safetensors(header, fill, width=width)


def _v(id_: int, name: str, base: str, *files: SampleFile, **more: object) -> SampleVersion:
    return SampleVersion(id_, name, base, files, **more)  # type: ignore[arg-type]


def _files_of(record: Record) -> list[Record]:
    found = record["modelVersions"]
    assert isinstance(found, list)
    files = found[0]["files"]
    assert isinstance(files, list)
    return files
