#!/usr/bin/env bash
# Installs other people's validators into .validate: pinned, verified by hashes, and each tried once.
#
#   install.sh [PYTHON [TARGET]]
#
# What this machine cannot install is one printed sentence, which TARGET/NAME.missing keeps for the tests to skip with.
# Ends with 1 only where a download differs from its hash.
set -uo pipefail
export LC_ALL=C
cd "$(dirname "$0")" || exit
readonly here=$PWD python=${1:-python3}
mkdir -p "${2:-../../.validate}"
target=$(cd "${2:-../../.validate}" && pwd)
readonly target
tampered=0

python_version() { "$python" -c 'import sys; print(sys.version, sys.base_prefix)'; }
python_install() {
    "$python" -m venv --clear "$target/python" &&
        "$target/python/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
            --requirement requirements.txt
}
python_try() { "$target/python/bin/python" -W ignore -c 'import cfnlint, parliament'; }

node_version() { node --version; }
node_install() {
    mkdir -p "$target/node" && cp package.json package-lock.json "$target/node" &&
        npm ci --prefix "$target/node" --loglevel error --fetch-retries 1 --ignore-scripts --no-audit --no-fund
}
node_try() {
    echo '[{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}]' |
        NODE_PATH=$target/node/node_modules node "$here/judge_state_machines.cjs"
}

java_version() { java -version 2>&1 && javac -version 2>&1; }
java_install() {
    mvn --quiet --batch-mode -Dstyle.color=never --strict-checksums --file pom.xml dependency:copy-dependencies \
        "-DoutputDirectory=$target/java" &&
        (cd "$target/java" && sha256sum --quiet --check "$here/java.sha256" &&
            diff <(printf '%s\n' *.jar | sort) <(cut -c 67- "$here/java.sha256" | sort) ||
            { echo "archives: FAILED to be those of java.sha256" && false; }) &&
        javac -d "$target/java" -cp "$target/java/*" MatchEvents.java
}
java_try() {
    [[ $(echo '{"pattern": "{\"a\": [1]}", "event": "{\"a\": 1}"}' |
        java -cp "$target/java:$target/java/*" MatchEvents) == true ]]
}

browser_version() { "$python" -c 'import sys; print(sys.version, sys.base_prefix)' && chromium --version; }
browser_install() {
    "$python" -m venv --clear "$target/browser" &&
        "$target/browser/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
            --requirement requirements-browser.txt
}
browser_try() { "$target/browser/bin/python" -c 'import axe_playwright_python, playwright.sync_api'; }

# install_debian COMMAND PACKAGE: where this machine lacks a program and may install it. Playwright would download a
# browser of its own.
install_debian() {
    command -v "$1" > /dev/null || [[ $(id -u) != 0 ]] || ! command -v apt-get > /dev/null ||
        { apt-get update && apt-get install --yes --no-install-recommends "$2"; } > "$target/apt-$2.log" 2>&1 ||
        echo "Debian's package $2 could not be installed: $(tail -n 1 "$target/apt-$2.log")"
}

# skip NAME SENTENCE
skip() {
    rm -rf "${target:?}/$1" "$target/$1.stamp"
    echo "$2" | tee "$target/$1.missing"
}

# provide NAME WHAT COMMANDS FILE...: installs it unless it is current, that is: unless the commands or files changed.
provide() {
    local name=$1 what=$2 commands=$3 command stamp log problem
    shift 3
    for command in $commands; do
        if ! command -v "$command" > /dev/null; then
            skip "$name" "Skipped $what: no $command on the PATH."
            return
        fi
    done
    stamp=$({ "${name}_version"; cat "$@"; } 2>&1 | sha256sum)
    [[ -f $target/$name.stamp && $(< "$target/$name.stamp") == "$stamp" ]] && return
    log=$target/$name.log
    rm -rf "${target:?}/$name" "$target/$name.stamp" "$target/$name.missing"
    # The stamp is written last: an installation that was cut short starts anew.
    if "${name}_install" > "$log" 2>&1 && "${name}_try" >> "$log" 2>&1; then
        echo "$stamp" > "$target/$name.stamp"
        return
    fi
    problem=$(grep -i -m 1 -E 'error|exception|failed|not found|unsupported' "$log" || tail -n 1 "$log")
    problem=${problem:-without a message}
    if grep -q -E 'DO NOT MATCH THE HASHES|EINTEGRITY|: FAILED|Checksum validation failed' "$log"; then
        tampered=1
        skip "$name" "Refused $what: a download differs from its hash (${problem:0:200})."
    else
        skip "$name" "Skipped $what: the installation failed (${problem:0:200})."
    fi
}

provide python "cfn-lint and parliament" "" requirements.txt
provide node "asl-validator and statelint" "node npm" package.json package-lock.json judge_state_machines.cjs
provide java "Event Ruler" "java javac mvn" pom.xml java.sha256 MatchEvents.java
install_debian chromium chromium
install_debian soffice libreoffice-calc-nogui
install_debian pdftotext poppler-utils
provide browser "the HTML report in Chromium" "chromium" requirements-browser.txt
exit "$tampered"
