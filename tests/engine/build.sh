#!/usr/bin/env bash
# Builds into .engine/bin, once each: the Pulumi CLI, its language host for YAML, and the generator of SDKs. They come
# from the Go module registry, pinned by tests/engine/cli/go.sum and tests/engine/yaml/go.sum. A `pulumi` on the PATH
# that is recent enough is used as it is, and brings a language host.
set -euo pipefail
cd "$(dirname "$0")"
readonly built=$PWD/../../.engine/bin needs_go=1.26.6
oldest=$(sed -n 's|^requiredPulumiVersion: ">=\(.*\)"$|\1|p' ../../Pulumi.yaml)

not_older() { printf '%s\n%s\n' "$1" "$2" | sort --version-sort --check=quiet; }

# list_pending TARGET SOURCE...: the target, unless it was built from these sources as they are
list_pending() {
    local target=$1
    shift
    [[ -x $built/$target && -f $built/$target.stamp ]] && [[ $(<"$built/$target.stamp") == "$(stamp "$@")" ]] || echo "$target"
}
stamp() { cat "$@" | sha256sum; }

# build TARGET MODULE_FOLDER PACKAGE LINKER_FLAGS SOURCE...
build() {
    local target=$1 folder=$2 package=$3 flags=$4
    shift 4
    echo "Building $target (once; the first takes several minutes) ..."
    mkdir -p "$built"
    (cd "$folder" && CGO_ENABLED=0 GOFLAGS='-mod=readonly -buildvcs=false' go build -ldflags "-s -w $flags" -o "$built/$target" "$package")
    # The stamp is written last: a build that was cut short starts anew.
    stamp "$@" > "$built/$target.stamp"
}

readonly cli=(cli/go.sum) yaml=(yaml/go.sum) sdk=(cli/go.sum cli/sdk/main.go)
pending=$(list_pending pulumi "${cli[@]}" && list_pending pulumi-language-yaml "${yaml[@]}" && list_pending generate-sdk "${sdk[@]}")
if [[ $pending == *pulumi* ]] && installed=$(pulumi version 2> /dev/null) && not_older "$oldest" "${installed#v}"; then
    echo "The engine is the installed pulumi $installed."
    pending=$(list_pending generate-sdk "${sdk[@]}")
fi
if [[ -z $pending ]]; then
    exit 0
fi
if ! go=$(GOTOOLCHAIN=local go env GOVERSION 2> /dev/null) || ! not_older "$needs_go" "${go#go}"; then
    go="Go $needs_go or later builds it, got ${go:-no go on the PATH}"
    [[ $pending != *pulumi* ]] || echo "No engine: $go; or install pulumi $oldest or later."
    [[ $pending != *generate-sdk* ]] || echo "No generator of SDKs: $go."
    exit 0
fi
version=$(sed -n 's|^require github.com/pulumi/pulumi/pkg/v3 v||p' cli/go.mod)
for target in $pending; do
    case $target in
        pulumi) build pulumi cli github.com/pulumi/pulumi/pkg/v3/cmd/pulumi \
            "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v$version" "${cli[@]}" ;;
        pulumi-language-yaml) build pulumi-language-yaml yaml github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml "" "${yaml[@]}" ;;
        generate-sdk) build generate-sdk cli ./sdk "" "${sdk[@]}" ;;
    esac
done
