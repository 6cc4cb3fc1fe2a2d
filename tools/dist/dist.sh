#!/bin/sh
# Builds what is released: dist.sh TARGETDIR TARGET...
# For each target a tarball of what `make install` installs, for Linux a .deb too, and SHA256SUMS.
# A target that cannot be built for here is SKIPPED, with the reason, and the exit status is 1
# (AGENTUTILS_SKIP=1: 0, as long as one was built).
#
# Two ways are known, and it says which it takes:
#   rustup   rustup has installed the target (rustup target add TARGET); Linux without a C compiler for the
#            target is linked by cargo-zigbuild
#   source   no rustup component for the target: the standard library is built from its source
#            (Debian: rustc-web cargo-web rust-web-src), and linked by cargo-zigbuild
# cargo-zigbuild and ziglang come from PyPI: pip install cargo-zigbuild ziglang.
set -u

directory=$1
shift
cd "$(dirname "$0")/../.." || exit 2
case $directory in /*) ;; *) directory=$PWD/$directory ;; esac
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
dist=$directory/packages
: "${CARGO:=cargo}"
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH
mkdir -p "$dist" || exit 2
rm -f "$dist"/agentutils[-_]* "$dist/SHA256SUMS"

has() { command -v "$1" >/dev/null 2>&1; }

host=$(rustc -vV 2>/dev/null | sed -n 's/^host: //p')

# Where the compiler is that has the standard library's source: a directory for PATH.
source_compiler() {
    for compiler in "$(command -v rustc)" /usr/bin/rustc; do
        [ -x "$compiler" ] || continue
        if [ -d "$("$compiler" --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/std" ]; then
            dirname "$compiler"
            return 0
        fi
    done
    return 1
}

build() { # TARGET: builds the programs for it; says why not
    target=$1
    case $target in
        *-musl) flags='-C target-feature=+crt-static' ;;
        *) flags='' ;;
    esac
    variable=$(echo "$target" | tr 'a-z-' 'A-Z_')
    # A Mac links for both of its processors.
    native=''
    case $target:$host in "$host:$host" | *-apple-darwin:*-apple-darwin) native=yes ;; esac
    if has rustup && rustup target list --installed | grep -qx "$target"; then
        if [ -n "$native" ]; then
            echo "$target: by rustup, linked by this machine's compiler"
            env "CARGO_TARGET_${variable}_RUSTFLAGS=$flags" CARGO_TARGET_DIR="$directory" \
                "$CARGO" build --profile dist --locked -p agentutils --bins --target "$target"
            return
        fi
        has cargo-zigbuild || { reason='no cargo-zigbuild (pip install cargo-zigbuild ziglang)'; return 1; }
        echo "$target: by rustup, linked by cargo-zigbuild"
        env "CARGO_TARGET_${variable}_RUSTFLAGS=$flags" CARGO_TARGET_DIR="$directory" \
            "$CARGO" zigbuild --profile dist --locked -p agentutils --bins --target "$target"
        return
    fi
    compiler=$(source_compiler) || {
        reason="no standard library for it (rustup target add $target), and not its source either"
        return 1
    }
    has cargo-zigbuild || { reason='no cargo-zigbuild (pip install cargo-zigbuild ziglang)'; return 1; }
    echo "$target: standard library from source ($("$compiler/rustc" --version)), linked by cargo-zigbuild"
    # Of musl, zig has the files to start a program; rustc's are not there. Of macOS, there is no
    # objcopy to strip with.
    strip=''
    case $target in
        *-musl) flags="$flags -C link-self-contained=no" ;;
        *-apple-darwin) strip=none ;;
    esac
    set -- "CARGO_TARGET_${variable}_RUSTFLAGS=$flags" "CARGO=$compiler/cargo" \
        "RUSTC=$compiler/rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$directory"
    [ -z "$strip" ] || set -- "$@" "CARGO_PROFILE_DIST_STRIP=$strip"
    env "$@" cargo-zigbuild zigbuild -Zbuild-std=std,panic_unwind --profile dist --locked -p agentutils --bins --target "$target"
}

pack() { # TARGET
    name=agentutils-$version-$1
    stage=$dist/stage
    rm -rf "$stage"
    make -s -o all -o completions install DESTDIR="$stage" PREFIX="/$name" \
        built="$directory/$1/dist" completions="$directory/release/completions" || return 1
    for file in LICENSE-MIT LICENSE-APACHE README.md CHANGELOG.md; do
        install -m 644 "$file" "$stage/$name/" || return 1
    done
    # The same bytes from the same source.
    if tar --version 2>/dev/null | grep -q GNU; then
        set -- --sort=name --owner=0 --group=0 --numeric-owner "--mtime=@$SOURCE_DATE_EPOCH"
    else
        set -- --uid 0 --gid 0
    fi
    tar -C "$stage" "$@" -cf "$stage/tar" "$name" && gzip -9n <"$stage/tar" >"$dist/$name.tar.gz"
}

package() { # TARGET: its .deb
    has cargo-deb || { echo "SKIPPED: .deb of $1: no cargo-deb (cargo install cargo-deb)" >&2; return 1; }
    # Where tools/Cargo.toml looks for it.
    debian=$directory/$1/dist/debian
    rm -rf "$debian"
    make -s -o all -o completions install DESTDIR="$debian" PREFIX=/usr \
        built="$directory/$1/dist" completions="$directory/release/completions" \
        zsh_completions=/usr/share/zsh/vendor-completions || return 1
    # Debian's policy: pages are compressed, and an alias is a link.
    (cd "$debian/usr/share/man" && for page in man?/*; do
        if grep -q '^\.so ' "$page"; then
            ln -s "$(sed -n 's|^\.so man./||p' "$page").gz" "$page.gz" && rm "$page"
        else
            gzip -9n "$page"
        fi || exit 1
    done) || return 1
    documents=$debian/usr/share/doc/agentutils
    mkdir -p "$documents" && gzip -9n <CHANGELOG.md >"$documents/changelog.gz" || return 1
    gzip -9n >"$documents/changelog.Debian.gz" <<END || return 1
agentutils ($version-1) unstable; urgency=medium

  * Release $version; see changelog.gz.

 -- the agentutils contributors <agentutils@localhost>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
    env CARGO_TARGET_DIR="$directory" "$CARGO" deb -q --no-build --no-strip -p agentutils --profile dist --target "$1" --output "$dist"
}

built=''
skipped=''
for target in "$@"; do
    reason='it does not build'
    if build "$target" && pack "$target"; then
        built="$built $target"
        case $target in *-linux-*) package "$target" || skipped="$skipped $target.deb" ;; esac
    else
        echo "SKIPPED: $target: $reason" >&2
        skipped="$skipped $target"
    fi
done
rm -rf "$dist/stage"
[ -n "$built" ] || exit 1
sum=sha256sum
has sha256sum || sum='shasum -a 256'
(cd "$dist" && $sum agentutils[-_]* >SHA256SUMS && cat SHA256SUMS) || exit 2
[ -z "$skipped" ] || { echo "SKIPPED:$skipped" >&2; [ "${AGENTUTILS_SKIP:-}" = 1 ]; }
