#!/bin/sh
# Trains anew, judges, publishes, and goes back if what was published is not sound.
#
#   examples/retrain.sh pipeline.toml labelled.toml [WORK_FOLDER]
#
# pipeline.toml is the service's configuration: its input is the history to train on, `score.models` the registry.
# labelled.toml is the same for the labelled history that new models are judged on.
# Exit status: 0 published; 1 something failed, the models in use stay (or are back); 2 the new models are not good enough.
#
# Bounds, by the environment: F1_MIN, FAR_MAX and MAR_MAX (per cent), LABELS (a file of labelled intervals).
set -eu

pipeline=$1
labelled=$2
work=${3:-$(mktemp -d)}
atalaia=${ATALAIA:-atalaia}
candidate=$work/candidate-$(date -u +%Y%m%dT%H%M%SZ)

echo "training into $candidate"
"$atalaia" train -c "$pipeline" --to "$candidate"
"$atalaia" models verify --from "$candidate" -c "$pipeline"

echo "judging on labelled history"
if ! "$atalaia" eval -c "$labelled" --set score.models="$candidate" --labels "${LABELS:-labels.csv}" \
    --f1-min "${F1_MIN:-0.7}" --far-max "${FAR_MAX:-15}" --mar-max "${MAR_MAX:-25}"; then
    echo "not good enough: nothing is published, $candidate is left to look at" >&2
    exit 2
fi

"$atalaia" models publish --from "$candidate" -c "$pipeline" --note "retrained $(date -u +%F)"
if ! "$atalaia" models verify current -c "$pipeline"; then
    "$atalaia" models rollback -c "$pipeline" --note "the set published $(date -u +%F) is not sound"
    exit 1
fi
"$atalaia" models diff previous current -c "$pipeline" || true # the first set has none before it
