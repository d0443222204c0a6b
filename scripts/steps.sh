# Sourced by the other scripts: each step says its name when it starts and its time when it ends.

# A step runs outside of any condition, so that `set -e` holds inside it; the trap says which one failed.
STEP=
trap '[ -z "$STEP" ] || echo "==> $STEP: FAILED" >&2' EXIT

step() {
    local start=$SECONDS
    STEP=$1
    shift
    echo "==> $STEP"
    "$@"
    echo "==> $STEP: ok, $((SECONDS - start)) s"
    STEP=
}

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# What cargo needs to build framecast, as PROGRAM:PACKAGE pairs of Debian. cmake and nasm are for
# libjpeg-turbo, c++ and nasm for openh264.
BUILD_PROGRAMS="cc:gcc c++:g++ make:make cmake:cmake nasm:nasm"

# missing_packages PROGRAM:PACKAGE...: prints the packages of the programs that are absent.
missing_packages() {
    local pair
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
    done
    # Debian's gcc only recommends the headers of the C library.
    case " $* " in
    *" cc:gcc "*) echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1 || echo libc6-dev ;;
    esac
}

# debian_packages HINT PACKAGE...: installs them, as root or by sudo, and says so first. Where that is not
# possible it says in one line what is missing and adds the hint.
debian_packages() {
    local hint=$1
    shift
    local install="apt-get install -y --no-install-recommends $*"
    command -v apt-get >/dev/null ||
        die "missing: $* (names of Debian's packages); install them and try again$hint"
    local as=""
    if [ "$(id -u)" != 0 ]; then
        if sudo -n true 2>/dev/null; then
            as="sudo -n"
        elif [ -t 0 ] && command -v sudo >/dev/null; then
            as=sudo
        else
            die "missing: $*; run: sudo $install$hint"
        fi
    fi
    echo "==> installing Debian packages: ${as:+$as }$install" >&2
    $as apt-get update -qq
    $as env DEBIAN_FRONTEND=noninteractive $install -qq >/dev/null
}

# Finds cargo, or says what is missing.
rust() {
    export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    command -v cargo >/dev/null || die "missing: Rust $wanted or newer; install it from https://rustup.rs and try again"
    found=$(rustc --version | cut -d ' ' -f 2)
    [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] ||
        die "Rust $found is too old, $wanted or newer is needed; run: rustup update"
}

# Installs what cargo needs to build framecast beside Rust.
build_tools() {
    local missing
    missing=$(missing_packages $BUILD_PROGRAMS)
    [ -n "$missing" ] || return 0
    debian_packages ", or do without cmake and nasm: cargo run --release --no-default-features" $missing
}

target_dir() {
    cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}
