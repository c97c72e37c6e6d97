# Packages: the host's build tools, and an apt state of our own that sees contrib and backports.
# Part of scripts/zfsvm/build.

# shellcheck disable=SC1091
RELEASE=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
APT_DIR=$dir/apt

# Install what building and running needs, with the host's own apt.
host_tools() {
    local need=() package
    for package in qemu-system-x86 qemu-system-common mmdebstrap squashfs-tools cpio busybox-static \
        kmod zstd xz-utils gcc make libc6-dev libelf1 file; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || need+=("$package")
    done
    # It came with qemu until bookworm.
    if [ ! -x /usr/lib/qemu/virtiofsd ] && [ ! -x /usr/libexec/virtiofsd ]; then
        [ "$RELEASE" = bookworm ] || need+=(virtiofsd)
    fi
    [ ${#need[@]} != 0 ] || return 0
    say "installing on this host: ${need[*]}"
    apt-get -q update >"$work/host-apt.log" 2>&1 || fail "apt-get update failed, see $work/host-apt.log"
    apt-get -qy install --no-install-recommends "${need[@]}" >>"$work/host-apt.log" 2>&1 ||
        fail "apt-get install failed, see $work/host-apt.log"
}

# Which archives the host has for its release: "URI SUITE" a line.
host_archives() {
    # shellcheck disable=SC2016 # apt's own $
    apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
        sort -u | { grep -E " $RELEASE(-updates|-security)?\$" || true; }
}

# Make the apt state, and read the archive's lists into it.
archive_state() {
    local uri suite signed='' key=/usr/share/keyrings/debian-archive-keyring.gpg
    mkdir -p "$APT_DIR"/{lists/partial,cache/archives/partial}
    host_archives >"$APT_DIR/host"
    if [ ! -s "$APT_DIR/host" ]; then # no lists there: a fresh host, or one that cleans them up
        apt-get -q update >"$work/host-apt.log" 2>&1 || fail "apt-get update failed, see $work/host-apt.log"
        host_archives >"$APT_DIR/host"
    fi
    [ -s "$APT_DIR/host" ] || fail "this host's apt knows no archive of Debian $RELEASE"
    [ ! -e $key ] || signed="[signed-by=$key] "
    while read -r uri suite; do
        echo "deb $signed$uri $suite main contrib"
        [ "$suite" != "$RELEASE" ] || echo "deb $signed$uri $RELEASE-backports main contrib"
    done <"$APT_DIR/host" >"$APT_DIR/sources.list"
    APT=(-o "Dir::Etc::sourcelist=$APT_DIR/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::Etc::preferencesparts=/dev/null -o "Dir::State::lists=$APT_DIR/lists"
        -o "Dir::Cache=$APT_DIR/cache" -o APT::Sandbox::User=root)
    apt-get -q "${APT[@]}" update >"$work/apt.log" 2>&1 || fail "apt-get update failed, see $work/apt.log"
}

# Print a field of a package: field PACKAGE FIELD.
# (This awk and the next ones read to the end: leaving early is a SIGPIPE, which pipefail would report.)
field() {
    apt-cache "${APT[@]}" show --no-all-versions "$1" |
        awk -v name="$2: " 'index($0, name) == 1 && !n++ {print substr($0, length(name) + 1)}'
}

# Print the first package that another depends on and that matches: dependency PACKAGE REGEX.
dependency() { field "$1" Depends | tr ',' '\n' | awk -v re="$2" '$1 ~ re && !n++ {print $1}'; }

# Print the version of ZFS that a track has.
zfs_version() {
    local suite=$RELEASE
    [ "$1" = stable ] || suite=$RELEASE-backports
    apt-cache "${APT[@]}" madison zfs-dkms |
        awk -F' *[|] *' -v suite=" $suite/" 'index($3, suite) && !n++ {gsub(/ /, "", $2); print $2}'
}

# Download packages and unpack them, without any of their scripts: unpack DIRECTORY PACKAGE[=VERSION]...
unpack() {
    local where=$1 debs
    shift
    debs=$(mktemp -d "$work/debs.XXXXXX")
    (cd "$debs" && apt-get -q "${APT[@]}" download "$@") >>"$work/apt.log" 2>&1 ||
        fail "cannot download $*, see $work/apt.log"
    mkdir -p "$where"
    for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$where"; done
    rm -rf "$debs"
}
