// Generated-client is a polling client that was written with the document of the
// API at hand and nothing else: it starts a run and polls it to its result.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	_ "github.com/oapi-codegen/runtime" // what the generated package imports

	"generated/api"
)

func main() {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	result, err := run(ctx, os.Getenv("CICLO_URL"), os.Getenv("CICLO_TOKEN"))
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

// run starts the agent and returns its result.
func run(ctx context.Context, url, token string) (any, error) {
	client, err := api.NewClientWithResponses(url, api.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+token)
		return nil
	}))
	if err != nil {
		return nil, err
	}
	steps := 3
	accepted, err := client.RunTestStepsWithResponse(ctx, &api.RunTestStepsParams{IdempotencyKey: new("once")}, api.RunTestStepsJSONRequestBody{Steps: &steps})
	if err != nil {
		return nil, err
	}
	if accepted.JSON202 == nil {
		return nil, fmt.Errorf("the run was refused: %s", accepted.Body)
	}
	etag := ""
	for {
		params := &api.GetExecutionParams{Wait: new("10s")}
		if etag != "" {
			params.IfNoneMatch = &etag
		}
		polled, err := client.GetExecutionWithResponse(ctx, accepted.JSON202.ExecutionId, params)
		switch {
		case err != nil:
			return nil, err
		case polled.StatusCode() == http.StatusNotModified:
			continue
		case polled.JSON200 == nil:
			return nil, fmt.Errorf("the poll was refused: %s", polled.Body)
		}
		execution := polled.JSON200
		log.Printf("%s, attempt %d of %d", execution.Status, execution.Attempt, execution.Tries)
		switch execution.Status {
		case api.StatusCompleted:
			return execution.Result, nil
		case api.StatusFailed, api.StatusCancelled:
			return nil, fmt.Errorf("it ended as %s: %s", execution.Status, execution.Message)
		}
		etag = polled.HTTPResponse.Header.Get("ETag")
		pause, err := strconv.Atoi(polled.HTTPResponse.Header.Get("Retry-After"))
		if err != nil {
			return nil, fmt.Errorf("no Retry-After: %w", err)
		}
		time.Sleep(time.Duration(pause) * time.Second)
	}
}
