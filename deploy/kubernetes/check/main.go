// Command check builds kustomizations and holds what comes out against the types of
// Kubernetes' own API: a field that isn't there, one that is there twice, a value of
// another type, a selector that selects nothing and a port that nobody has are
// errors. It prints the objects as JSON, by folder, for those who know more of them.
// It is a module of its own, so that Ciclo's doesn't need Kubernetes'.
//
//	go run . ../base ../overlays/example
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run checks each folder and writes {folder: [object, …]}.
func run(folders []string, out io.Writer) error {
	if len(folders) == 0 {
		return errors.New("name the folders to check")
	}
	all := map[string][]any{}
	var wrong []error
	for _, folder := range folders {
		objects, err := build(folder)
		if err == nil {
			err = consistent(objects)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", folder, err))
		}
		all[folder] = objects
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(all); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// kinds are the types of all that may stand in a manifest.
var kinds = map[string]func() any{
	"v1 ConfigMap":                       func() any { return new(corev1.ConfigMap) },
	"v1 Namespace":                       func() any { return new(corev1.Namespace) },
	"v1 Service":                         func() any { return new(corev1.Service) },
	"v1 ServiceAccount":                  func() any { return new(corev1.ServiceAccount) },
	"apps/v1 Deployment":                 func() any { return new(appsv1.Deployment) },
	"batch/v1 Job":                       func() any { return new(batchv1.Job) },
	"networking.k8s.io/v1 NetworkPolicy": func() any { return new(networkingv1.NetworkPolicy) },
	"policy/v1 PodDisruptionBudget":      func() any { return new(policyv1.PodDisruptionBudget) },
}

// build is a kustomization's objects, strictly read.
func build(folder string) ([]any, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	var objects []any
	var wrong []error
	for _, resource := range built.Resources() {
		kind := resource.GetApiVersion() + " " + resource.GetKind()
		made, known := kinds[kind]
		if !known {
			wrong = append(wrong, fmt.Errorf("%s is none of the kinds that are known here", kind))
			continue
		}
		text, err := resource.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", kind, resource.GetName(), err)
		}
		object := made()
		if err := yaml.UnmarshalStrict(text, object); err != nil {
			wrong = append(wrong, fmt.Errorf("%s %s: %w", kind, resource.GetName(), err))
			continue
		}
		objects = append(objects, object)
	}
	return objects, errors.Join(wrong...)
}
