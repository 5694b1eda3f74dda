"""What a path on this machine means to the verbs that read files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sdkeep.ground.errors import NotFoundHere
from sdkeep.ground.ref import CivitaiRef, DigestRef, HfRef, NameRef, UrlRef, WordRef, parse

WEIGHT_FILES = frozenset({
    ".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle", ".safetensors", ".sft", ".gguf", ".th", ".t7", ".dat", ".joblib",
    ".npy", ".npz", ".onnx", ".jit", ".zip", ".7z", ".tar", ".model",
})  # fmt: skip


def place_of(text: str) -> Path:
    """The file or folder here that `text` means; raises `NotFoundHere` where there is none."""
    path = _path_in(text)
    if path is None or not (path.is_dir() or path.is_file()):
        raise NotFoundHere(
            f"`{text}` is no file or folder here", "paths are needed here", f"`sdkeep get {text}` fetches"
        )
    return path


def _path_in(text: str) -> Path | None:
    """The path that an argument spells; None for a reference to something else."""
    ref = parse(text)
    if isinstance(ref, NameRef | DigestRef | CivitaiRef | HfRef | UrlRef):
        return None
    return Path(getattr(ref, "path", getattr(ref, "word", text))).expanduser()


def files_of(text: str) -> tuple[Path, ...] | None:
    """The files that a path means: itself, or every likely model below a folder; None when it is no path here."""
    path, ref = _path_in(text), parse(text)
    if path is None:
        return None
    if path.is_dir():
        return tuple(_below(path))
    if path.is_file():
        return (path,)
    if isinstance(ref, WordRef):
        return None
    if path.exists():
        raise NotFoundHere(f"`{text}` is neither a file nor a folder", "only those can be read", "name a file")
    raise NotFoundHere(
        f"`{text}` is not there", "no file or folder has this path", "`sdkeep ls` lists catalogued files"
    )


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in WEIGHT_FILES and path.is_file():
            yield path
