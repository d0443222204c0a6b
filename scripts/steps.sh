# Sourced by the other scripts: each step says its name when it starts and its time when it ends.

step() {
    local name=$1 start=$SECONDS
    shift
    echo "==> $name"
    if ! "$@"; then
        echo "==> $name: FAILED after $((SECONDS - start)) s" >&2
        return 1
    fi
    echo "==> $name: ok, $((SECONDS - start)) s"
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
