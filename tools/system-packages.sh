#!/bin/sh
# Installs the Debian packages that a list names, where this user may; says what is missing where not.
# A missing system package never stops the course: `python -m course doctor` tells what it costs.
list=$1
wanted=$(sed 's/#.*//' "$list")

command -v dpkg-query >/dev/null || {
    echo "No Debian package manager here; the course runs without:" $wanted
    exit 0
}
missing=
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root=sudo
else
    echo "Missing system packages:$missing"
    echo "The course runs without them. To add them: sudo apt install$missing"
    exit 0
fi
echo "Installing system packages:$missing"
export DEBIAN_FRONTEND=noninteractive
{ $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends $missing; } >/dev/null ||
    echo "Could not install them; the course runs without."
