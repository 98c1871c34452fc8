#!/usr/bin/env bash
# Builds the Pulumi CLI into .engine/bin, once: from the Go module registry, pinned by tests/engine/cli/go.sum. A
# `pulumi` on the PATH that is recent enough is used as it is.
set -euo pipefail
cd "$(dirname "$0")/cli"
readonly target=$PWD/../../../.engine/bin/pulumi needs_go=1.26.6
oldest=$(sed -n 's|^requiredPulumiVersion: ">=\(.*\)"$|\1|p' ../../../Pulumi.yaml)

not_older() { printf '%s\n%s\n' "$1" "$2" | sort --version-sort --check=quiet; }

version=$(sed -n 's|^require github.com/pulumi/pulumi/pkg/v3 v||p' go.mod)
if [[ -x $target ]] && [[ $("$target" version) == "v$version" ]]; then
    exit 0
fi
if installed=$(pulumi version 2>/dev/null) && not_older "$oldest" "${installed#v}"; then
    echo "The engine is the installed pulumi $installed."
    exit 0
fi
if ! go=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || ! not_older "$needs_go" "${go#go}"; then
    echo "No engine: Go $needs_go or later builds one, got ${go:-no go on the PATH}; or install pulumi $oldest or later."
    exit 0
fi
echo "Building pulumi $version (several minutes, once) ..."
mkdir -p "$(dirname "$target")"
CGO_ENABLED=0 GOFLAGS='-mod=readonly -buildvcs=false' go build \
    -ldflags "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v$version" \
    -o "$target" github.com/pulumi/pulumi/pkg/v3/cmd/pulumi
