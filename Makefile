# Everything starts here: `make lab` builds and shows the web pair, `make test` runs all that CI runs.
# Both install what they need; the work itself is in lab/ (Python, standard library only) and in the playbooks.

PYTHON ?= python3
VENV := .venv/bin
export PATH := $(CURDIR)/$(VENV):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export MOLECULE_GLOB := molecule/*/molecule.yml

.DEFAULT_GOAL := help
.PHONY: help environment test-environment docs-environment host test-time lab test checks lint units tools sanity matrix fast-matrix molecule clusters chaos kills bench docs clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

environment: ## Install what is missing: Debian packages and the Python environment in .venv
	@$(PYTHON) -m lab.environment requirements.txt

test-environment:
	@$(PYTHON) -m lab.environment requirements.txt requirements-test.txt

host: environment
	@$(PYTHON) -m lab check

lab: host ## Boot the lab, run site.yml on it and show how to pull the plug
	@$(PYTHON) -m lab.demo

test: test-time host test-environment docs-environment ## Everything that CI runs
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target checks
	@$(MAKE) --no-print-directory molecule

checks: lint docs units tools sanity fast-matrix

test-time:
	@echo "make test takes about 40 minutes on two idle CPUs"

lint: test-environment ## Check style, types, YAML and playbooks
	ruff check .
	yamllint .
	codespell
	mypy
	ANSIBLE_HOME="$(CURDIR)/.cache/lint" ansible-lint --offline

units: test-environment ## Run the unit tests; no machine needed
	coverage erase
	coverage run -m pytest tests/unit
	coverage report --skip-covered
	@# Parsing, planning and rendering decide what happens to people's data: every line of them is tested.
	coverage report --include='plugins/module_utils/**/*,plugins/filter/*' --fail-under=100 --format=total

tools: host test-environment ## Have the real tools read what the roles write: make tools [CASES=10000]
	pytest tests/tools

sanity: test-environment ## Build the collection and run ansible-test sanity on what was built
	$(VENV)/python tests/run_sanity.py

matrix: test-environment ## Use the installed collection with each supported release of ansible-core: make matrix [RELEASES='2.16 2.18']
	$(VENV)/python tests/run_matrix.py $(RELEASES)

fast-matrix: test-environment ## The same with the oldest release only, without its unit tests and sanity checks
	$(VENV)/python tests/run_matrix.py --fast

molecule: host test-environment ## Build clusters from bare machines in a lab of their own and break them
	molecule test --scenario-name ntp
	molecule test --scenario-name web_pair
	molecule test --scenario-name pacemaker_failover

clusters: host test-environment ## The same for the farm, the magi and long operations: more than an hour, so not in test
	molecule test --scenario-name lvs_farm
	molecule test --scenario-name lvs_dual
	molecule test --scenario-name keepalived_farm
	molecule test --scenario-name magi
	molecule test --scenario-name magi_ipmi
	molecule test --scenario-name magi_cman
	molecule test --scenario-name pacemaker_pair
	molecule test --scenario-name nfs_pair
	molecule test --scenario-name postgresql_pair
	molecule test --scenario-name day_two

KIND ?= web_pair
COUNT ?= 20

chaos: host ## Inject random faults: make chaos KIND=magi COUNT=20 SEED=7 ONLY=12 (of a run to be repeated)
	@$(PYTHON) -m lab.harness.chaos $(KIND) --count $(COUNT) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

kills: host ## Kill runs that edit a cluster at random moments: make kills COUNT=20 SEED=7
	@$(PYTHON) -m lab.harness.killed_runs $(KIND) --count $(COUNT) $(if $(SEED),--seed $(SEED))

bench: host test-environment ## Measure the collection beside other ways, and write docs/benchmarks.md: make bench [PARTS='pair bulk']
	@PYTHONPATH="$(CURDIR)" $(VENV)/python tests/bench/bench.py $(PARTS)

docs-environment:
	@$(PYTHON) -m lab.environment requirements.txt requirements-docs.txt

docs: docs-environment ## Build the documentation site in .cache/docs/html, without a network
	@$(VENV)/python docs/build.py

clean: ## End the lab and remove what make created in this checkout (the cache of images stays)
	-$(PYTHON) -m lab destroy
	rm -rf .venv .lab .cache
