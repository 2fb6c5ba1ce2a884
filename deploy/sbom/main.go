// Command sbom writes the bill of materials of Ciclo's image (CycloneDX, JSON):
// the programs with their hashes, and what was linked into each, from the build
// information that Go leaves in a binary. A licence is what the module's own
// text says; a text that isn't recognised leaves it out.
//
//	go run ./deploy/sbom -out FILE BINARY...
//
// The same binaries make the same bytes: SOURCE_DATE_EPOCH is the time in it.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/licensecheck"
)

func main() {
	out := flag.String("out", "", "the `file` to write")
	flag.Parse()
	if err := run(context.Background(), *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string, binaries []string) error {
	if out == "" || len(binaries) == 0 {
		return errors.New("usage: sbom -out FILE BINARY, one or more")
	}
	made, err := moment(os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return err
	}
	bom, err := describe(ctx, binaries, made)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return os.WriteFile(out, text.Bytes(), 0o644) //nolint:gosec // everybody may read what is in the image
}

func moment(epoch string) (time.Time, error) {
	if epoch == "" {
		return time.Now().UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// describe lists the programs, their modules, and which program has which.
func describe(ctx context.Context, binaries []string, made time.Time) (*cdx.BOM, error) {
	modules := map[string]*debug.Module{}
	var programs []cdx.Component
	var needs []cdx.Dependency
	var version string
	for _, path := range slices.Sorted(slices.Values(binaries)) {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		program, err := application(path, info)
		if err != nil {
			return nil, err
		}
		version = info.Main.Version
		has := []string{purl("std", strings.TrimPrefix(info.GoVersion, "go"))}
		modules[has[0]] = &debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}
		for _, module := range info.Deps {
			if module.Replace != nil {
				module = module.Replace
			}
			ref := purl(module.Path, module.Version)
			modules[ref] = module
			has = append(has, ref)
		}
		slices.Sort(has)
		programs = append(programs, program)
		needs = append(needs, cdx.Dependency{Ref: program.BOMRef, Dependencies: &has})
	}
	libraries, err := described(ctx, modules)
	if err != nil {
		return nil, err
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Timestamp: made.Format(time.RFC3339),
		Component: &cdx.Component{
			BOMRef: "ciclo", Type: cdx.ComponentTypeContainer, Name: "ciclo", Version: version,
			Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
		},
	}
	all := slices.Concat(programs, libraries)
	bom.Components, bom.Dependencies = &all, &needs
	return bom, nil
}

// application is one program, with the settings that decide how it was built.
func application(path string, info *debug.BuildInfo) (cdx.Component, error) {
	file, err := os.Open(path)
	if err != nil {
		return cdx.Component{}, err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return cdx.Component{}, fmt.Errorf("read %s: %w", path, err)
	}
	properties := []cdx.Property{{Name: "go:version", Value: info.GoVersion}}
	for _, s := range info.Settings {
		properties = append(properties, cdx.Property{Name: "go:build:" + s.Key, Value: s.Value})
	}
	return cdx.Component{
		BOMRef: info.Path, Type: cdx.ComponentTypeApplication, Name: filepath.Base(path), Version: info.Main.Version,
		Hashes:   &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum.Sum(nil))}},
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}, Properties: &properties,
	}, nil
}

func purl(path, version string) string { return "pkg:golang/" + path + "@" + version }

// described is the modules by their references, in order.
func described(ctx context.Context, modules map[string]*debug.Module) ([]cdx.Component, error) {
	folders, err := folders(ctx, modules)
	if err != nil {
		return nil, err
	}
	var all []cdx.Component
	for _, ref := range slices.Sorted(maps.Keys(modules)) {
		module := modules[ref]
		component := cdx.Component{BOMRef: ref, Type: cdx.ComponentTypeLibrary, Name: module.Path, Version: module.Version, PackageURL: ref}
		if hash, ok := strings.CutPrefix(module.Sum, "h1:"); ok {
			sum, err := base64.StdEncoding.DecodeString(hash)
			if err != nil {
				return nil, fmt.Errorf("hash of %s: %w", module.Path, err)
			}
			component.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
		}
		if ids := licences(folders[module.Path]); len(ids) > 0 {
			licenses := cdx.Licenses{}
			for _, id := range ids {
				licenses = append(licenses, cdx.LicenseChoice{License: &cdx.License{ID: id}})
			}
			component.Licenses = &licenses
		}
		all = append(all, component)
	}
	return all, nil
}

// folders is where the modules' files lie, by path.
func folders(ctx context.Context, modules map[string]*debug.Module) (map[string]string, error) {
	found := map[string]string{}
	args := []string{"list", "-m", "-json=Path,Dir"}
	for _, module := range modules {
		if module.Path != "std" {
			args = append(args, module.Path)
		}
	}
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var module struct{ Path, Dir string }
		if err := dec.Decode(&module); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read go list: %w", err)
		}
		found[module.Path] = module.Dir
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	found["std"] = strings.TrimSpace(string(root))
	return found, nil
}

// licences are the SPDX ids of the licence texts at the top of a folder.
func licences(folder string) []string {
	if folder == "" {
		return nil
	}
	ids := map[string]bool{}
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*", "licen[cs]e*"} {
		files, _ := filepath.Glob(filepath.Join(folder, pattern)) // its one error is a bad pattern
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue // a folder
			}
			for _, match := range licensecheck.Scan(text).Match {
				ids[strings.TrimSuffix(strings.TrimSuffix(match.ID, "-Header"), "-User")] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}
