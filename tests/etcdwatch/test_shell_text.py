"""The lines are given to a real shell: nothing in a value or a key is ever executed."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lochkit.etcdwatch.shell_text import is_reserved, shell_lines, variable_name
from lochkit.etcdwatch.text import Base64

HOSTILE = [
    "",
    "'",
    "''",
    "$(touch pwned)",
    "`id`",
    "a\nb",
    "\\",
    "\\'",
    "'\n; touch pwned; '",
    "é",
    "-n",
    " x ",
    "!!",
]


def read_back(lines: list[str], directory: Path, name: str) -> bytes:
    """Return what a shell that sources the lines hands on to a child process."""
    (directory / "vars").write_bytes("".join(lines).encode())
    script = f'set -a; . ./vars; exec env -u _ sh -c \'printf "%s" "${name}"\''
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=directory,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
        timeout=10,
    )
    assert done.stderr == b""
    return done.stdout


@pytest.mark.parametrize("value", HOSTILE)
def test_shell_reads_the_value_back(value: str, tmp_path: Path) -> None:
    lines, left_out = shell_lines({"/app/x": value})
    assert left_out == ()
    assert read_back(lines, tmp_path, "app_x") == value.encode()
    assert not (tmp_path / "pwned").exists()


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
)
def test_shell_reads_any_text_back(value: str, tmp_path: Path) -> None:
    lines, _ = shell_lines({"/app/x": value, "/app/y": "after"})
    assert read_back(lines, tmp_path, "app_x") == value.encode()
    assert read_back(lines, tmp_path, "app_y") == b"after"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("/app/db-host", "app_db_host"),
        ("/1st", "_1st"),
        ("/a.b/c d", "a_b_c_d"),
        ("/", "_"),
        ("/é", "_"),
        ("x=y", "x_y"),
        ("/a\n$(id)", "a___id_"),
    ],
)
def test_name_is_safe(key: str, name: str) -> None:
    assert variable_name(key) == name


def test_prefix_comes_before_the_name() -> None:
    assert variable_name("/1st", "X_") == "X_1st"
    assert shell_lines({"/PATH": "/evil"}, "X_") == (["X_PATH='/evil'\n"], ())


def test_collision_goes_to_the_first_key_and_is_reported() -> None:
    assert shell_lines({"/a_b": "2", "/a-b": "1"}) == (["a_b='1'\n"], ("/a_b",))


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "IFS",
        "ENV",
        "LD_PRELOAD",
        "BASH_ENV",
        "PYTHONPATH",
        "LOCHKIT_REVISION",
        "http_proxy",
    ],
)
def test_names_that_steer_programs_are_left_out(name: str) -> None:
    assert is_reserved(name)
    assert shell_lines({f"/{name}": "x"}) == ([], (f"/{name}",))


@pytest.mark.parametrize(
    "name", ["app_PATH", "LDAP_HOST", "LCD", "path", "GITHUB", "app_http_proxy"]
)
def test_ordinary_names_are_not(name: str) -> None:
    assert not is_reserved(name)


def test_what_no_variable_can_hold_is_in_base64() -> None:
    lines, left_out = shell_lines({"/a": Base64("_w=="), "/b": "x\0y"})
    assert lines == ["a_BASE64='_w=='\n", "b_BASE64='eAB5'\n"]
    assert left_out == ()
