"""The reference grammar, as a table and as properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import BadReference, KeepError
from sdkeep.ground.ref import CivitaiRef, DigestRef, HfRef, NameRef, PathRef, UrlRef, WordRef, parse

HEX64 = "c74b4e810b030f6b75fde959e2db678c268d07115b85356d3c0138ba5eb42340"

TABLE = [
    ("civitai:4384", CivitaiRef(4384)),
    ("civitai:4384@128713", CivitaiRef(4384, 128713)),
    ("civitai:4384@128713#9", CivitaiRef(4384, 128713, 9)),
    ("CIVITAI:4384#9", CivitaiRef(4384, None, 9)),
    ("https://civitai.com/models/4384", CivitaiRef(4384)),
    ("https://civitai.com/models/4384/dreamshaper", CivitaiRef(4384)),
    ("https://civitai.red/models/4384/dreamshaper?modelVersionId=128713", CivitaiRef(4384, 128713)),
    ("https://www.civitai.green/models/4384?modelVersionId=x", CivitaiRef(4384)),
    ("https://civitai.com/api/download/models/9208", CivitaiRef(None, 9208)),
    ("https://civitai.com/api/download/models/9208?type=Model&fileId=77", CivitaiRef(None, 9208, 77)),
    ("https://civitai.com/api/v1/models/7808", CivitaiRef(7808)),
    ("https://civitai.com/model-versions/9208", CivitaiRef(None, 9208)),
    ("urn:air:sd1:checkpoint:civitai:4384@128713", CivitaiRef(4384, 128713)),
    ("air:sdxl:lora:civitai:1@2+3.safetensors", CivitaiRef(1, 2, 3)),
    ("urn:air:anything-new:other:civitai:4384", CivitaiRef(4384)),
    ("urn:air:sdxl:checkpoint:huggingface:stabilityai/sdxl-turbo@main", HfRef("stabilityai/sdxl-turbo", "main")),
    ("hf:stabilityai/sdxl-turbo", HfRef("stabilityai/sdxl-turbo")),
    ("hf:a/b@v1/unet/x.safetensors", HfRef("a/b", "v1", "unet/x.safetensors")),
    ("hf:a/b/x.ckpt", HfRef("a/b", None, "x.ckpt")),
    ("hf:a/b@refs%2Fpr%2F1/x", HfRef("a/b", "refs/pr/1", "x")),
    ("https://huggingface.co/a/b", HfRef("a/b")),
    ("https://huggingface.co/a/b/blob/main/x/y.ckpt", HfRef("a/b", "main", "x/y.ckpt")),
    ("https://hf.co/a/b/resolve/main/x%20y.ckpt?download=true", HfRef("a/b", "main", "x y.ckpt")),
    ("https://huggingface.co/a/b/tree/refs/pr/7/x", HfRef("a/b", "refs/pr/7", "x")),
    ("https://huggingface.co/a/b/discussions/3", HfRef("a/b")),
    (f"sha256:{HEX64.upper()}", DigestRef(Digest(DigestKind.SHA256, HEX64))),
    ("autov2:c74b4e810b", DigestRef(Digest(DigestKind.AUTOV2, "c74b4e810b"))),
    ("crc32:DC3150FB", DigestRef(Digest(DigestKind.CRC32, "dc3150fb"))),
    ("name:My Model", NameRef("My Model")),
    ("path:model", PathRef("model")),
    ("./model", PathRef("./model")),
    ("~/model.ckpt", PathRef("~/model.ckpt")),
    ("a/b.ckpt", PathRef("a/b.ckpt")),
    ("C:\\models\\x.ckpt", PathRef("C:\\models\\x.ckpt")),
    ("https://example.org/x.safetensors", UrlRef("https://example.org/x.safetensors")),
    ("sd15", WordRef("sd15")),
    (" dreamshaper ", WordRef("dreamshaper")),
    ("c74b4e81", WordRef("c74b4e81")),
    ("model.safetensors", WordRef("model.safetensors")),
]


@pytest.mark.parametrize(("text", "expected"), TABLE, ids=[text for text, _ in TABLE])
def test_every_form_reads_as_documented(text: str, expected: object) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "a\0b",
        "civitai:",
        "civitai:dreamshaper",
        "civitai:1@",
        "civitai:1@x",
        "civitai:1#",
        "hf:onlyorg",
        "hf:a/b@",
        "hf:a/b/",
        "hf:a/b/../x",
        "hf:a/b//x",
        "hf:../b",
        "hf:a/b c",
        "sha256:123",
        "sha256:zz",
        "name:",
        "path:",
        "air:sd1",
        "urn:air:sd1:lora:civitai:abc",
        "urn:air:sd1:lora:civitai:1@x",
        "urn:air:sd1:lora:orchestrator:1",
        "https://",
        "https://[::1",
        "https://civitai.com/",
        "https://civitai.com/images/5",
        "https://huggingface.co/datasets/a/b",
        "https://huggingface.co/a",
        "model:thing",
    ],
)
def test_a_broken_promise_is_an_error_that_quotes_it(text: str) -> None:
    with pytest.raises(BadReference) as caught:
        parse(text)
    assert caught.value.text == text
    assert caught.value.why
    assert caught.value.next
    assert caught.value.status == 2


@given(
    st.one_of(
        st.builds(CivitaiRef, st.integers(1, 10**9), st.none() | st.integers(0, 10**9), st.none() | st.integers(0, 99)),
        st.builds(CivitaiRef, st.none(), st.integers(0, 10**9), st.none() | st.integers(0, 99)),
        st.builds(
            HfRef,
            st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_]{0,9}/[A-Za-z0-9][A-Za-z0-9_]{0,9}", fullmatch=True),
            st.none() | st.text(min_size=1, max_size=9).filter(lambda t: "\0" not in t and t == t.strip()),
            st.none() | st.from_regex(r"[a-z]{1,5}(/[a-z. ]{0,4}[a-z])?", fullmatch=True),
        ),
        st.builds(NameRef, st.text(min_size=1).filter(lambda t: t == t.strip() and "\0" not in t)),
        st.builds(
            DigestRef, st.builds(Digest, st.just(DigestKind.AUTOV3), st.from_regex(r"[0-9a-f]{12}", fullmatch=True))
        ),
    )
)
def test_what_a_reference_prints_reads_back_the_same(ref: object) -> None:
    assert parse(str(ref)) == ref


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        parse(text)
    except KeepError as error:
        assert isinstance(error, BadReference)


@given(st.text(st.sampled_from("urn:ai@+.#/%hftpscvo0129{}[]?&= \\~")))
def test_no_near_miss_breaks_the_parser(text: str) -> None:
    try:
        parse(text)
    except KeepError as error:
        assert isinstance(error, BadReference)
