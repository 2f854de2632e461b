#!/bin/sh
# Trains anew, judges, publishes, and goes back if what was published is not sound.
#
#   examples/retrain.sh pipeline.toml labelled.toml [WORK_FOLDER]
#
# pipeline.toml is the service's configuration: its input is the history to train on, `score.models` the registry.
# labelled.toml is one of files with labelled history, which the new models are to judge well.
# Exit status: 0 published, or nothing to train (TRAIN='--only stale'); 1 something failed, the models in use stay (or are back);
# 2 the new models are not good enough.
#
# By the environment: LABELS (file of labels, as `atalaia eval --labels` takes it; `labels.csv`), MIN_F1, MAX_FAR, MAX_MAR (bounds), TRAIN and EVAL (further options of these commands).
set -eu

if [ $# -lt 2 ]; then
    echo "usage: $0 pipeline.toml labelled.toml [WORK_FOLDER]; LABELS, MIN_F1, MAX_FAR, MAX_MAR, TRAIN and EVAL by the environment" >&2
    exit 1
fi
pipeline=$1
labelled=$2
work=${3:-$(mktemp -d)}
atalaia=${ATALAIA:-atalaia}
labels=${LABELS:-labels.csv}
mkdir -p "$work"
run=$(mktemp -d "$work/$(date -u +%Y%m%dT%H%M%SZ)-XXXXXX")

# Before hours of training. DEVICE=FILE and names with {device} are looked for by `eval`.
case $labels in
*=* | *"{device}"*) ;;
*) [ -r "$labels" ] || { echo "no labels: '$labels' cannot be read, name their file by LABELS" >&2; exit 1; } ;;
esac

echo "training: $run/models"
# shellcheck disable=SC2086 # options are words
"$atalaia" train -c "$pipeline" --to "$run/models" ${TRAIN:-}
if [ ! -d "$run/models/current" ]; then
    echo "nothing to do: the models in use stay"
    exit 0
fi
"$atalaia" models verify --from "$run/models" -c "$pipeline"

echo "judging labelled history: $run/judged"
"$atalaia" score -c "$labelled" --set score.models="$run/models" --set sink.url="$run/judged"
status=0
# shellcheck disable=SC2086
"$atalaia" eval --predictions "$run/judged/predictions" --labels "$labels" \
    --min-f1 "${MIN_F1:-0.7}" --max-far "${MAX_FAR:-15%}" --max-mar "${MAX_MAR:-25%}" ${EVAL:-} || status=$?
case $status in
0) ;;
3)
    echo "not good enough: nothing is published, $run is left to look at" >&2
    exit 2
    ;;
*)
    echo "could not be judged: nothing is published, $run is left to look at" >&2
    exit 1
    ;;
esac

today=$(date -u +%Y-%m-%d)
"$atalaia" models publish --from "$run/models" -c "$pipeline" --note "retrained $today"
if ! "$atalaia" models verify current -c "$pipeline"; then
    "$atalaia" models rollback -c "$pipeline" --note "what was published $today is not sound"
    exit 1
fi
"$atalaia" models diff previous current -c "$pipeline" 2>/dev/null || echo "the first set: there is none before it to differ from"
