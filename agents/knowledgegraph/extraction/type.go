package extraction

// TypeOf is the type of what has that name in a table of such a type: a name with a
// legal form is a company's, also where the table is of people or places.
func TypeOf(t Type, name string) Type {
	if (t == Person || t == Location) && hasForm(name) {
		return Company
	}
	return t
}
