package config

import (
	"encoding"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
)

// describe is what flags say of their variables; with values, how they stand.
func describe(flags []*flag, values bool) []Variable {
	all := make([]Variable, 0, len(flags))
	for _, f := range flags {
		v := Variable{Name: f.variable, Flag: "--" + f.Name, Default: f.Default, Unit: unit(f), Help: f.Help}
		_, named := strings.CutSuffix(f.variable, fileSuffix)
		if f.secret {
			v.Secret, v.File = true, f.variable+fileSuffix
		} else if named {
			v.Unit = "file"
		}
		if values {
			v.Value, v.From = value(f, v)
		}
		all = append(all, v)
	}
	return all
}

// unit is the tag `unit`, else what the type says.
func unit(f *flag) string {
	if f.Tag.Has("unit") {
		return f.Tag.Get("unit")
	}
	switch {
	case f.Enum != "":
		return strings.Join(f.EnumSlice(), ", ")
	case f.Target.Type() == reflect.TypeFor[time.Duration]():
		return "duration"
	case f.Target.Kind() == reflect.Bool:
		return "true, false"
	case f.Target.Kind() == reflect.Map:
		return "name=value;…"
	case f.Target.CanInt(), f.Target.CanUint(), f.Target.CanFloat():
		return "number"
	}
	if strings.HasSuffix(f.variable, "_URL") {
		return "URL"
	}
	return "text"
}

// value is what holds after kong has parsed, and whence it is.
func value(f *flag, v Variable) (text, from string) {
	basis, from := f.Default, "default"
	if f.set {
		basis, from = f.given, "environment"
	}
	switch {
	case f.wrong:
		return "(wrong)", from
	case v.File != "" && os.Getenv(v.File) != "" && f.Target.IsZero():
		return "set by file", "file"
	case basis == "" && f.Target.IsZero():
		return "-", ""
	case !holds(f, basis):
		basis, from = shown(f.Target), "flag"
	}
	if v.Secret {
		return "set", from
	}
	return withoutPassword(basis), from
}

// holds says whether the field is what a text gives.
func holds(f *flag, text string) bool {
	if text == "" {
		return f.Target.IsZero()
	}
	target := reflect.New(f.Target.Type()).Elem()
	return f.parse(text, target) == nil && reflect.DeepEqual(target.Interface(), f.Target.Interface())
}

// shown is a value for people.
func shown(target reflect.Value) string {
	if target.Kind() == reflect.Map {
		var all []string
		for _, key := range target.MapKeys() {
			all = append(all, fmt.Sprintf("%v=%v", key, target.MapIndex(key)))
		}
		slices.Sort(all)
		return strings.Join(all, ";")
	}
	return fmt.Sprint(target.Interface())
}

// withoutPassword is a text in which nobody's password is, should it be a URL.
func withoutPassword(text string) string {
	u, err := url.Parse(text)
	switch {
	case !strings.Contains(text, "@"):
		return text
	case err != nil || u.Opaque != "":
		return "(not shown: it may hold a password)"
	case u.User != nil:
		return u.Redacted()
	}
	return text
}

// mistake says what was given and what the type takes.
func mistake(f *flag) string {
	given := fmt.Sprintf("%q", withoutPassword(f.given))
	if f.secret {
		given = "what is given"
	}
	kind := f.Target.Type()
	switch {
	case f.Enum != "":
		return given + " is none of " + unit(f)
	case kind == reflect.TypeFor[time.Duration]():
		return given + " is no duration such as 500ms, 10s or 2m"
	case reflect.PointerTo(kind).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return given + " is none of " + unit(f)
	case kind.Kind() == reflect.Bool:
		return given + " is neither true nor false"
	case kind.Kind() == reflect.Map:
		return given + " is not of the form " + unit(f)
	case f.Target.CanFloat():
		return given + " is no number"
	case f.Target.CanInt(), f.Target.CanUint():
		return given + " is no whole number, or too large"
	}
	return given + " can't be read"
}
