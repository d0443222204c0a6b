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

# Installs Debian packages, or says in one line what is missing where it may not.
debian_packages() {
    local install="apt-get install -y --no-install-recommends"
    command -v apt-get >/dev/null || die "missing: $* (names of Debian's packages); install them and try again"
    local as=()
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || die "missing: $*; run: sudo $install $*"
        as=(sudo -n)
    fi
    "${as[@]}" apt-get update -qq
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive $install -qq "$@" >/dev/null
}

target_dir() {
    cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}
