# Every recipe is one line that could be typed. `make demo` and `make test` work on a fresh Debian or Ubuntu with Rust:
# scripts/need installs what is missing when it may, else it names it.

.PHONY: help demo test fmt lint doc deny ci up down bless bench compose-check

help: ## list the recipes
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

demo: ## the whole pipeline in one process, on a simulated fleet
	@scripts/need build && cargo run --release --locked -- demo

test: ## every test, against real Kafka and blob storage and judged by pandas, Polars and DuckDB
	@scripts/need test && scripts/services run -- cargo test --workspace --locked

fmt: ## format the code
	cargo fmt --all

lint: ## what clippy has to say, warnings as errors
	cargo clippy --workspace --all-targets --locked -- -D warnings

doc: ## build the API documentation, warnings as errors
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

deny: ## licences, bans, sources and advisories of all dependencies
	scripts/deny

ci: ## what the server runs
	.ci/run

up: ## the local stack in containers: Kafka, Azurite, simulator, Atalaia, Prometheus, Grafana
	docker compose up --build --detach

down: ## stop the local stack and forget its data
	docker compose down --volumes

bless: ## rewrite the generated documents and expected results that tests compare with
	ATALAIA_BLESS=1 cargo test --workspace --locked

bench: ## speed on this machine beside a bare consumer (release build, real Kafka)
	@scripts/need test && scripts/services run --kafka -- cargo run --release --locked --package atalaia-bench

compose-check: ## check docker-compose.yml with compose's own loader (needs Go)
	cd scripts/compose-check && go run . ../../docker-compose.yml
