# Zhou et al. 2021, whole: every row of the README's tables, each a run that is not repeated when it is finished.
#
#   make -f recipes/zhou2021/chain.mk -j2             # BC5CDR: two runs at a time, one thread each
#   make -f recipes/zhou2021/chain.mk -j2 TASK=ncbi   # NCBI-disease
#   make -f recipes/zhou2021/chain.mk -j2 main OUT=runs/zhou2021_all LIMIT=null ROUNDS=1 WEAK_EPOCHS=1 EPOCHS=4
#
# LIMIT is the number of abstracts of the weak corpora (null: all), ROUNDS that of re-corrections at most, WEAK_EPOCHS and
# EPOCHS are those of the weak models and the students. `main` leaves out what Tables 4 and 5 compare. The output of each
# run goes to $(OUT)/<run>.log; killed, the same line goes on. Last come the scores of all, with tests of significance.

PYTHON ?= .venv/bin/python
TASK ?= cdr
LIMIT ?= 3000
ROUNDS ?= 2
WEAK_EPOCHS ?= 2
EPOCHS ?= 6
export OMP_NUM_THREADS ?= 1

HERE := recipes/zhou2021
ifeq ($(TASK),ncbi)
OUT ?= runs/zhou2021_ncbi
CORPUS := ncbi_disease
WEAK_TYPES := types: {Disease: Disease},
SUFFIX := _ncbi
COVERAGE := drc
ACCURACY := dra
else
OUT ?= runs/zhou2021
CORPUS := bc5cdr
HOLD_OUT := hold_out: 0.1,
COVERAGE := cdrc
ACCURACY := cdra
endif

# What Tables 3 to 5 of the paper compare; `student` is its main row.
STUDENTS := student hard hard_l1 hard_kd hard_l2_adversarial only_coverage only_accuracy uncorrected weak_text_only
POOLED := pooled_corrected pooled_coverage pooled_accuracy

.DEFAULT_GOAL := table
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: table main

MAIN = --model student=$(OUT)/student/student --model baseline=$(OUT)/baseline \
	--model coverage=$(OUT)/recorrect_$(COVERAGE)/model --model accuracy=$(OUT)/recorrect_$(ACCURACY)/model

done = $(OUT)/$(1)/metrics.json
run = $(PYTHON) recipes/$(1).py --config $(HERE)/$(2).yaml output_dir=$(@D) resume=true training.disable_tqdm=true $(3) \
	> $(@D).log 2>&1 || { tail -n 5 $(@D).log; exit 1; }

table: $(foreach name,baseline $(STUDENTS) student_finetuned $(POOLED),$(call done,$(name)))
	$(PYTHON) recipes/compare.py --corpus data/$(CORPUS) --json $(OUT)/comparison.json \
		$(MAIN) $(foreach name,$(filter-out student,$(STUDENTS)),--model $(name)=$(OUT)/$(name)/student) \
		$(foreach name,student_finetuned $(POOLED),--model $(name)=$(OUT)/$(name))

main: $(foreach name,baseline student student_finetuned,$(call done,$(name)))
	$(PYTHON) recipes/compare.py --corpus data/$(CORPUS) --json $(OUT)/main.json $(MAIN) \
		--model student_finetuned=$(OUT)/student_finetuned

$(OUT):
	mkdir -p $@

$(call done,baseline): | $(OUT)
	$(call run,finetune,baseline$(SUFFIX))

# keep_models=all, for the students of the models of round 0, before any re-correction.
$(OUT)/recorrect_%/metrics.json: | $(OUT)
	$(call run,recorrect,recorrect_$*,limit=$(LIMIT) max_rounds=$(ROUNDS) keep_models=all \
		weak_training.num_train_epochs=$(WEAK_EPOCHS) weak_training.disable_tqdm=true)

CORRECTED := $(call done,recorrect_$(COVERAGE)) $(call done,recorrect_$(ACCURACY))
ALL_STUDENTS := $(foreach name,$(STUDENTS),$(call done,$(name)))
by_coverage = {name: coverage, path: $(OUT)/recorrect_$(COVERAGE)/$(1)}
by_accuracy = {name: accuracy, path: $(OUT)/recorrect_$(ACCURACY)/$(1)}

$(ALL_STUDENTS): WEIGHTS = {hard: 1.0, l2: 1.0}
$(ALL_STUDENTS): TEACHERS = $(call by_coverage,model), $(call by_accuracy,model)
$(call done,hard): WEIGHTS = {hard: 1.0}
$(call done,hard_l1): WEIGHTS = {hard: 1.0, l1: 1.0}
$(call done,hard_kd): WEIGHTS = {hard: 1.0, tempered: 1.0}
$(call done,hard_l2_adversarial): WEIGHTS = {hard: 1.0, l2: 1.0, adversarial: 1.0}
$(call done,only_coverage): TEACHERS = $(call by_coverage,model)
$(call done,only_accuracy): TEACHERS = $(call by_accuracy,model)
$(call done,uncorrected): TEACHERS = $(call by_coverage,rounds/0/corrector), $(call by_accuracy,rounds/0/corrector)
$(call done,weak_text_only): EXTRA = corpora.1.train=false

$(ALL_STUDENTS): $(OUT)/%/metrics.json: $(CORRECTED)
	$(call run,distill,student$(SUFFIX),corpora.0.limit=$(LIMIT) 'loss.weights=$(WEIGHTS)' \
		'teachers=[$(TEACHERS)]' $(EXTRA) training.num_train_epochs=$(EPOCHS) \
		teacher_outputs.cache_dir=$(OUT)/teacher_outputs)
# First the one that fills the cache of the teachers' outputs, which the others read.
$(filter-out $(call done,student),$(ALL_STUDENTS)): | $(call done,student)

# The student, fine-tuned on human labels afterwards: no part of the paper's method.
$(call done,student_finetuned): $(call done,student)
	$(call run,finetune,baseline$(SUFFIX),'model={path: $(OUT)/student/student}' training.num_train_epochs=5)

# Without distillation: both re-corrected corpora as one, and each weak corpus and the human one as one.
human = {name: $(CORPUS), path: data/$(CORPUS), $(HOLD_OUT) train: $(1)}
weak = {name: $(1), path: data/$(1), $(WEAK_TYPES) limit: $(LIMIT)}
$(call done,pooled_corrected): CORPORA = {name: coverage, path: $(OUT)/recorrect_$(COVERAGE)/corpus}, \
	{name: accuracy, path: $(OUT)/recorrect_$(ACCURACY)/corpus}, $(call human,false)
$(call done,pooled_corrected): $(CORRECTED)
$(call done,pooled_coverage): CORPORA = $(call weak,cdwc), $(call human,true)
$(call done,pooled_accuracy): CORPORA = $(call weak,cdwa), $(call human,true)
$(foreach name,$(POOLED),$(call done,$(name))): $(OUT)/%/metrics.json: | $(OUT)
	$(call run,finetune,baseline$(SUFFIX),'corpora=[$(CORPORA)]' training.num_train_epochs=4 \
		training.per_device_train_batch_size=64 training.learning_rate=3e-3)
