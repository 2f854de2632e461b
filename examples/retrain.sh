#!/bin/sh
# Trains anew, judges, publishes, and goes back if what was published is not sound.
#
#   examples/retrain.sh pipeline.toml labelled.toml [WORK_FOLDER]
#
# pipeline.toml is the service's configuration: its input is the history to train on, `score.models` the registry.
# labelled.toml is one of files with labelled history, which the new models are to judge well.
# Exit status: 0 published; 1 something failed, the models in use stay (or are back); 2 the new models are not good enough.
#
# By the environment: LABELS (file of labels), MIN_F1, MAX_FAR, MAX_MAR (bounds), TRAIN and EVAL (further options of these commands).
set -eu

pipeline=$1
labelled=$2
work=${3:-$(mktemp -d)}
atalaia=${ATALAIA:-atalaia}
run=$work/$(date -u +%Y%m%dT%H%M%SZ)

echo "training: $run/models"
# shellcheck disable=SC2086 # options are words
"$atalaia" train -c "$pipeline" --to "$run/models" ${TRAIN:-}
"$atalaia" models verify --from "$run/models" -c "$pipeline"

echo "judging labelled history: $run/judged"
"$atalaia" score -c "$labelled" --set score.models="$run/models" --set sink.url="$run/judged"
# shellcheck disable=SC2086
if ! "$atalaia" eval --predictions "$run/judged/predictions" --labels "${LABELS:-labels.csv}" \
    --min-f1 "${MIN_F1:-0.7}" --max-far "${MAX_FAR:-15%}" --max-mar "${MAX_MAR:-25%}" ${EVAL:-}; then
    echo "not good enough: nothing is published, $run is left to look at" >&2
    exit 2
fi

today=$(date -u +%Y-%m-%d)
"$atalaia" models publish --from "$run/models" -c "$pipeline" --note "retrained $today"
if ! "$atalaia" models verify current -c "$pipeline"; then
    "$atalaia" models rollback -c "$pipeline" --note "what was published $today is not sound"
    exit 1
fi
# The first set has none before it to differ from.
"$atalaia" models diff previous current -c "$pipeline" || true
