#!/bin/sh
# Build dist/lochkit.pyz: one file of pure Python for every CPython from 3.11 on.
#
#   ./build.sh [OUTPUT]
#
# Two builds of the same source give the same bytes: every dependency is pinned with its hash, times
# are fixed (SOURCE_DATE_EPOCH, default below), and the wheel is built before it is packed, because
# packing the checkout itself would leave its path in the metadata. PYTHON chooses the interpreter to
# build with (default: the newest found); the result does not depend on it.
set -eu
cd "$(dirname "$0")"
umask 022

output=${1:-dist/lochkit.pyz}
limit=3000000
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1767225600}" # 2026-01-01: any fixed time will do
export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=2
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER 2>/dev/null || true

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

python=$(scripts/python) || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The tools, in a place of their own and by hash as well.
"$python" -m venv "$work/tools"
tools=$work/tools/bin/python
"$tools" -m pip install --require-hashes --only-binary :all: -r scripts/locks/build.txt

# The dependencies, each checked by its hash.
"$tools" -m pip download --require-hashes --only-binary :all: --no-deps --dest "$work/wheels" \
    -r scripts/locks/runtime.txt

# Our own wheel, from a copy of what is to be in it: nothing else in the checkout can leak.
mkdir "$work/source"
cp pyproject.toml README.md LICENSE "$work/source/"
cp -R toolkit "$work/source/toolkit"
"$tools" -m pip wheel --no-deps --no-build-isolation --no-index --wheel-dir "$work/wheels" \
    "$work/source"

# By name and version, since a wheel's path would be written into its metadata; and from here on nothing
# but these wheels can be found, whatever the host's pip is configured to.
pins=$(cd "$work/wheels" && ls *.whl | sed 's/^\([^-]*\)-\([^-]*\)-.*/\1==\2/')
unset PIP_FIND_LINKS PIP_EXTRA_INDEX_URL PIP_INDEX_URL 2>/dev/null || true
export PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1

# --no-compile: bytecode belongs to one Python version and holds paths.
"$work/tools/bin/shiv" --reproducible --compressed --python '/usr/bin/env python3' \
    --entry-point lochkit.__main__:main --output-file "$work/shiv.pyz" \
    --no-index --find-links "$work/wheels" --no-deps --no-compile $pins >"$work/shiv.log" 2>&1 \
    || { cat "$work/shiv.log" >&2; fail "shiv failed"; }

"$tools" scripts/finish_pyz.py "$work/shiv.pyz" toolkit/pyz_main.py "$work/lochkit.pyz" "$work" "$PWD"

size=$(wc -c <"$work/lochkit.pyz")
[ "$size" -lt "$limit" ] || fail "$size bytes are too many: the limit is $limit"
mkdir -p "$(dirname "$output")"
cp "$work/lochkit.pyz" "$output.new"
chmod 755 "$output.new"
mv "$output.new" "$output" # one rename: whoever runs the old one now goes on doing so
echo "$output: $size bytes, sha256 $("$tools" -c 'import hashlib, sys
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$output")"
