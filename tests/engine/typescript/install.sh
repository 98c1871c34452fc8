#!/usr/bin/env bash
# Installs the TypeScript compiler and Pulumi's SDK into .engine/typescript, once: pinned, and verified by hashes. What
# this machine cannot install is one printed sentence.
set -uo pipefail
cd "$(dirname "$0")"
readonly target=$PWD/../../../.engine/typescript
for command in node npm; do
    if ! command -v "$command" > /dev/null; then
        echo "No TypeScript: no $command on the PATH."
        exit 0
    fi
done
stamp=$({ node --version && cat package.json package-lock.json; } | sha256sum)
[[ -f $target/stamp && $(< "$target/stamp") == "$stamp" ]] && exit 0
rm -rf "$target"
mkdir -p "$target"
cp package.json package-lock.json "$target"
if problem=$(npm ci --prefix "$target" --loglevel error --fetch-retries 1 --ignore-scripts --no-audit --no-fund 2>&1); then
    # The stamp is written last: an installation that was cut short starts anew.
    echo "$stamp" > "$target/stamp"
elif [[ $problem == *EINTEGRITY* ]]; then
    echo "No TypeScript: a download differs from its hash."
    exit 1
else
    echo "No TypeScript: the installation failed ($(head -n 1 <<< "$problem"))."
fi
