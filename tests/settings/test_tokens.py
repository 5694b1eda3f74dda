"""Which token goes where, and where it never goes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sdkeep.ground.errors import BadSetting, NotWritable, UsageError
from sdkeep.settings.load import load
from sdkeep.settings.tokens import Tokens, authority, flaw_of, masked
from sdkeep.settings.values import Loaded

HF = "hf_abcdefghijklmnop"
CIVITAI = "0123456789abcdef0123456789abcdef"


class Drawer:
    """A keyring that is a dictionary."""

    def __init__(self, works: bool = True) -> None:
        self.secrets: dict[tuple[str, str], str] = {}
        self.works = works

    def get(self, service: str, name: str) -> str | None:
        return self.secrets.get((service, name))

    def set(self, service: str, name: str, secret: str) -> bool:
        if self.works:
            self.secrets[service, name] = secret
        return self.works

    def delete(self, service: str, name: str) -> bool:
        return self.secrets.pop((service, name), None) is not None


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def loaded(home: Path, environ: dict[str, str] | None = None) -> Loaded:
    return load(environ or {}, home / "work", home)


def hosts(home: Path, environ: dict[str, str], keyring: Drawer | None = None) -> dict[str, str]:
    found = loaded(home, environ)
    return Tokens(environ, home, keyring).for_hosts(found.settings, found.sources)


@pytest.mark.parametrize(
    ("variable", "host"),
    [
        ("SDKEEP_CIVITAI_TOKEN", "civitai.com"),
        ("CIVITAI_API_TOKEN", "civitai.red"),
        ("CIVITAI_TOKEN", "api.civitai.com"),
        ("SDKEEP_HF_TOKEN", "huggingface.co"),
        ("HF_TOKEN", "hf.co"),
        ("HUGGING_FACE_HUB_TOKEN", "huggingface.co"),
    ],
)
def test_a_token_of_the_environment_goes_to_the_official_hosts(home: Path, variable: str, host: str) -> None:
    assert hosts(home, {variable: HF})[host] == HF


def test_one_hub_s_token_never_goes_to_the_other(home: Path) -> None:
    found = hosts(home, {"HF_TOKEN": HF, "CIVITAI_TOKEN": CIVITAI})
    assert {host for host, token in found.items() if token == HF} == {"huggingface.co", "www.huggingface.co", "hf.co"}
    assert all("civitai" in host for host, token in found.items() if token == CIVITAI)


def test_our_own_variable_is_the_strongest(home: Path) -> None:
    assert hosts(home, {"HF_TOKEN": "weaker-weaker", "SDKEEP_HF_TOKEN": HF})["huggingface.co"] == HF


def test_without_any_token_there_is_none(home: Path) -> None:
    assert hosts(home, {}) == {}


def test_a_token_of_the_environment_follows_an_address_that_the_person_set(home: Path) -> None:
    assert hosts(home, {"HF_TOKEN": HF, "HF_ENDPOINT": "https://mirror.example"})["mirror.example"] == HF
    (home / "config.toml").write_text('hf_url = "https://own.example:8443"\n')
    assert hosts(home, {"HF_TOKEN": HF})["own.example:8443"] == HF


def test_no_token_travels_over_plain_http_except_to_this_machine(home: Path) -> None:
    assert "mirror.example:80" not in hosts(home, {"HF_TOKEN": HF, "HF_ENDPOINT": "http://mirror.example"})
    assert hosts(home, {"HF_TOKEN": HF, "HF_ENDPOINT": "http://127.0.0.1:8000"})["127.0.0.1:8000"] == HF


def test_a_stored_token_is_bound_to_the_host_it_was_stored_for(home: Path) -> None:
    Tokens({}, home).store("huggingface", "huggingface.co", HF)
    assert hosts(home, {})["huggingface.co"] == HF
    assert "mirror.example" not in hosts(home, {"HF_ENDPOINT": "https://mirror.example"})
    Tokens({}, home).store("huggingface", "mirror.example", "another-token")
    found = hosts(home, {"HF_ENDPOINT": "https://mirror.example"})
    assert found["mirror.example"] == "another-token"
    assert found["huggingface.co"] == HF
    assert "mirror.example" not in hosts(home, {})


def test_the_official_hosts_of_a_hub_are_one(home: Path) -> None:
    tokens = Tokens({}, home)
    tokens.store("civitai", "civitai.red", CIVITAI)
    assert hosts(home, {})["civitai.com"] == CIVITAI
    assert tokens.forget("civitai", "civitai.com") is True
    assert hosts(home, {}) == {}


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_the_file_is_private_and_a_wider_one_is_refused(home: Path) -> None:
    tokens = Tokens({}, home)
    where = tokens.store("huggingface", "huggingface.co", HF)
    assert where == str(home / "tokens.json")
    assert (home / "tokens.json").stat().st_mode & 0o777 == 0o600
    (home / "tokens.json").chmod(0o644)
    tokens = Tokens({}, home)
    found = loaded(home)
    assert tokens.for_hosts(found.settings, found.sources) == {}
    assert len(tokens.warnings) == 1
    assert "chmod 600" in tokens.warnings[0]
    with pytest.raises(NotWritable):
        tokens.store("civitai", "civitai.com", CIVITAI)
    assert json.loads((home / "tokens.json").read_text()) == {"huggingface": {"huggingface.co": HF}}


@pytest.mark.parametrize("text", ["{", "[]", '{"huggingface": 3}', '{"huggingface": {"huggingface.co": 3}}'])
def test_a_broken_token_file_holds_no_token(home: Path, text: str) -> None:
    file = home / "tokens.json"
    file.write_text(text)
    file.chmod(0o600)
    assert hosts(home, {}) == {}


def test_a_keyring_is_preferred_and_the_file_is_the_fallback(home: Path) -> None:
    drawer = Drawer()
    assert Tokens({}, home, drawer).store("huggingface", "huggingface.co", HF) == "keyring"
    assert not (home / "tokens.json").exists()
    assert hosts(home, {}, drawer)["huggingface.co"] == HF
    assert Tokens({}, home, drawer).forget("huggingface", "huggingface.co") is True
    assert Tokens({}, home, Drawer(works=False)).store("huggingface", "huggingface.co", HF) == str(home / "tokens.json")


def test_storing_in_the_keyring_removes_the_copy_in_the_file(home: Path) -> None:
    Tokens({}, home).store("huggingface", "huggingface.co", "old-old-old-old")
    Tokens({}, home, Drawer()).store("huggingface", "huggingface.co", HF)
    assert json.loads((home / "tokens.json").read_text()) == {}


def test_forgetting_what_is_not_there_says_so(home: Path) -> None:
    assert Tokens({}, home, Drawer()).forget("civitai", "civitai.com") is False


def test_the_token_of_hugging_face_s_own_tools_is_found(home: Path, tmp_path: Path) -> None:
    cache = tmp_path / ".cache" / "huggingface"
    cache.mkdir(parents=True)
    (cache / "token").write_text(HF + "\n")
    assert hosts(home, {"HOME": str(tmp_path)})["huggingface.co"] == HF
    assert hosts(home, {"HF_HOME": str(cache)})["huggingface.co"] == HF
    assert hosts(home, {"HF_TOKEN_PATH": str(cache / "token")})["huggingface.co"] == HF
    assert hosts(home, {"HF_HOME": str(cache), "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}) == {}
    assert hosts(home, {"HF_HOME": str(tmp_path)}) == {}


@pytest.mark.parametrize("token", ["two words", "line\nline", "nul\0", "ünicode", "x" * 5000])
def test_what_cannot_be_a_token_is_neither_stored_nor_sent_nor_shown(home: Path, token: str) -> None:
    with pytest.raises(BadSetting) as caught:
        Tokens({}, home).store("huggingface", "huggingface.co", token)
    assert token not in f"{caught.value.what}{caught.value.why}{caught.value.next}"
    tokens = Tokens({"HF_TOKEN": token}, home)
    found = loaded(home)
    assert tokens.for_hosts(found.settings, found.sources) == {}
    assert "`HF_TOKEN`" in tokens.warnings[0]
    assert token not in tokens.warnings[0]


def test_an_empty_token_cannot_be_stored(home: Path) -> None:
    with pytest.raises(BadSetting):
        Tokens({}, home).store("huggingface", "huggingface.co", " \n")


def test_a_line_feed_around_a_token_is_forgiven(home: Path) -> None:
    assert hosts(home, {"HF_TOKEN": f" {HF}\n"})["huggingface.co"] == HF


def test_an_unknown_hub_is_named(home: Path) -> None:
    with pytest.raises(UsageError, match="modelscope"):
        Tokens({}, home).store("modelscope", "x", HF)


def test_the_status_says_where_each_token_comes_from_and_shows_none(home: Path) -> None:
    environ = {"HF_TOKEN": HF}
    Tokens(environ, home).store("huggingface", "huggingface.co", "hf_zyxwvutsrqponm")
    found = loaded(home, environ)
    lines = Tokens(environ, home).status(found.settings, found.sources)
    assert [(line.hub, line.origin, line.where) for line in lines] == [
        ("civitai", "", ""),
        ("huggingface", "environment", "HF_TOKEN"),
        ("huggingface", "file", str(home / "tokens.json")),
    ]
    assert "huggingface.co" in lines[1].hosts
    assert lines[2].hosts == ()
    assert lines[1].masked == "hf_…op"
    assert HF not in repr(lines)


def test_a_short_token_is_masked_whole() -> None:
    assert masked("hunter2") == "…"
    assert masked(HF) == "hf_…op"
    assert flaw_of(HF) == ""


@pytest.mark.parametrize(
    ("address", "spelt"),
    [
        ("https://Civitai.com/", "civitai.com"),
        ("https://civitai.com:443", "civitai.com"),
        ("https://mirror.example:8443/x", "mirror.example:8443"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://localhost", "localhost:80"),
        ("https://[::1]:9", "[::1]:9"),
    ],
)
def test_a_token_is_bound_to_host_and_port(address: str, spelt: str) -> None:
    from sdkeep.net import address as net

    assert authority(address) == net.authority(address) == spelt
