"""The pyz: reproducible, pure, and safe to start anywhere. A build takes seconds: one per run."""

import os
import re
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("build")]

ROOT = Path(__file__).parents[1]
LIMIT = 3_000_000
EXTRA = ("3.11", "3.12", "3.13")
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can plant another user's files")


@cache
def pythons() -> dict[str, str]:
    """Return the interpreters of this host that the pyz must run on, by version."""
    candidates = [sys.executable]
    for version in EXTRA:
        candidates += filter(None, [shutil.which(f"python{version}")])
        found = Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")
        candidates += map(str, sorted(found))
    by_version: dict[str, str] = {}
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for path in candidates:
        done = subprocess.run([path, "-c", ask], capture_output=True, text=True, check=False)
        if (version := done.stdout.strip()) in EXTRA:
            by_version.setdefault(version, path)
    return by_version


def build(output: Path, checkout: Path = ROOT, **environ: str) -> str:
    done = subprocess.run(
        [checkout / "build.sh", output],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("dist") / "lochkit.pyz"
    build(output)
    return output


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o755)
    return made


def starting(
    pyz: Path, *argv: str, python: str = sys.executable, **environ: str
) -> "subprocess.Popen[str]":
    """Start the pyz with an environment of nothing but what is given."""
    return subprocess.Popen(
        [python, str(pyz), *(argv or ("--version",))],
        env={"PATH": os.environ["PATH"], **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start(pyz: Path, *argv: str, python: str = sys.executable, **environ: str) -> str:
    process = starting(pyz, *argv, python=python, **environ)
    output, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    assert complaint == ""
    return output


def where(pyz: Path, **environ: str) -> str:
    """Return the directory (or file) that the pyz takes its modules from."""
    code = "import sys, runpy, lochkit; print(lochkit.__file__)"
    start_code = f"""
import sys, runpy
sys.argv = [{str(pyz)!r}, "--version"]
sys.path.insert(0, {str(pyz)!r})
try:
    runpy.run_path({str(pyz)!r}, run_name="__main__")
except SystemExit:
    pass
{code}
"""
    done = subprocess.run(
        [sys.executable, "-c", start_code],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def unpacked(place: Path) -> list[Path]:
    return sorted(place.glob("lochkit_*"))


def as_user(pyz: Path, **environ: str) -> str:
    """Start the pyz as a user who is not root: nobody, when we are root."""
    root = os.geteuid() == 0
    done = subprocess.run(
        [system_python() if root else sys.executable, str(pyz), "--version"],
        env={"PATH": os.environ["PATH"], **environ},
        user=NOBODY if root else None,
        group=NOBODY if root else None,
        extra_groups=[] if root else None,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def system_python() -> str:
    """Return a Python that another user can run; the one of the tests may be below /root."""
    for path in ("/usr/bin/python3", "/usr/local/bin/python3"):
        ask = [path, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        if os.access(path, os.X_OK) and subprocess.run(ask, check=False).returncode == 0:
            return path
    pytest.skip("no Python that every user can run")


@pytest.fixture
def public(pyz: Path) -> Iterator[Path]:
    """A copy of the pyz where every user can read it."""
    directory = Path("/var/tmp") / f"lochkit-test-{os.getpid()}"
    directory.mkdir(mode=0o755)
    try:
        copied = Path(shutil.copy(pyz, directory / "lochkit.pyz"))
        copied.chmod(0o755)
        yield copied
    finally:
        shutil.rmtree(directory)


def give(directory: Path) -> None:
    """Let everything from here down belong to the user of :func:`as_user`."""
    if os.geteuid() == 0:
        for path in (directory, *directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY)


# --- what is in it


def test_two_builds_are_the_same_whatever_built_them(pyz: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "elsewhere" / "lochkit"
    wanted = ("build.sh", "pyproject.toml", "README.md", "LICENSE", "toolkit", "scripts")
    checkout.mkdir(parents=True)
    for name in wanted:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, checkout / name, ignore=shutil.ignore_patterns("__pycache__", "*_cache")
            )
        else:
            shutil.copy(source, checkout / name)
    other = tmp_path / "other.pyz"
    newest = pythons()[max(pythons())]
    build(other, checkout, PYTHON=newest, TZ="Pacific/Auckland", LANG="C", HOME=str(tmp_path))
    assert other.read_bytes() == pyz.read_bytes()


def test_it_is_small_and_pure_and_knows_no_path(pyz: Path) -> None:
    assert pyz.stat().st_size < LIMIT
    assert pyz.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert os.access(pyz, os.X_OK)
    with zipfile.ZipFile(pyz) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            assert not name.endswith((".so", ".pyd", ".pyc", ".pth", "direct_url.json")), name
            assert not data.startswith(b"\x7fELF"), name
            assert str(ROOT).encode() not in data, name
            assert not re.search(rb"/tmp/tmp\.\w", data), name


def test_it_holds_what_the_lock_says_and_nothing_else(pyz: Path) -> None:
    lock = (ROOT / "scripts/locks/runtime.txt").read_text()
    pins = {
        f"{name.replace('-', '_')}-{version}".lower()
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", lock, re.M)
    }
    with zipfile.ZipFile(pyz) as archive:
        found = set(re.findall(r"site-packages/([^/]+)\.dist-info/", "\n".join(archive.namelist())))
    assert {name.lower() for name in found if not name.startswith("lochkit-")} == pins


@pytest.mark.parametrize("lock", ["runtime", "build", "dev"])
def test_locks_pin_everything_by_hash_and_name_no_host(lock: str) -> None:
    text = (ROOT / f"scripts/locks/{lock}.txt").read_text()
    assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links|--trusted-host", text)
    entries = re.split(r"^(?=[A-Za-z])", text, flags=re.M)[1:]
    assert entries
    assert [entry for entry in entries if "==" not in entry or "sha256:" not in entry] == []


# --- where it runs


@pytest.mark.parametrize("version", EXTRA)
def test_it_runs_on_every_python_from_one_unpacked_copy(
    pyz: Path, home: Path, version: str
) -> None:
    if version not in pythons():
        pytest.skip(f"no Python {version} here")
    copied = shutil.copy(pyz, home / "alone.pyz")
    for _ in range(2):
        output = start(Path(copied), python=pythons()[version], HOME=str(home))
        assert output.startswith("lochkit ")
    for name in ("etcdwatch", "completion"):
        output = start(Path(copied), name, "--help", python=pythons()[version], HOME=str(home))
        assert f"Usage: lochkit {name}" in output


def test_an_old_python_is_refused_politely(pyz: Path) -> None:
    paths = [shutil.which(f"python3.{minor}") for minor in (7, 8, 9, 10)]
    paths += map(str, Path.home().glob(".pyenv/versions/3.[6789].*/bin/python3"))
    paths += map(str, Path.home().glob(".pyenv/versions/3.10.*/bin/python3"))
    old = [p for p in paths if p and not subprocess.run([p, "-V"], capture_output=True).returncode]
    if not old:
        pytest.skip("no old Python here")
    for python in old:
        process = starting(pyz, python=python)
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 1
        assert complaint.startswith("lochkit needs Python 3.11 or later, and ")
        assert "Traceback" not in complaint


def test_a_warm_help_is_quick(pyz: Path, home: Path) -> None:
    start(pyz, "--help", HOME=str(home))
    times: list[float] = []
    # The best of many, and of processor time: it waits for nothing, and what is measured is the
    # program and not what else this machine has to do.
    while len(times) < 9 or (min(times) >= 0.25 and len(times) < 60):
        before = _children_seconds()
        start(pyz, "--help", HOME=str(home))
        times.append(_children_seconds() - before)
    assert min(times) < 0.25


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_bytecode_is_kept_whatever_the_environment_says(pyz: Path, home: Path) -> None:
    start(pyz, HOME=str(home), PYTHONDONTWRITEBYTECODE="1")
    assert list(home.rglob("*.pyc"))


# --- where it unpacks to


def test_it_unpacks_below_the_home(pyz: Path, home: Path) -> None:
    start(pyz, HOME=str(home))
    place = home / ".cache" / "lochkit"
    [copy] = unpacked(place)
    assert place.stat().st_mode & 0o777 == 0o700
    assert where(pyz, HOME=str(home)).startswith(str(copy))


@pytest.mark.parametrize(
    ("variable", "below"),
    [("SHIV_ROOT", ""), ("CACHE_DIRECTORY", ""), ("XDG_CACHE_HOME", "lochkit")],
)
def test_a_place_that_was_named_goes_before_the_home(
    pyz: Path, home: Path, tmp_path: Path, variable: str, below: str
) -> None:
    named = tmp_path / "named"
    start(pyz, HOME=str(home), **{variable: str(named)})
    assert len(unpacked(named / below)) == 1
    assert not (home / ".cache").exists()


def test_the_first_of_several_cache_directories_is_taken(pyz: Path, tmp_path: Path) -> None:
    start(pyz, CACHE_DIRECTORY=f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert unpacked(tmp_path / "a")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("spoiled", ["0777", "0775", "0757", "file", "foreign"])
def test_a_place_that_others_can_write_is_not_trusted(public: Path, spoiled: str) -> None:
    """What is in such a place is not run, and nothing is put there."""
    home = public.parent / "home"
    place = home / ".cache" / "lochkit"
    place.mkdir(parents=True)
    give(home)
    as_user(public, HOME=str(home))
    [copy] = unpacked(place)
    (copy / "site-packages/lochkit/__main__.py").write_text("def main(): print('planted')")
    if spoiled == "file":
        shutil.rmtree(place)
        place.write_text("not a directory")
    elif spoiled == "foreign":
        if os.geteuid() != 0:
            pytest.skip("only root can give a directory away")
        os.chown(place, NOBODY - 1, NOBODY - 1)
        place.chmod(0o755)
    else:
        place.chmod(int(spoiled, 8))
    before = sorted(home.rglob("*"))
    assert as_user(public, HOME=str(home)).startswith("lochkit ")
    assert sorted(home.rglob("*")) == before


def test_a_parent_that_others_can_write_is_not_trusted(pyz: Path, home: Path) -> None:
    open_to_all = home / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    process = starting(pyz, SHIV_ROOT=str(open_to_all / "mine"))
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 78
    assert "SHIV_ROOT" in complaint
    open_to_all.chmod(0o1777)  # as /tmp is: nobody can rename what is ours
    start(pyz, SHIV_ROOT=str(open_to_all / "mine"))


@pytest.mark.parametrize("bad", ["relative", "/proc/nowhere", "/dev/null"])
def test_a_bad_shiv_root_is_said_and_not_worked_around(pyz: Path, home: Path, bad: str) -> None:
    process = starting(pyz, SHIV_ROOT=bad, HOME=str(home))
    output, complaint = process.communicate(timeout=60)
    assert process.returncode == 78
    assert output == ""
    assert complaint.startswith(f"lochkit: SHIV_ROOT: {bad}: must be")
    assert not (home / ".cache").exists()


@as_root
@pytest.mark.parametrize(
    "environ", [{}, {"HOME": ""}, {"HOME": "/"}, {"HOME": "/nonexistent"}, {"HOME": "/root"}]
)
def test_without_any_place_it_runs_from_the_file(public: Path, environ: dict[str, str]) -> None:
    """As under systemd with DynamicUser and ProtectHome: no home, nothing to write to."""
    before = sorted(public.parent.iterdir())
    assert as_user(public, **environ).startswith("lochkit ")
    assert sorted(public.parent.iterdir()) == before


@as_root
def test_a_copy_unpacked_by_root_serves_everybody_and_stays_as_it_is(public: Path) -> None:
    """Unpacked at installation, read-only for the service."""
    place = public.parent / "modules"
    start(public, SHIV_ROOT=str(place), python=system_python())
    subprocess.run(["chmod", "-R", "a+rX", str(place)], check=True)
    before = sorted(place.rglob("*"))
    assert as_user(public, SHIV_ROOT=str(place)).startswith("lochkit ")
    assert sorted(place.rglob("*")) == before


@as_root
def test_somebody_elses_copy_is_not_run_even_by_root(public: Path) -> None:
    place = public.parent / "modules"
    start(public, SHIV_ROOT=str(place))
    os.chown(place, NOBODY, NOBODY)
    process = starting(public, SHIV_ROOT=str(place))
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 78
    assert "SHIV_ROOT" in complaint


# --- first starts that meet, die, or come after another version


def test_many_first_starts_at_once(pyz: Path, home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda _: start(pyz, HOME=str(home)), range(8)))
    assert len(set(outputs)) == 1
    place = home / ".cache" / "lochkit"
    assert len(unpacked(place)) == 1
    assert not list(place.glob(".*.new"))


@pytest.mark.parametrize("after", [0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.3])
def test_killed_while_unpacking_the_next_start_is_as_the_first(
    pyz: Path, home: Path, after: float
) -> None:
    process = starting(pyz, HOME=str(home))
    time.sleep(after)
    process.kill()
    process.communicate(timeout=60)
    began = time.monotonic()
    assert start(pyz, HOME=str(home)).startswith("lochkit ")
    assert time.monotonic() - began < 10


def other_version(pyz: Path, output: Path) -> Path:
    """Make a pyz of another version: the same but for its build id."""
    with zipfile.ZipFile(pyz) as source, zipfile.ZipFile(output, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "__main__.py":
                data = re.sub(rb'BUILD = "\w+"', b'BUILD = "another"', data)
            target.writestr(name, data)
    return output


def test_a_new_version_removes_what_nobody_uses(pyz: Path, home: Path, tmp_path: Path) -> None:
    place = home / ".cache" / "lochkit"
    start(pyz, HOME=str(home))
    stranger = place / "lochkit-notes"
    stranger.mkdir()
    abandoned = place / ".lochkit_dead.xyz.new"
    abandoned.mkdir()
    os.utime(abandoned, (0, 0))
    start(other_version(pyz, tmp_path / "other.pyz"), HOME=str(home))
    assert [path.name for path in unpacked(place)] == ["lochkit_another"]
    assert stranger.exists()
    assert not abandoned.exists()
    assert not list(place.glob(".*.old"))


def test_a_version_in_use_is_left_alone(pyz: Path, home: Path, tmp_path: Path) -> None:
    place = home / ".cache" / "lochkit"
    # Any subcommand that runs until told: this one has no etcd to reach and goes on trying.
    words = ("etcdwatch", "--etcd", "http://127.0.0.1:1", "--", "true")
    process = starting(pyz, *words, HOME=str(home))
    try:
        deadline = time.monotonic() + 30
        while not unpacked(place) and time.monotonic() < deadline:
            time.sleep(0.05)
        start(other_version(pyz, tmp_path / "other.pyz"), HOME=str(home))
        assert process.poll() is None
        assert len(unpacked(place)) == 2
    finally:
        process.kill()
        process.communicate(timeout=60)
    shutil.rmtree(place / "lochkit_another")
    start(tmp_path / "other.pyz", HOME=str(home))
    assert [path.name for path in unpacked(place)] == ["lochkit_another"]
