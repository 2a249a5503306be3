# The front door. `make demo` shows the product, `make test` proves it; both set up what they need, and say what they do.
# Build output and downloads go to the user's cache directory, never into the repository.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/jeroboam
export CARGO_TARGET_DIR ?= $(CACHE)/target
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: help demo dev test check advisories test-crash test-two test-clients test-differential test-openstack test-registry fuzz bench bench-magnum bench-registry clean-cache

help: ## What there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## A cluster's whole life on this machine, in seconds once built
	@tools/setup.sh build
	@tools/build.sh --bin jeroboam
	@tools/demo.sh "$(CARGO_TARGET_DIR)/debug/jeroboam"

dev: ## The service and a pretend cloud, until Ctrl-C
	@tools/setup.sh build
	@tools/build.sh --bin jeroboam
	@"$(CARGO_TARGET_DIR)/debug/jeroboam" dev

test: ## Every test of the fast tier, with the real databases, Cluster API and openstack client
	@tools/setup.sh build engines clients magnum kubernetes registry
	@tools/test.sh

check: ## Format, lints, licences, layers, documents
	@tools/setup.sh build checks
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings
	cargo deny --log-level error check bans licenses sources
	cargo xtask tidy
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --quiet

# Needs RustSec's database from github.com: a target of its own, so that `make check` says the same without a network.
advisories: ## Known vulnerabilities of what we build on
	@tools/setup.sh build checks
	cargo deny --log-level error check advisories

test-crash: ## The whole crash table: a life cut at every single write; takes long
	@tools/setup.sh build
	@tools/build.sh --release --package jeroboam
	JEROBOAM_PROGRAM="$(CARGO_TARGET_DIR)/release/jeroboam" JEROBOAM_CRASH_STRIDE=1 \
		cargo test --package jeroboam --test it crash:: -- --nocapture

test-two: ## Two of each process on one database, killed in turn under load: ten minutes on each of two engines
	@tools/setup.sh build engines
	@tools/test-two.sh

test-clients: ## Tempest, gophercloud, Ansible and OpenTofu against the pretend cloud; builds them once
	@tools/setup.sh build kubernetes programs
	@tools/test-clients.sh

test-differential: ## The same requests to Magnum itself, 5000 sequences of them; takes long
	@tools/setup.sh build engines magnum
	@tools/test-differential.sh

test-openstack: ## Clusters of many clients on real OpenStack services and the real provider: 5 GiB, builds the provider once
	@tools/setup.sh build kubernetes openstack
	@tools/test-openstack.sh

test-registry: ## The registry on directories, S3, Swift and Ceph, with everybody's clients, logged in too, in two regions, beside those that it takes over from; takes long
	@tools/setup.sh build registry swift
	@tools/test-registry.sh

fuzz: ## What breaks our readers and our API: each fuzzer for 30 minutes, then schemathesis; takes two hours
	@tools/setup.sh build fuzz
	@tools/fuzz.sh

bench: ## Figures of docs/benchmarks.md, beside floors measured in the same run
	@tools/setup.sh build engines
	@tools/bench.sh

bench-magnum: ## The same beside Magnum itself under uwsgi, in turns on the same rows: about 20 minutes
	@tools/setup.sh build engines magnum uwsgi
	@tools/bench-magnum.sh

bench-registry: ## The registry beside distribution 2.8 and 3 and NORA, in turns, with raw disk and raw Swift as floors
	@tools/setup.sh build registry swift nora
	@tools/bench-registry.sh

clean-cache: ## Forget everything that was built or downloaded
	rm -rf "$(CACHE)"
