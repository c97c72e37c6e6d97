# The machine's root file system and its initrd.
# Part of scripts/zfsvm/build.

# Make OUT/root.squashfs, and OUT/python with its Python's version: root_file_system TRACK VERSION OUT.
root_file_system() {
    local track=$1 version=$2 out=$3 root=$work/root-$1 packages package
    say "$track: root file system"
    rm -rf --one-file-system "${root:?}"
    packages=bash,dash,coreutils,grep,sed,mawk,findutils,diffutils,util-linux,mount,procps,hostname,kmod
    packages+=,tar,gzip,zstd,pv,mbuffer,python3,tzdata,openssl,openssh-client,zfsutils-linux=$version
    # ZFS's libraries of the same version, where another suite's would do for apt.
    for package in $(apt-cache "${APT[@]}" show "zfsutils-linux=$version" | sed -n 's/^Depends: //p' |
        grep -oE '[a-z0-9.+-]+ \(= [^)]*\)' | awk '{print $1}' | sort -u); do
        packages+=,$package=$version
    done
    # "extract": these and what they depend on, unpacked, none of their scripts run.
    mmdebstrap --quiet --mode=root --variant=extract --architectures=amd64 \
        --include="$packages${extra:+,$extra}" --aptopt='APT::Sandbox::User "root"' \
        "$RELEASE" "$root" "$APT_DIR/sources.list" >"$work/mmdebstrap-$track.log" 2>&1 ||
        fail "mmdebstrap failed, see $work/mmdebstrap-$track.log"
    slim "$root"
    settings "$root"
    programs "$root"
    machine_modules "$root"
    chroot "$root" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' >"$out/python" ||
        fail "$track: the Python inside does not start"
    rm -f "$out/root.squashfs"
    mksquashfs "$root" "$out/root.squashfs" -comp zstd -Xcompression-level 15 -b 128K -no-xattrs \
        -noappend -quiet -no-progress >"$work/mksquashfs-$track.log" 2>&1 ||
        fail "mksquashfs failed, see $work/mksquashfs-$track.log"
    rm -rf --one-file-system "${root:?}"
}

# Drop what no test reads. (Perl comes along as a dependency of what only maintainer scripts need.)
slim() {
    local root=$1
    rm -rf "${root:?}"/usr/share/{doc,man,locale,info,perl,perl5,lintian,bash-completion,zoneinfo-icu,bug,gcc,gdb,i18n} \
        "${root:?}"/usr/lib/*/{perl*,gconv} "${root:?}"/usr/bin/perl* "${root:?}"/usr/lib/initramfs-tools \
        "${root:?}"/usr/lib/python3*/{test,idlelib,tkinter,lib2to3,pydoc_data,ensurepip} \
        "${root:?}"/var/{cache,lib/apt,lib/dpkg} "${root:?}"/etc/apt "${root:?}"/boot/*
    # An emulated processor is slow at compiling the standard library.
    find "$root" -name __pycache__ -prune -exec rm -rf {} +
    chroot "$root" python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3* >/dev/null || true
}

# What the packages' scripts would have written, and what makes it this machine.
settings() {
    local etc=$1/etc
    cat >"$etc/passwd" <<-'X'
	root:x:0:0:root:/root:/bin/bash
	tester:x:1000:1000::/home/tester:/bin/bash
	nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
	X
    printf 'root:x:0:\ntty:x:5:\ndisk:x:6:\ntester:x:1000:\nnogroup:x:65534:\n' >"$etc/group"
    printf 'root:*:19000:0:99999:7:::\ntester:*:19000:0:99999:7:::\n' >"$etc/shadow"
    chmod 600 "$etc/shadow"
    install -d -m 755 "$1/mnt/share" "$1/root"
    install -d -m 755 -o 1000 -g 1000 "$1/home/tester"
    echo zfsvm >"$etc/hostname"
    printf '127.0.0.1 localhost zfsvm\n::1 localhost\n' >"$etc/hosts"
    printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n' >"$etc/nsswitch.conf"
    echo '00bab10c00bab10c00bab10c00bab10c' >"$etc/machine-id"
    : >"$etc/fstab"
    ln -sf /proc/self/mounts "$etc/mtab"
    printf '\x0c\xb1\xba\x00' >"$etc/hostid" # without one, pools would seem to be of another host
    # Whatever a test puts into PYTHONPATH, for the processes that it starts.
    echo /mnt/share/site >"$1/usr/lib/python3/dist-packages/share.pth"
    mkdir -p "$etc/modprobe.d"
    echo 'options zfs zfs_arc_max=268435456' >"$etc/modprobe.d/zfs.conf"
}

# The first process, and busybox for what no package has brought.
programs() {
    local root=$1 name place
    install -m 755 "$here/guest/init" "$root/sbin/vm-init"
    [ -e "$root/usr/bin/awk" ] || ln -s mawk "$root/usr/bin/awk"
    cp "$(command -v busybox)" "$root/bin/busybox"
    for name in $(busybox --list); do
        for place in bin sbin usr/bin usr/sbin; do [ ! -e "$root/$place/$name" ] || continue 2; done
        ln -s busybox "$root/bin/$name"
    done
}

machine_modules() {
    local to=$1/lib/modules/$KVER
    mkdir -p "$to/extra"
    cp "$MODULES"/*.ko "$to/extra/"
    (cd "$KDIR/lib/modules/$KVER" && cp modules.order modules.builtin modules.builtin.modinfo "$to/")
    depmod -b "$1" "$KVER"
}

# Make the initrd, which has busybox and the modules that lead to the root: initrd TRACK OUTPUT.
initrd() {
    local out=$2 tree=$work/initrd-$1 module file
    rm -rf "$tree"
    mkdir -p "$tree"/{bin,dev,proc,sys,ro,rw,root,modules}
    cp "$(command -v busybox)" "$tree/bin/busybox"
    ln -s busybox "$tree/bin/sh"
    install -m 755 "$here/guest/initrd" "$tree/init"
    # In the order to load them: what one needs comes before it.
    for module in virtio_pci virtio_blk virtio_console squashfs overlay virtiofs; do
        modprobe -d "$KDIR" -S "$KVER" -D "$module" | awk '$1 == "insmod" {print $2}'
    done | awk '!seen[$0]++' >"$tree/found"
    while read -r file; do
        cp "$file" "$tree/modules/"
        file=$tree/modules/${file##*/}
        case $file in *.xz) xz -d "$file" && file=${file%.xz} ;; esac
        strip --strip-debug "$file"
        echo "/modules/${file##*/}" >>"$tree/load"
    done <"$tree/found"
    rm "$tree/found"
    (cd "$tree" && find . | cpio -o -H newc --quiet | gzip -9) >"$out"
    rm -rf "$tree"
}
