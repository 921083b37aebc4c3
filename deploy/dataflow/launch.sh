#!/bin/sh
# Validates rows on Dataflow, from this machine or from a flex template.
#
#   PROJECT=p REGION=europe-west1 BUCKET=gs://bucket IMAGE=europe-docker.pkg.dev/p/r/aetfx:0.1.0 \
#       deploy/dataflow/launch.sh run gs://bucket/rows-*.parquet gs://bucket/runs/monday
#   ... deploy/dataflow/launch.sh graph gs://bucket/rows-*.parquet     # the job as it would be submitted; sends nothing
#   ... deploy/dataflow/launch.sh template                        # builds the flex template
#   ... deploy/dataflow/launch.sh from-template gs://bucket/rows-*.parquet gs://bucket/runs/monday
set -eu
cd "$(dirname "$0")/../.."

fail() {
    echo "launch: error: $*" >&2
    exit 2
}

for name in PROJECT REGION BUCKET IMAGE; do
    eval "value=\${$name:-}"
    [ -n "$value" ] || fail "$name is not set. Set PROJECT, REGION, BUCKET (gs://...) and IMAGE (with a version)."
done
case $BUCKET in gs://?*) ;; *) fail "BUCKET must start with gs:// but is $BUCKET." ;; esac
case $IMAGE in *:latest) fail "IMAGE has the tag latest. Give a version." ;; *:* | *@*) ;; *) fail "IMAGE has no tag." ;; esac
python=${PYTHON:-python3}
template=$BUCKET/templates/aetfx-validate.json

beam() {
    echo "--runner=DataflowRunner --project=$PROJECT --region=$REGION --temp_location=$BUCKET/temp" \
        "--sdk_container_image=$IMAGE --sdk_location=container"
}

case ${1:-} in
run)
    [ $# -ge 3 ] || fail "run needs the rows and the place for results."
    # shellcheck disable=SC2046 # the flags are words
    exec "$python" -m deploy.dataflow.main --data "$2" --output "$3" $(beam)
    ;;
graph)
    [ $# -ge 2 ] || fail "graph needs the rows."
    # shellcheck disable=SC2046
    exec "$python" -m deploy.dataflow.graph "$2" build/dataflow $(beam)
    ;;
template)
    exec gcloud dataflow flex-template build "$template" --project "$PROJECT" --image "$IMAGE-flex" \
        --sdk-language PYTHON --metadata-file deploy/dataflow/metadata.json
    ;;
from-template)
    [ $# -ge 3 ] || fail "from-template needs the rows and the place for results."
    exec gcloud dataflow flex-template run "aetfx-validate-$(date +%Y%m%d-%H%M%S)" --project "$PROJECT" \
        --region "$REGION" --template-file-gcs-location "$template" --temp-location "$BUCKET/temp" \
        --parameters "data=$2,output=$3,sdk_container_image=$IMAGE"
    ;;
*) fail "say what to do: run, graph, template or from-template (see the head of this file)." ;;
esac
