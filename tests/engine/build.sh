#!/usr/bin/env bash
# Builds the Pulumi CLI and its language host for YAML into .engine/bin, once: from the Go module registry, pinned by
# tests/engine/cli/go.sum and tests/engine/yaml/go.sum. A `pulumi` on the PATH that is recent enough is used as it is.
set -euo pipefail
cd "$(dirname "$0")"
readonly built=$PWD/../../.engine/bin needs_go=1.26.6
oldest=$(sed -n 's|^requiredPulumiVersion: ">=\(.*\)"$|\1|p' ../../Pulumi.yaml)

not_older() { printf '%s\n%s\n' "$1" "$2" | sort --version-sort --check=quiet; }

# required FOLDER MODULE: the version of the module that the folder's go.mod pins
required() { sed -n "s|^require $2 v||p" "$1/go.mod"; }

# build FOLDER PACKAGE TARGET [LINKER FLAGS]
build() {
    mkdir -p "$built"
    (cd "$1" && CGO_ENABLED=0 GOFLAGS='-mod=readonly -buildvcs=false' go build -ldflags "-s -w ${4-}" -o "$built/$3" "$2")
}

version=$(required cli github.com/pulumi/pulumi/pkg/v3)
yaml_version=$(required yaml github.com/pulumi/pulumi-yaml)
has_cli() { [[ -x $built/pulumi ]] && [[ $("$built/pulumi" version) == "v$version" ]]; }
has_yaml() { [[ -x $built/pulumi-language-yaml && -f $built/yaml-version ]] && [[ $(<"$built/yaml-version") == "$yaml_version" ]]; }
if has_cli && has_yaml; then
    exit 0
fi
if ! has_cli && installed=$(pulumi version 2>/dev/null) && not_older "$oldest" "${installed#v}"; then
    echo "The engine is the installed pulumi $installed."
    exit 0
fi
if ! go=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || ! not_older "$needs_go" "${go#go}"; then
    echo "No engine: Go $needs_go or later builds one, got ${go:-no go on the PATH}; or install pulumi $oldest or later."
    exit 0
fi
if ! has_cli; then
    echo "Building pulumi $version (several minutes, once) ..."
    build cli github.com/pulumi/pulumi/pkg/v3/cmd/pulumi pulumi \
        "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v$version"
fi
if ! has_yaml; then
    echo "Building pulumi-language-yaml $yaml_version (a minute, once) ..."
    build yaml github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml pulumi-language-yaml
    echo "$yaml_version" > "$built/yaml-version"
fi
