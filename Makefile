# Two commands for a newcomer: `make demo` shows the gateway at work, `make test`
# passes the tests. Everything they need is installed by scripts/setup.

WASM := target/wasm32-wasip1/wasm/portcullis.wasm
COMMAND := target/debug/portcullis

.PHONY: help demo up down test check unit wasm-unit e2e conformance size bench compose-test schema fmt setup setup-demo wasm command

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: setup-demo wasm command ## Walk a tour through a running gateway
	scripts/demo

up: setup-demo wasm command ## Start the demo's gateway and leave it running
	scripts/demo up

down: ## Stop what `make up` started
	scripts/demo down

test: setup check unit wasm-unit size e2e ## Everything that CI runs

check: ## Formatting, lints on both targets, licences and sources of crates
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	cargo clippy --quiet --lib --examples --target wasm32-wasip1 -- -D warnings
	scripts/check-pure
	scripts/check-crates

unit: ## Unit tests, cases through the pure engine, properties, conformance suites
	cargo test --lib --bins --test anomaly --test conformance --test engine --test properties

wasm-unit: ## The same unit tests, compiled to the target that ships
	CARGO_TARGET_WASM32_WASIP1_RUNNER="node tests/wasm/run.mjs" cargo test --lib --target wasm32-wasip1

e2e: wasm ## Real Envoy, real identity provider
	cargo test --test e2e

size: wasm ## The module's size against its budget
	scripts/check-size $(WASM)

bench: setup ## Three tables: Envoy alone, an empty filter, Envoy's own filters, Portcullis
	scripts/bench

compose-test: wasm command ## The deployment in docker-compose.yml, tested from outside
	scripts/compose-test

schema: command ## Write policy.schema.json anew
	$(COMMAND) schema > policy.schema.json

fmt: ## Format the code
	cargo fmt

wasm: ## The module that Envoy loads
	cargo build --quiet --lib --profile wasm --target wasm32-wasip1

command: ## The command `portcullis`
	cargo build --quiet --bin portcullis

setup: ## Install what build and tests need
	scripts/setup

setup-demo:
	scripts/setup --demo
