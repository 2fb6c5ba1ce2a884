package orchestrator

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// How many days of costs one answer has.
const (
	defaultCostDays = 30
	maxCostDays     = 400
)

var costParameters = []parameter{{
	"days", "How many days (UTC), today included.",
	&jsonschema.Schema{Type: "integer", Minimum: new(1.), Maximum: new(float64(maxCostDays)), Default: json.RawMessage(strconv.Itoa(defaultCostDays))},
}}

// getCosts shows what language models took.
func (o *Orchestrator) getCosts(c echo.Context) (postgres.Costs, error) {
	days, err := readDays(c.QueryParams())
	if err != nil {
		return postgres.Costs{}, err
	}
	return o.store.Costs(c.Request().Context(), days)
}

func readDays(query url.Values) (days int, err error) {
	if err := onlyQuery(query, "days"); err != nil {
		return 0, err
	}
	days = defaultCostDays
	if texts, given := query["days"]; given {
		if days, err = strconv.Atoi(texts[0]); err != nil || len(texts) > 1 || days < 1 || days > maxCostDays {
			return 0, invalid(agents.FieldError{Field: "days", Detail: fmt.Sprintf("must be given once, in 1..%d", maxCostDays)})
		}
	}
	return days, nil
}
