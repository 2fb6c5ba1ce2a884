package relations

import (
	"slices"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// signature is what types of things a relation can be of.
type signature struct{ subjects, objects []extraction.Type }

var subjectMatters = []extraction.Type{extraction.Topic, extraction.PracticeType, extraction.Document, extraction.Law}

var signatures = map[extraction.Predicate]signature{
	extraction.WorksFor:      {[]extraction.Type{extraction.Person}, []extraction.Type{extraction.Company}},
	extraction.ClientOf:      {[]extraction.Type{extraction.Person, extraction.Company}, []extraction.Type{extraction.Company}},
	extraction.LocatedIn:     {[]extraction.Type{extraction.Company, extraction.Person, extraction.Location}, []extraction.Type{extraction.Location}},
	extraction.GovernedBy:    {[]extraction.Type{extraction.PracticeType, extraction.Topic, extraction.Document, extraction.Company}, []extraction.Type{extraction.Law}},
	extraction.Requires:      {[]extraction.Type{extraction.PracticeType, extraction.Topic}, []extraction.Type{extraction.Document, extraction.PracticeType, extraction.Money}},
	extraction.ConflictsWith: {subjectMatters, subjectMatters},
	extraction.ExampleOf:     {subjectMatters, subjectMatters},
	extraction.RelatesTo:     {subjectMatters, subjectMatters},
}

// predicates are the relations that two types may have, in order.
func predicates(subject, object extraction.Type) []extraction.Predicate {
	var all []extraction.Predicate
	for p := range signatures {
		if Relates(p, subject, object) {
			all = append(all, p)
		}
	}
	slices.Sort(all)
	return all
}

// Relates reports whether a thing of one type can have the relation to one of another.
func Relates(p extraction.Predicate, subject, object extraction.Type) bool {
	s := signatures[p]
	return slices.Contains(s.subjects, subject) && slices.Contains(s.objects, object)
}
