# `make` alone lists the targets. Each calls setup when it is needed; after setup only `dashboard` and `lock` touch the network.
.DEFAULT_GOAL := help
.PHONY: help setup lock demo test slow fuzz kill replicas lint examples bench-diagnosis pipelines pipelines-full \
	dashboard wheel clean

BIN := .venv/bin
# TensorFlow's start-up notices say nothing about us and hide what matters in a test log.
export TF_CPP_MIN_LOG_LEVEL ?= 3

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

setup: ## Make .venv from requirements.lock (3.6 GB; does nothing when it is up to date)
	@sh tools/setup.sh

demo: setup ## Diagnose a real autoencoder on real data: runs/demo
	@$(BIN)/aetfx demo

test: lint ## Lint, types, layers and tests, as many at once as there are cores
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not slow"

slow: setup ## Test what `make test` leaves out: more whole diagnoses
	@$(BIN)/python -m pytest -n auto -m slow tests

fuzz: setup ## Read 300 damaged files: each must end in success or one clear error (a minute)
	@$(BIN)/python -m tests.fuzz.run --seed 0 --count 300

kill: setup ## Kill a sweep 30 times: it must end as if left alone (15 minutes)
	@$(BIN)/python -m tests.kill.run --seed 0 --count 30

replicas: setup ## Train each model family on 1, 2, 4 and 8 replicas: the losses must agree
	@AETFX_ALL_REPLICAS=1 $(BIN)/python -m pytest tests/training/test_family_replicas.py

lint: setup ## Style, format, import layers and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "lint: run '$(BIN)/ruff format .'" >&2; exit 1; }
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy

examples: setup ## Run every example and check its verdict (up to 40 minutes)
	@$(BIN)/python examples/check.py

bench-diagnosis: setup ## Diagnose the fault suite and count (up to 6 hours, resumes; ARGS=--sample: 15 minutes)
	@$(BIN)/python -m benchmarks.diagnosis.run --jobs 2 $(ARGS)

pipelines: setup ## Compile all pipelines to build/ and deploy/kubeflow/, and check what is in deploy/
	@$(BIN)/python -m pipelines compile --out build
	@$(BIN)/python -m pipelines compile --out deploy/kubeflow >/dev/null
	@$(BIN)/hadolint deploy/docker/Dockerfile deploy/docker/flex.Dockerfile
	@$(BIN)/python -m deploy.kubernetes.check --kubectl $(BIN)/kubectl

pipelines-full: setup ## Run whole pipelines here, each component in a process of its own (4 minutes)
	@AETFX_ALL_PIPELINES=1 $(BIN)/python -m pytest tests/pipelines

dashboard: setup ## Test the dashboard with the TensorBoard of the other stack (needs the network)
	@sh tools/other_tensorboard.sh
	@AETFX_TENSORBOARD_PYTHON=$(CURDIR)/build/tensorboard/bin/python $(BIN)/python -m pytest tests/tensorboard_plugin

wheel: setup ## Build dist/aetfx-*.whl and the source archive
	@$(BIN)/uv build --quiet --offline --no-build-isolation --python $(BIN)/python --out-dir dist
	@ls dist

lock: ## Write requirements.lock anew (needs the network)
	@sh tools/lock.sh

clean: ## Remove what can be made again, except .venv and runs
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
