# Iris: what a developer and a pipeline run. Needs Go, gcc (for the race detector), git and make; `make` lists the verbs.
#
# FOCUS=<regexp> runs only the specs (or, for bench, the benchmarks) whose name matches; SEED=<n> repeats a run: the
# order of the specs and every chaos decision follow from it. Reports are written to reports/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --keep-going
.DEFAULT_GOAL := help

FOCUS ?=
SEED ?=
REPEAT ?= 20
KILLS ?= 20

empty :=
space := $(empty) $(empty)
TOOL := go tool -modfile=go.tools.mod
PROTO := iris/proto

# The unit tests are all tests but the suite. $(call units,<report>,<go test flags>,<packages>)
units = go test -json $(2) -skip '^TestIris$$' $(3) | go run ./.ci/junit reports/$(1).xml

# Packages that test the participants in bubbles. Under the race detector these run on one processor:
# acceptance/chronos/race.go says why.
BUBBLES := acceptance/fault chaos/chaosgrpc examples/service \
	$(addprefix iris/,auth client cluster controller dashboard faults follow journal network peers telemetry worker)
bubbles := $(BUBBLES:%=./%)
others = $$(go list ./... | grep -vxE 'iris/($(subst $(space),|,$(strip $(BUBBLES))))')

# The specs. $(call specs,<report>,<label filter>,<ginkgo flags>)
specs = go tool ginkgo --succinct --silence-skips --fail-on-empty --label-filter='$(2)' $(3) \
	$(if $(SEED),--seed=$(SEED)) --output-dir=reports --junit-report=$(1).xml . -- -test.run='^TestIris$$'
focus = $(if $(FOCUS),--focus='$(FOCUS)')

# On the wall clock the specs wait more than they work: more of them at once than there are processors.
waiting := --procs=6

# The scenarios that a pipeline also runs on the wall clock: each takes seconds. $(call short,<report>,<label>)
SHORT := smoke report_task_state_failure worker_crash_mid_task worker_sequential_jobs \
	task_fails_once_then_succeeds task_timeout retry_budget_exact capacity_wait vm_scale_from_zero vm_quota_wait
SHORT_FOCUS := \b($(subst $(space),|,$(strip $(SHORT)))):
short = $(call specs,$(1),$(2),$(waiting) --focus='$(SHORT_FOCUS)') && \
	for name in $(SHORT); do \
		grep -q "<testcase name=\"[^\"]*\b$$name:[^\"]*\"[^>]* status=\"passed\"" reports/$(1).xml || \
			{ echo "$(1): no spec is called $$name any more: mend SHORT in the Makefile" >&2; exit 1; }; \
	done

.PHONY: help
help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nVariables: FOCUS=<regexp> SEED=<n> REPEAT=<n> KILLS=<n> FOR=<duration>; for example: make chaos FOCUS=heartbeat SEED=7\n'

.PHONY: build
build: ## bin/iris: the command, one static binary
	@CGO_ENABLED=0 go build -trimpath -o bin/iris ./iris/cmd/iris

.PHONY: chaos
chaos: ## the chaos scenarios in virtual time, within seconds
	@$(call specs,chaos,chaos && virtual,$(focus))

.PHONY: chaos-realtime chaos-process
chaos-realtime: ## the chaos scenarios on the wall clock, over TCP, in one process
	@$(call specs,chaos-realtime,chaos && realtime,$(waiting) $(focus))
chaos-process: ## the chaos scenarios against real daemons, each a process of its own
	@$(call specs,chaos-process,chaos && process && !kill,$(waiting) $(focus))

.PHONY: kill9
kill9: ## jobs run right while daemons are killed with kill -9, KILLS times (20) in each spec
	@KILLS=$(KILLS) $(call specs,kill9,kill,$(focus))

.PHONY: test unit specs
test: unit specs ## every unit test, and every spec in virtual time
unit: ## the unit tests
	@$(call units,unit,,./...)
specs: ## the specs in virtual time
	@$(call specs,specs,virtual,$(focus))

.PHONY: race unit-race specs-race
race: unit-race specs-race ## the same with the race detector
unit-race:
	@$(call units,unit-race,-race,$(others))
	@$(call units,unit-race-bubbles,-race -cpu=1,$(bubbles))
