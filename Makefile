# `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: bench-pages screenshots help build demo dev test check lint format arch eval bench bench-quick bench-recovery bench-scale bench-import bench-panels chaos chaos-unfenced chaos-failover fuzz fuzz-decoders images clean

GOLANGCI_LINT_VERSION := v2.15.0
GOBIN := $(shell go env GOPATH)/bin
FAILOVER_FAULTS := worker killed|frozen|cut off|Postgres stopped|sessions terminated|NOTIFYs|network
BINARIES := bin/ciclo bin/orchestrator bin/worker

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the three programs into bin/.
	go build -trimpath -o bin/ ./cmd/...

demo: build ## Run everything here on demo data and show the result; Ctrl-C ends it.
	bin/ciclo dev --demo

dev: build ## Run everything here, without demo data.
	bin/ciclo dev

test: ## Run all tests, on a real Postgres.
	go test -race -shuffle=on -timeout 20m ./...

check: format-check lint test ## Format, vet, lint, arch and tests: what CI runs.

format: ## Format the code.
	gofmt -w .

.PHONY: format-check
format-check:
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "not formatted (make format): $$files"; exit 1; fi
	go vet ./...

lint: $(GOBIN)/golangci-lint-$(GOLANGCI_LINT_VERSION) ## Lint.
	$< run --allow-parallel-runners ./...

$(GOBIN)/golangci-lint-$(GOLANGCI_LINT_VERSION):
	go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(GOBIN)/golangci-lint $@

eval: ## Measure the agents' figures against their targets (DATA=folder).
	go run ./internal/eval -data $(or $(DATA),../shared/data)

bench: ## Measure speed as ratios against floors, in ten minutes.
	go run ./internal/bench

bench-quick: ## The same in about a minute, rougher.
	go run ./internal/bench -quick

bench-recovery: ## Kill 50 workers with -9 and measure when others go on, in two minutes.
	go run ./internal/bench -only '^recovery$$'

bench-scale: ## Measure pages of lists at a million executions beside ten thousand, in ten minutes.
	go run ./internal/bench -only '^scale$$'

bench-pages: ## Measure the dashboard's pages at a million executions beside ten thousand.
	go run ./internal/bench -only '^pages$$'

bench-import: ## Import a million payments beside a bare COPY, in some five minutes.
	go run ./internal/bench -only '^imports$$'

bench-panels: ## Measure the queries of the Grafana dashboards at a million executions, in ten minutes.
	go run ./internal/bench -only '^panels$$'

chaos: ## Break everything around the real services, then check what is left (DURATION=1m SEED=n).
	go run ./internal/chaos -duration $(or $(DURATION),1m) $(if $(SEED),-seed $(SEED))

chaos-unfenced: ## The same for 45 s without the fence, which the checker must find.
	go run ./internal/chaos -duration 45s -rest 500ms -faults 'worker (frozen|cut off)' -unfenced $(if $(SEED),-seed $(SEED))

chaos-failover: ## Kill the primary and promote a synchronous replica, then one that lags, whose losses the checker must find (SEED=n).
	go run ./internal/chaos -duration 15s -faults '$(FAILOVER_FAULTS)' -failover sync $(if $(SEED),-seed $(SEED))
	go run ./internal/chaos -duration 8s -faults '$(FAILOVER_FAULTS)' -failover async $(if $(SEED),-seed $(SEED))
.PHONY: chaos-containers chaos-containers-unfenced test-containers
chaos-containers: ## The same done to the containers of docker-compose.yml, where Docker is, in two minutes.
	go run ./internal/chaos -containers -rate 3 $(if $(SEED),-seed $(SEED))

chaos-containers-unfenced: ## The same without the fence, which the checker must find.
	go run ./internal/chaos -containers -rate 10 -unfenced $(if $(SEED),-seed $(SEED))

test-containers: ## Run the tests of every package that uses the database on Postgres 17 in containers, where Docker is (LESS=1: without those of the built programs).
	@if image=$$(deploy/postgres-image); then \
		CICLO_TEST_POSTGRES=container CICLO_TEST_POSTGRES_IMAGE=$$image go test -shuffle=on -timeout 20m \
			$$(go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... | awk '/internal\/testdatabase/ { print $$1 }' $(if $(LESS),| grep -vE 'internal/(outside|docs)$$')); \
	elif [ "$$CICLO_NEED_CONTAINERS" = 1 ]; then exit 1; \
	else echo "the tests were not run on containers"; fi

fuzz: ## Send the running services 100,000 requests, right, nearly right and hostile (N=requests SEED=n).
	go run ./internal/hostile -requests $(or $(N),100000) $(if $(SEED),-seed $(SEED))

# Each package's decoders are built once. Go before 1.27 may take the end of the time for
# a failure (go.dev/issue/75804), so that each is tried twice: what it really finds, it
# keeps in testdata and finds again.
fuzz-decoders: ## Fuzz each decoder for a while (FUZZTIME=5s), and the whole API with 20,000 mutated requests.
	@failed=0; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	for package in $$(grep -rl '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u); do \
		go test -c -vet=off -fuzz . -o "$$work/fuzz.test" $$package || exit 1; \
		for target in $$(grep -oh '^func Fuzz[A-Za-z]*' $$package/*_test.go | cut -c6-); do \
			time=$(or $(FUZZTIME),5s); if [ $$target = FuzzRequests ]; then time=20000x; fi; \
			echo "$$package $$target"; \
			one() { (cd $$package && "$$work/fuzz.test" -test.run '^$$' -test.fuzz "^$$target$$" -test.fuzztime $$time -test.fuzzminimizetime 10x -test.fuzzcachedir "$$work/cache"); }; \
			one || one || failed=1; \
		done; \
	done; exit $$failed

screenshots: build ## Take the pictures of docs/img from a demo, in a real Chromium.
	CICLO_SCREENSHOTS=$(CURDIR)/docs/img go test -count=1 -run TheDashboard ./internal/browser

images: ## Build the container image from local binaries, and check it with compose.
	deploy/check-compose

clean: ## Remove what was built; the data of make demo stays in .ciclo.
	rm -rf bin
