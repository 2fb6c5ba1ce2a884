package main

import (
	"errors"
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// pods is a workload's template, with the workload's name.
type pods struct {
	name string
	corev1.PodTemplateSpec
}

// consistent says what in a set of objects leads nowhere: the API would take it.
func consistent(objects []any) error {
	var all []pods
	settings := map[string]bool{}
	accounts := map[string]bool{}
	for _, object := range objects {
		switch o := object.(type) {
		case *appsv1.Deployment:
			all = append(all, pods{o.Name, o.Spec.Template})
		case *batchv1.Job:
			all = append(all, pods{o.Name, o.Spec.Template})
		case *corev1.ConfigMap:
			settings[o.Name] = true
		case *corev1.ServiceAccount:
			accounts[o.Name] = true
		}
	}
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	for _, p := range all {
		if !accounts[p.Spec.ServiceAccountName] {
			refuse("%s: no service account %q", p.name, p.Spec.ServiceAccountName)
		}
		wrong = append(wrong, inside(p, settings)...)
	}
	for _, object := range objects {
		switch o := object.(type) {
		case *appsv1.Deployment:
			selected(refuse, o.Name, o.Spec.Selector, []pods{{o.Name, o.Spec.Template}})
			for _, spread := range o.Spec.Template.Spec.TopologySpreadConstraints {
				selected(refuse, o.Name+": the spread", spread.LabelSelector, []pods{{o.Name, o.Spec.Template}})
			}
		case *corev1.Service:
			for _, p := range selected(refuse, "service "+o.Name, &metav1.LabelSelector{MatchLabels: o.Spec.Selector}, all) {
				for _, port := range o.Spec.Ports {
					has(refuse, "service "+o.Name, p, port.TargetPort)
				}
			}
		case *policyv1.PodDisruptionBudget:
			selected(refuse, "budget "+o.Name, o.Spec.Selector, all)
		case *networkingv1.NetworkPolicy:
			chosen := selected(refuse, "policy "+o.Name, &o.Spec.PodSelector, all)
			for _, rule := range o.Spec.Ingress {
				for _, port := range rule.Ports {
					anyHas(refuse, "policy "+o.Name, chosen, *port.Port)
				}
			}
		}
	}
	return errors.Join(wrong...)
}

// inside looks at one pod: its probes' ports, its mounts, its settings.
func inside(p pods, settings map[string]bool) (wrong []error) {
	refuse := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	volumes := map[string]bool{}
	for _, v := range p.Spec.Volumes {
		volumes[v.Name] = true
	}
	unused := maps.Clone(volumes)
	for _, c := range p.Spec.Containers {
		for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
			if probe != nil && probe.HTTPGet != nil {
				has(refuse, "a probe of "+p.name, p, probe.HTTPGet.Port)
			}
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				refuse("%s mounts the volume %q, which is not there", p.name, m.Name)
			}
			delete(unused, m.Name)
		}
		for _, from := range c.EnvFrom {
			if from.ConfigMapRef == nil || !settings[from.ConfigMapRef.Name] {
				refuse("%s takes settings from what is not there", p.name)
			}
		}
	}
	for name := range unused {
		refuse("%s has the volume %q, which nothing mounts", p.name, name)
	}
	return wrong
}

type refusal func(format string, args ...any)

// selected are the pods that a selector selects; none is an error.
func selected(refuse refusal, what string, by *metav1.LabelSelector, among []pods) (chosen []pods) {
	selector, err := metav1.LabelSelectorAsSelector(by)
	if err != nil {
		refuse("%s: %v", what, err)
		return nil
	}
	for _, p := range among {
		if selector.Matches(labels.Set(p.Labels)) {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 {
		refuse("%s selects no pod", what)
	}
	return chosen
}

func offers(p pods, port intstr.IntOrString) bool {
	for _, c := range p.Spec.Containers {
		for _, offered := range c.Ports {
			if offered.Name == port.StrVal && port.Type == intstr.String || offered.ContainerPort == port.IntVal && port.Type == intstr.Int {
				return true
			}
		}
	}
	return false
}

func has(refuse refusal, what string, p pods, port intstr.IntOrString) {
	if !offers(p, port) {
		refuse("%s wants the port %s of %s, which has none", what, port.String(), p.name)
	}
}

func anyHas(refuse refusal, what string, among []pods, port intstr.IntOrString) {
	for _, p := range among {
		if offers(p, port) {
			return
		}
	}
	refuse("%s lets the port %s in, which nobody has", what, port.String())
}
