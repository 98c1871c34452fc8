// Writes the SDK of a package in one language: sdk LANGUAGE SCHEMA FOLDER.
//
// `pulumi package gen-sdk` asks a language host to do so, which comes with the CLI and is not to be had by itself. It
// calls these generators.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	golang "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

// noPackages has no other package: the schema refers to none.
type noPackages struct{ schema.ReferenceLoader }

func main() {
	if len(os.Args) != 4 {
		exit(fmt.Errorf("usage: sdk LANGUAGE SCHEMA FOLDER"))
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		exit(err)
	}
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func write(language, source, folder string) error {
	text, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	var spec schema.PackageSpec
	if err := json.Unmarshal(text, &spec); err != nil {
		return err
	}
	pkg, problems, err := schema.BindSpec(spec, noPackages{}, schema.ValidationOptions{})
	if err != nil {
		return err
	}
	// A warning about the schema is an error here: it says what would be missing from an SDK.
	if len(problems) > 0 {
		return problems
	}
	// As `pulumi package add` does: with a go.mod.
	pkg.SupportPack = true
	files, err := generate(language, pkg)
	if err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func generate(language string, pkg *schema.Package) (map[string][]byte, error) {
	switch language {
	case "nodejs":
		return nodejs.GeneratePackage("pulumi", pkg, nil, nil, true, noPackages{})
	case "go":
		return golang.GeneratePackage("pulumi", pkg, nil)
	default:
		return nil, fmt.Errorf("LANGUAGE must be nodejs or go, got %s", language)
	}
}
