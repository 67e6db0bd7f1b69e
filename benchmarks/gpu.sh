#!/bin/sh
# The GPU figures of docs/performance.md, for a machine that is lent by the minute: stage by stage, each
# within a limit of its own, so that one that hangs does not take the time of the others.
#
#   DATA=site-ppe LLM=folder-of-a-tokenizer sh benchmarks/gpu.sh parts loop step peers plain large describe
#
#   parts      an untrained ViT-B/16 and a language model of 494 M, composed;
#              what the machine can do at most                                 about 1 minute
#   loop       where the training loop's time goes                             3
#   step       the step without the loop                                       1
#   peers      beside TRL, and ours without compiled blocks                    3
#   plain      beside a plain Trainer, whose logits fill 80 GB at 64 photos: 32 a step   2
#   large      photos of twelve megapixels beside TRL as it comes, 32 a step   4
#   describe   beside the pipeline, two turns                                  4
#   recipes    what the recipes for a GPU cost, within the memory they name    8
#
# WORK (runs/gpu) takes what it makes, NAME (gpu) goes into the names of the results, PEAK is the device's
# TFLOP/s by its data sheet, BATCH (64) the photos a step. What a stage prints is kept in WORK too.
set -u
cd "$(dirname "$0")/.." || exit 2
: "${DATA:?a folder of pairs with English descriptions}"
WORK=${WORK:-runs/gpu} NAME=${NAME:-gpu} PEAK=${PEAK:-989} BATCH=${BATCH:-64} PYTHON=${PYTHON:-python}
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" HF_HUB_OFFLINE=1
mkdir -p "$WORK"

# Seconds, a name, and what to run.
within() {
    limit=$1 job=$2
    shift 2
    began=$(date +%s)
    timeout "$limit" "$@" >"$WORK/$job.log" 2>&1
    code=$?
    echo "$job: exit code $code after $(($(date +%s) - began)) s"
    [ "$code" -eq 0 ] || tail -n 5 "$WORK/$job.log"
}

common="--data $DATA --start $WORK/start --batch $BATCH --workers 8 --name $NAME"
train="benchmarks/training_speed.py $common --threads 8 --repeats 1 --peak $PEAK \
    --precision bfloat16 --tower-precision bfloat16"
for stage in "$@"; do
    # The words of $common and $train are options of their own.
    # shellcheck disable=SC2086
    case $stage in
    parts)
        within 120 parts "$PYTHON" benchmarks/random_parts.py "$WORK/parts" --tokenizer "${LLM:?}"
        within 60 machine "$PYTHON" benchmarks/gpu_machine.py --name "$NAME"
        within 120 init "$PYTHON" -m hazardscribe.cli init --vision "$WORK/parts/vision" \
            --llm "$WORK/parts/llm" --target '{description_en}' --out "$WORK/start"
        ;;
    loop)
        for peer in ours-compiled ours trl; do
            within 90 "loop-$peer" "$PYTHON" benchmarks/loop_time.py $common --peer $peer
        done
        within 90 loop-expandable "$PYTHON" benchmarks/loop_time.py $common --peer ours-compiled \
            --alloc expandable_segments:True
        ;;
    step)
        within 120 step "$PYTHON" benchmarks/gpu_step.py $common --peak "$PEAK"
        ;;
    peers)
        within 300 peers "$PYTHON" $train --steps 40 --peers ours-compiled ours trl
        ;;
    plain)
        within 200 plain "$PYTHON" $train --batch 32 --steps 40 --name "plain-$NAME" --peers ours-compiled plain
        ;;
    large)
        within 420 large "$PYTHON" $train --batch 32 --steps 10 --megapixels 12 \
            --name "large-$NAME" --work "$WORK" --peers ours-compiled trl-defaults
        ;;
    describe)
        within 400 describe "$PYTHON" benchmarks/describing_speed.py --data "$DATA" \
            --model "$WORK/start" --photos 64 --repeats 2 --name "$NAME" \
            --peers pipeline pipeline-batched ours ours-bfloat16 ours-bfloat16-cudnn
        ;;
    recipes)
        for of in 8:7.5 24:22.5 80:78; do
            within 240 "recipe-${of%:*}" "$PYTHON" benchmarks/recipe_cost.py "gpu-${of%:*}gb" \
                --data "$DATA" --llm "${LLM:?}" --megapixels 2 --gpu-gib "${of#*:}" \
                --work "$WORK" --name "$NAME"
        done
        ;;
    *)
        echo "gpu.sh: no stage is called $stage" >&2
        exit 2
        ;;
    esac
done
