# Marina's commands. `make help` lists them.
PYTHON = python3
VENV = .venv/bin

# A KUBECONFIG that merely stands in your shell is not taken: only `make demo KUBECONFIG=file` names a host.
given_host = $(if $(filter command line,$(origin KUBECONFIG)),$(KUBECONFIG))
yes = $(filter-out 0 no false,$(1))

.DEFAULT_GOAL = help
.PHONY: help environment tools demo test check soak bench bench-engine bench-api bench-gateway bench-lifecycle bench-migration e2e-host requirements clean

help: ## this list
	@awk -F ': .*## ' '/^[a-z0-9-]+: .*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

environment: # the virtual environment with everything pinned; 0.1 s when it is there
	@$(PYTHON) dev/bootstrap.py

tools: environment ## find the Kubernetes tools, or build them (minutes, once a machine)
	@$(VENV)/python -m localkube tools >/dev/null

demo: environment ## Marina with two local hosts; ONCE=1 ends by itself, KEEP=1 keeps data, KUBECONFIG=file uses that cluster
	@exec $(VENV)/python -m dev.demo $(if $(call yes,$(ONCE)),--once) $(if $(call yes,$(KEEP)),--keep) \
	  $(if $(given_host),--kubeconfig '$(given_host)') $(if $(EXPOSURE),--exposure '$(EXPOSURE)')

test: tools ## all tests, on real API servers, PostgreSQL and Valkey; ARGS=... goes to pytest
	@exec $(VENV)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)

check: environment ## lint, format, types, layers, migrations, deployment settings, requirements, docs
	@exec $(VENV)/python -m dev.check

soak: tools ## half an hour of work and kills, then the long tests: SECONDS=1800, SEED=..., TESTS=0 leaves those out
	@exec $(VENV)/python -m dev.soak --seconds '$(or $(SECONDS),1800)' $(if $(SEED),--seed '$(SEED)') \
	  $(if $(filter 0 no false,$(TESTS)),--no-tests)

bench: bench-engine bench-api bench-gateway bench-lifecycle bench-migration ## all measurements, as ratios; writes docs/benchmarks.md

bench-engine: tools ## what the engine costs, what it keeps apart: PARTS=no-op,creating,apart,probing names some
	@exec $(VENV)/python -m tests.bench.engine $(PARTS)

bench-api: environment ## what the API costs with 100,000 virtual clusters, against bare SQL and an empty view
	@exec $(VENV)/python -m tests.bench.api

bench-gateway: tools ## what the gateway adds to requests, lists and watches, beside the same without it
	@exec $(VENV)/python -m tests.bench.gateway

bench-lifecycle: tools ## sleep, wake, exports and restores beside kubectl, and a sweep: PARTS=sleeping,exporting,sweeping
	@exec $(VENV)/python -m tests.bench.lifecycle $(PARTS)

bench-migration: tools ## moves and upgrades beside helm and kubectl, and the freeze: PARTS=migrating,freezing,upgrading
	@exec $(VENV)/python -m tests.bench.moving $(PARTS)

e2e-host: tools ## the journeys of tests/e2e on a cluster of yours: KUBECONFIG=file, CHART_FOLDER=..., EXPOSURE=...
	@exec $(VENV)/python -m dev.e2e_host --kubeconfig '$(given_host)' --exposure '$(or $(EXPOSURE),None)' -- $(ARGS)

requirements: environment ## compile requirements*.txt anew from the short *.in (needs a package index)
	@exec $(VENV)/python -m dev.requirements compile

clean: ## remove everything that these commands made here; the tools in the cache folder stay
	rm -rf .marina .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