specs-race:
	@$(call specs,specs-race,virtual,--race $(focus))

.PHONY: realtime-short process-short
realtime-short: ## the wall-clock scenarios that take seconds
	@$(call short,realtime-short,realtime)
process-short: ## the same against real daemons
	@$(call short,process-short,process)

.PHONY: deflake
deflake: ## the specs in virtual time REPEAT+1 times: shuffled, with the race detector, a seed each
	@$(call specs,deflake,virtual,--race --randomize-all --repeat=$(REPEAT) $(focus))

# Random runs. FOR=<duration> or CLUSTER_HOURS=<n>, GEN=exact|real (empty: both), AT_ONCE=<n> stories of the exact one, and for
# replay SEED=<n> or STORY=<file>.
FOR ?= 60s
HOURS ?= 8
GEN ?=
STORY ?=
CLUSTER_HOURS ?=
AT_ONCE ?= 1
random = go test -count=1 -v -timeout 0 -run '^$(1)$$' $(2) ./acceptance/swarm -args $(if $(SEED),-seed=$(SEED)) $(if $(GEN),-gen=$(GEN))

.PHONY: swarm swarm-soak replay mutants
swarm: ## random stories for FOR (60s): what breaks a promise is made small, and kept in reports/
	@$(call random,TestSwarm) -at-once=$(AT_ONCE) $(if $(CLUSTER_HOURS),-hours=$(CLUSTER_HOURS),-for=$(FOR))
swarm-soak: ## the same for HOURS (8)
	@$(call random,TestSwarm) -at-once=$(AT_ONCE) -for=$(HOURS)h
replay: ## one random story again: SEED=<n> GEN=exact|real, or STORY=<file>
	@$(call random,TestReplay) $(if $(STORY),-story=$(abspath $(STORY)))
mutants: ## how many random stories it takes to find each deliberate bug (that FOCUS matches)
	@$(call random,TestMutants,-tags=mutants) $(if $(FOCUS),-mutant='$(FOCUS)')

.PHONY: browser screenshots
browser: ## the specs of the pages, in a Chromium that is installed
	@$(call specs,browser,browser,$(focus))
screenshots: SEED := $(or $(SEED),1)
screenshots: chaos ## the pictures in docs/img anew, from a run of the chaos scenarios
	@$(call specs,screenshots,screenshots,$(focus))

.PHONY: bench
bench: ## every benchmark
	@mkdir -p reports
	@go test -run '^$$' -bench '$(or $(FOCUS),.)' -benchmem ./... | tee reports/bench.txt

.PHONY: lint vet staticcheck ginkgolinter
lint: fmt-check vet staticcheck ginkgolinter ## gofmt, go vet, staticcheck, ginkgolinter
vet:
	@go vet ./... ./.ci/junit
	@go vet -tags mutants ./...
staticcheck:
	@$(TOOL) staticcheck ./... ./.ci/junit
	@$(TOOL) staticcheck -tags mutants ./iris/...
ginkgolinter:
	@$(TOOL) ginkgolinter ./...

.PHONY: generate
generate: ## write the Go code of iris/proto anew from its .proto files
	@go run -modfile=go.tools.mod $(PROTO)/generate.go

.PHONY: verify fmt-check generate-check tidy-check
verify: fmt-check generate-check tidy-check ## what is checked in is formatted, generated and tidy
fmt-check:
	@files=$$(gofmt -l .); [[ -z "$$files" ]] || { echo "not formatted; run gofmt -w on:" >&2; echo "$$files" >&2; exit 1; }
generate-check:
	@before=$$(mktemp -d); trap 'rm -rf "$$before"' EXIT; cp $(PROTO)/*.pb.go "$$before"; \
	$(MAKE) --no-print-directory generate; \
	for file in $(PROTO)/*.pb.go; do \
		diff -u "$$before/$${file##*/}" "$$file" || { echo "$$file was stale; it is written anew: keep it" >&2; exit 1; }; \
	done
tidy-check: ## go.mod and go.sum are what go mod tidy writes
	@go mod tidy -diff

.PHONY: clean
clean: ## remove reports and binaries
	@rm -rf reports bin logs/chaos/summary.md
