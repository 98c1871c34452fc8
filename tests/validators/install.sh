#!/usr/bin/env bash
# Installs other people's validators into .validate, each with what this machine has: pinned, and verified by hashes.
set -euo pipefail
cd "$(dirname "$0")"
readonly target=$PWD/../../.validate python=${1:-python3}

# The stamp is written last: an installation that was cut short starts anew.
is_current() { [[ -f $target/$1.stamp ]] && [[ $(<"$target/$1.stamp") == "$(cat "${@:2}" | sha256sum)" ]]; }
note() { cat "${@:2}" | sha256sum > "$target/$1.stamp"; }

mkdir -p "$target"
if ! is_current python requirements.txt; then
    "$python" -m venv --clear "$target/python"
    "$target/python/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        --requirement requirements.txt
    note python requirements.txt
fi
if command -v npm > /dev/null && ! is_current node package-lock.json; then
    mkdir -p "$target/node"
    cp package.json package-lock.json "$target/node"
    npm ci --prefix "$target/node" --silent --ignore-scripts --no-audit --no-fund
    note node package-lock.json
fi
if command -v mvn > /dev/null && command -v java > /dev/null && ! is_current java pom.xml java.sha256; then
    mvn --quiet --batch-mode --file pom.xml dependency:copy-dependencies "-DoutputDirectory=$target/java"
    (cd "$target/java" && sha256sum --quiet --check "$OLDPWD/java.sha256")
    note java pom.xml java.sha256
fi
