#!/bin/sh
# Installs the packages of commands that are missing: need.sh COMMAND...
# With apt-get, dnf or brew, through sudo where this is not root.
set -u

package() { # COMMAND: the package it comes in, where that has another name
    case $1:$manager in
        cc:apt-get | cc:dnf) echo gcc ;;
        setpriv:* | unshare:*) echo util-linux ;;
        man:apt-get | man:dnf) echo man-db ;;
        ssh:apt-get) echo openssh-client ;;
        ssh:dnf) echo openssh-clients ;;
        sshd:apt-get | sshd:dnf) echo openssh-server ;;
        systemd-analyze:*) echo systemd ;;
        npx:*) echo npm ;;
        supervisord:*) echo supervisor ;;
        ps:dnf | pgrep:dnf) echo procps-ng ;;
        ps:* | pgrep:*) echo procps ;;
        *) echo "$1" ;;
    esac
}

present() { # COMMAND, or bash-completion, which is none
    case $1 in
        bash-completion) [ -e /usr/share/bash-completion/bash_completion ] ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing=''
for command in "$@"; do
    present "$command" || missing="$missing $command"
done
[ -n "$missing" ] || exit 0

manager=''
for candidate in apt-get dnf brew; do
    if command -v "$candidate" >/dev/null 2>&1; then
        manager=$candidate
        break
    fi
done
if [ -z "$manager" ]; then
    echo "need.sh: missing:$missing; found none of apt-get, dnf, brew to install them with" >&2
    exit 2
fi

packages=''
for command in $missing; do
    packages="$packages $(package "$command")"
done
as_root=''
if [ "$manager" != brew ] && [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
fi
echo "Installing with $manager:$packages"
if [ "$manager" = apt-get ]; then
    $as_root apt-get update -qq || exit 2
fi
# shellcheck disable=SC2086 # words
if [ "$manager" = brew ]; then
    brew install $packages
else
    $as_root env DEBIAN_FRONTEND=noninteractive "$manager" install -y -q $packages >/dev/null
fi
