#!/bin/sh
# Deploys main.bicep into a resource group, pushes the image in between:  deploy.sh GROUP NAME VERSION [service|batch]
# Needs az (logged in, with the right to assign roles), docker with buildx, and to stand in a checkout. Can be repeated.
# UNVERIFIED, as main.bicep is.
set -eu
cd "$(dirname "$0")/../.."

group=$1 name=$2 version=$3 mode=${4:-service}
here=deploy/azure

deploy() {
    az deployment group create --resource-group "$group" --name "atalaia-$name" --template-file "$here/main.bicep" \
        --parameters name="$name" mode="$mode" "$@" --query "properties.outputs.registry.value" --output tsv
}

# First without the app, which could not start: its image is in a registry that has to be made.
registry=$(deploy)
az acr login --name "${registry%%.*}"
docker buildx build --platform linux/amd64,linux/arm64 --sbom=true --provenance=mode=max \
    --build-arg VERSION="$version" --build-arg REVISION="$(git rev-parse HEAD)" --tag "$registry/atalaia:$version" --push .
deploy image="atalaia:$version" >/dev/null
echo "deployed $registry/atalaia:$version as $mode"
