# Every recipe is one line that could be typed. `make demo` and `make test` work on a fresh Debian or Ubuntu with Rust:
# scripts/need installs what is missing when it may, else it names it.

SECONDS ?= 300
MINUTES ?= 2
SOURCE ?= kafka
SEEDS ?= 30000
WHAT ?= speed
PROFILE ?= kafka
# Tests mostly wait, for brokers and timeouts: twice as many of them at once as there are processors.
AT_ONCE = $${RUST_TEST_THREADS:-$$((2 * $$(nproc)))}
# The program that `cargo test` has built; `cargo build` would compile three dozen crates once more, with other features.
TESTED = $$(realpath $${CARGO_TARGET_DIR:-target}/debug/atalaia)

.PHONY: help demo test test-event-hubs search sim sweep chaos soak fuzz fmt lint doc book deny audit sbom reproducible package ci up down bless bench bench-event-hubs bench-peers bench-scale microbench instructions chart compose-check test-deploy

help: ## list the recipes
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

demo: ## the whole pipeline in one process, on a simulated fleet: half a minute, once it is built (half an hour on two cores, minutes on many)
	@scripts/need build && cargo run --release --locked -- demo

test: ## every test, against real Kafka and blob storage and judged by pandas, Polars and DuckDB; then three minutes of chaos
	@scripts/need test && RUST_TEST_THREADS=$(AT_ONCE) scripts/services run -- cargo test --workspace --locked && tests/chaos/run.py --binary $(TESTED) --minutes 2 && tests/chaos/run.py --source event-hubs --binary $(TESTED) --minutes 1 --rate 1500 && ATALAIA_BINARY=$(TESTED) scripts/test-deploy --quick

test-deploy: ## what surrounds the program: image, compose, charts, dashboards, alerts, pages, soak; or PARTS="helm compose"
	@scripts/need deploy && scripts/test-deploy $(PARTS)

test-event-hubs: ## what concerns Event Hubs alone: the emulator and its judges, the source, notes in blobs, the Kafka endpoint, the program
	@scripts/need test && scripts/services run -- scripts/test-event-hubs

chaos: ## faults on real parts for MINUTES=2, then all is recomputed from the topic (release build, real services; SOURCE=kafka|event-hubs)
	@scripts/need test && cargo build --release --locked -p atalaia -p atalaia-event-hubs-emulator && tests/chaos/run.py --source $(SOURCE) --binary $${CARGO_TARGET_DIR:-target}/release/atalaia --minutes $(MINUTES)

soak: MINUTES = 120
soak: ## MINUTES=120 at half of the machine's peak, models and instances changing meanwhile; every row judged (release build; SOAK="--rate 20000 --store azurite")
	@scripts/need test && cargo build --release --locked -p atalaia && tests/soak/run.py --binary $${CARGO_TARGET_DIR:-target}/release/atalaia --minutes $(MINUTES) $(SOAK)

fuzz: ## mutated bytes into every reader of bytes that others wrote, for SECONDS=n in all
	@scripts/need fuzz && scripts/fuzz $(SECONDS)

search: ## all states of larger worlds of the delivery protocol, or of SEARCH="writers=3 seq_max=3" (release build, gigabytes)
	SEARCH="$(SEARCH)" cargo test --release --locked --package atalaia-sink --test search -- --ignored

sim: ## SEEDS=n whole pipelines under simulated faults, from seeds, and 1000 of them twice (release build)
	ATALAIA_SIM_TWICE=1000 ATALAIA_SIM_SEEDS=$(SEEDS) sh -c 'for test in same_seed every_seed; do cargo test --release --locked --test sim $$test -- --nocapture || exit; done'

sweep: ## every fault at every request of a scripted run, over memory, a folder, Azurite and S3
	@scripts/need test && scripts/services run --azurite --s3 -- env ATALAIA_SWEEP=all cargo test -p atalaia-sink --locked --lib -- sweep --nocapture

package: ## what a release publishes, as crates: packed, not built (target/package)
	cargo package --workspace --exclude atalaia-bench --exclude atalaia-microbench --exclude atalaia-event-hubs-emulator --locked --no-verify

fmt: ## format the code
	cargo fmt --all

lint: ## what clippy has to say, warnings as errors
	cargo clippy --workspace --all-targets --locked -- -D warnings

doc: ## build the API documentation, warnings as errors
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

book: ## README and docs/ as one book with search, every link checked: target/book/index.html (mdBook is compiled once)
	@scripts/need +python3 +rust && scripts/book

deny: ## licences, bans, sources and advisories of all dependencies
	scripts/deny

audit: ## the lock files against the RustSec advisories, by another tool than `make deny`
	scripts/audit

sbom: ## what the binary is made of, as CycloneDX in target/atalaia.cdx.json
	scripts/sbom

reproducible: ## the release binary built twice from what is committed, and compared (ten minutes, gigabytes)
	scripts/reproducible

ci: ## what the server runs
	.ci/run

up: ## the local stack in containers: Kafka (or PROFILE=event-hubs|scale, with ,alerts), Azurite, simulator, Atalaia, Prometheus, Grafana
	COMPOSE_PROFILES=$(PROFILE) docker compose up --build --detach

down: ## stop the local stack and forget its data
	docker compose --profile '*' down --volumes

bless: ## rewrite the generated documents and expected results that tests compare with
	ATALAIA_BLESS=1 cargo test --workspace --locked

bench: ## speed on this machine beside bare consumers (release build, real Kafka), or WHAT=commits|recovery|scale|wide|latency|scoring|models|training
	@scripts/need test && cargo build --release --locked --package atalaia-bench --bins && scripts/services run --kafka --python -- cargo run --release --locked --package atalaia-bench -- --what $(WHAT)

bench-event-hubs: ## an event hub read by Atalaia, by bare AMQP receivers and by Microsoft's client, on the emulator (release build)
	@scripts/need test && cargo build --release --locked -p atalaia -p atalaia-event-hubs-emulator && cargo build --release --locked -p atalaia-ingest --example event_hubs_drain && scripts/services run --python -- sh -c '$$ATALAIA_TEST_PYTHON -B bench/event_hubs.py'

bench-peers: ## the same, with other programs that do the whole job: Python with numpy, with scikit-learn, and Flink (needs Maven and a JDK)
	@scripts/need test && cargo build --release --locked --package atalaia-bench --bins && scripts/services run --kafka --python -- cargo run --release --locked --package atalaia-bench -- --peers

bench-scale: ## one large instance, four small ones and four jobs over the same records: rows equal, and what each costs (release build, real Kafka, Azurite)
	@scripts/need test && cargo build --release --locked -p atalaia && bench/scale.py --binary $${CARGO_TARGET_DIR:-target}/release/atalaia

microbench: ## events, windows, rows a second of each stage by itself; a part with CASES=decode (an idle machine, release build)
	cargo bench --locked --package atalaia-microbench -- $(CASES)

instructions: ## instructions by event, window, row of each stage, against the committed figures (valgrind, release build); a part with CASES=decode
	scripts/instructions $(CASES)

chart: ## copy alert rules and dashboards into the Helm chart, which can only hold files of its own folder
	rm -rf deploy/helm/atalaia/files && mkdir -p deploy/helm/atalaia/files/rules deploy/helm/atalaia/files/dashboards && cp deploy/prometheus/rules/atalaia.rules.yml deploy/helm/atalaia/files/rules && cp deploy/grafana/dashboards/*.json deploy/helm/atalaia/files/dashboards

compose-check: ## check docker-compose.yml with compose's own loader (needs Go)
	cd scripts/compose-check && go run . ../../docker-compose.yml
