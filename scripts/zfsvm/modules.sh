# Debian's cloud kernel, and ZFS compiled for it as dkms would, without dkms.
# Part of scripts/zfsvm/build.

# Unpack the kernel and its headers; sets KVER, KPKGVER and KDIR.
kernel() {
    local image headers
    image=$(dependency linux-image-cloud-amd64 '^linux-image-')
    [ -n "$image" ] || fail "the archive has no linux-image-cloud-amd64"
    headers=${image/image/headers}
    KVER=${image#linux-image-}
    KPKGVER=$(field "$image" Version)
    KDIR=$work/linux-$KVER-$KPKGVER
    [ ! -e "$KDIR/.done" ] || return 0
    say "kernel $KVER ($KPKGVER)"
    rm -rf "$KDIR"
    unpack "$KDIR" "$image" "$headers" \
        "$(dependency "$headers" '^linux-headers-.*-common$')" "$(dependency "$headers" '^linux-kbuild-')"
    # The headers name their common tree by its absolute path.
    sed -i "s#\([[:space:]]\)/usr/src/#\1$KDIR/usr/src/#g" "$KDIR/usr/src/$headers/Makefile"
    depmod -b "$KDIR" "$KVER" # the package's own script would have run it
    touch "$KDIR/.done"
}

# Compile ZFS's modules of a version; sets MODULES to where they are.
modules() {
    local version=$1 source
    MODULES=$work/mod-$KVER-$KPKGVER-zfs-$version
    [ ! -e "$MODULES/.done" ] || return 0
    rm -rf "$MODULES" "$work/src-$version"
    mkdir -p "$MODULES"
    # Debugging information would be stripped in the end; without it the compiler has less to do.
    export KCFLAGS=-g0
    # Unpacked rather than installed, it neither asks about its licence nor calls dkms.
    unpack "$work/src-$version" "zfs-dkms=$version"
    source=$(echo "$work/src-$version"/usr/src/zfs-*)
    say "zfs $version: configuring"
    (cd "$source" && ./configure --disable-dependency-tracking --prefix=/usr --with-config=kernel \
        --with-linux="$KDIR/usr/src/linux-headers-${KVER%-cloud-*}-common" \
        --with-linux-obj="$KDIR/usr/src/linux-headers-$KVER") >"$MODULES/configure.log" 2>&1 ||
        fail "configure failed, see $MODULES/configure.log"
    say "zfs $version: compiling"
    (cd "$source" && make -j"$(nproc)") >"$MODULES/make.log" 2>&1 ||
        fail "make failed, see $MODULES/make.log"
    find "$source/module" -name '*.ko' -exec cp -t "$MODULES" {} +
    strip --strip-debug "$MODULES"/*.ko
    rm -rf "$work/src-$version"
    touch "$MODULES/.done"
    say "zfs $version: compiled"
}
