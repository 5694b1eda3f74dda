from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.layouts.arguments import read_bat, read_sh

V = "COMMANDLINE_ARGS"


@pytest.mark.parametrize(
    "text, words",
    [
        ('export COMMANDLINE_ARGS="--medvram --lora-dir /mnt/loras"', ["--medvram", "--lora-dir", "/mnt/loras"]),
        ("COMMANDLINE_ARGS=--medvram", ["--medvram"]),
        ('#export COMMANDLINE_ARGS="--lowvram"', []),
        ("  export COMMANDLINE_ARGS='--lora-dir \"/mnt/my loras\"' # mine", ["--lora-dir", "/mnt/my loras"]),
        (
            'M=/mnt\nexport COMMANDLINE_ARGS="--lora-dir $M/l --ckpt-dir ${M}/c"',
            ["--lora-dir", "/mnt/l", "--ckpt-dir", "/mnt/c"],
        ),
        ('export COMMANDLINE_ARGS="--a \\\n  --b"', ["--a", "--b"]),
        ('COMMANDLINE_ARGS="--a"\nCOMMANDLINE_ARGS="$COMMANDLINE_ARGS --b"', ["--a", "--b"]),
        ('COMMANDLINE_ARGS="--a"\nCOMMANDLINE_ARGS+=" --b"', ["--a", "--b"]),
        ('COMMANDLINE_ARGS="--a ${UNSET:-/mnt}"', ["--a", "/mnt"]),
        ('COMMANDLINE_ARGS="${COMMANDLINE_ARGS} --b"', ["--b"]),
        ("COMMANDLINE_ARGS=--a\r\n", ["--a"]),
        ('COMMANDLINE_ARGS="--d $HOME/x"', ["--d", "/home/me/x"]),
        ("", []),
    ],
)
def test_a_shell_script_is_read_as_the_shell_would(text: str, words: list[str]) -> None:
    start = read_sh(text, V, {"HOME": "/home/me"})
    assert list(start.arguments) == words
    assert start.doubts == ()


@pytest.mark.parametrize(
    "text",
    ['COMMANDLINE_ARGS="--a $(pwd)"', "COMMANDLINE_ARGS=`pwd`", 'COMMANDLINE_ARGS="--a', 'COMMANDLINE_ARGS="$NONE"'],
)
def test_what_only_a_shell_could_tell_is_a_doubt_and_not_acted_on(text: str) -> None:
    start = read_sh(text, V, {})
    assert start.arguments == ()
    assert len(start.doubts) == 1


@pytest.mark.parametrize(
    "text, words",
    [
        ("set COMMANDLINE_ARGS=--medvram --xformers", ["--medvram", "--xformers"]),
        ('set COMMANDLINE_ARGS=--lora-dir "D:\\my loras"', ["--lora-dir", "D:\\my loras"]),
        ('SET "COMMANDLINE_ARGS=--a"', ["--a"]),
        ("@REM set COMMANDLINE_ARGS=--a", []),
        (":: set COMMANDLINE_ARGS=--a", []),
        ("rem set COMMANDLINE_ARGS=--a ^\nset COMMANDLINE_ARGS=--b", ["--b"]),
        (
            "set H=D:/a1111\nset COMMANDLINE_ARGS=%COMMANDLINE_ARGS% ^\n --ckpt-dir %h%/models",
            ["--ckpt-dir", "D:/a1111/models"],
        ),
        ("set COMMANDLINE_ARGS=\r\n\r\ncall webui.bat\r\n", []),
    ],
)
def test_a_batch_file_is_read_as_the_prompt_would(text: str, words: list[str]) -> None:
    start = read_bat(text, V, {})
    assert list(start.arguments) == words
    assert start.doubts == ()


def test_a_batch_variable_that_is_not_set_is_a_doubt() -> None:
    assert "NOWHERE" in read_bat("set COMMANDLINE_ARGS=--a %NOWHERE%", V, {}).doubts[0]


def test_a_windows_path_ending_in_a_backslash_is_the_doubt_it_is_to_the_webui() -> None:
    start = read_bat('set COMMANDLINE_ARGS=--lora-dir "D:\\loras\\"', V, {})
    assert start.arguments == ()
    assert "never closes" in start.doubts[0]


@pytest.mark.parametrize(
    "line", ["--lora-dir /a --lora-dir /b", "--lora-dir=/a --lora-dir=/b", "--lora-dir /a --lora-dir=/b"]
)
def test_the_last_of_several_flags_counts(line: str) -> None:
    assert read_sh(f'{V}="{line}"', V, {}).value("--lora-dir") == "/b"


def test_a_flag_without_its_value_is_not_given() -> None:
    assert read_sh(f'{V}="--lora-dir"', V, {}).value("--lora-dir") == ""


@given(st.lists(st.text(alphabet="abc-/ .é", min_size=1, max_size=8), max_size=4))
def test_quoted_words_survive_the_shell(words: list[str]) -> None:
    text = f'export {V}="{shlex.join(words)}"'
    assert list(read_sh(text, V, {}).arguments) == words


@given(st.text())
def test_any_text_is_read_without_a_crash(text: str) -> None:
    read_sh(f"{V}={text}", V, {})
    read_bat(f"set {V}={text}", V, {})
