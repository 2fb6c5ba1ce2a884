package dashboard

// pages are all of the dashboard: a line each.
func pages() []page {
	all := []page{
		overview(),
		// Executions, cycles and schedules.
		executions(), execution(),
		cycles(), cycle(),
		schedules(), schedule(),
		clients(), oneClient(), segmentChanges(),
		messages(), oneMessage(), optOuts(),
		patterns(), patternHistory(),
		prompts(), onePrompt(),
		audit(),
	}
	// The knowledge graph.
	all = append(all, graphPages()...)
	return all
}

// section is a place in the navigation.
type section struct {
	Name, Path string
}

// sections are the navigation, in its order.
func sections() []section {
	return []section{
		{"Overview", "/"},
		{"Executions", "/executions"},
		{"Cycles", "/cycles"},
		{"Schedules", "/schedules"},
		{"Clients", "/clients"},
		{"Messages", "/messages"},
		{"Patterns", "/patterns"},
		{"Prompts", "/prompts"},
		{"Graph", "/graph"},
		{"Audit", "/audit"},
	}
}
