#!/usr/bin/env python3
"""Makes the JSON schemas in schemas/, by which kubeconform judges the rendered chart:  make-schemas.py KUBERNETES KEDA OPERATOR

The arguments are the unpacked Go modules k8s.io/kubernetes, github.com/kedacore/keda/v2 and
github.com/prometheus-operator/prometheus-operator (`go mod download -json MODULE@VERSION` prints where they are); all three are
under the Apache Licence 2.0. Only the kinds that the chart renders are taken, without descriptions, and of a pod only what a chart
like this one could use; what is left is closed, so that an unknown key is an error. Needs PyYAML. Not a test: run by hand when
a version changes, which schemas/ORIGIN names.
"""

import json
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent / "schemas"

# Kind: its definition in Kubernetes' OpenAPI document, and the name that kubeconform asks for.
BUILT_IN = {
    "configmap-v1": "io.k8s.api.core.v1.ConfigMap",
    "secret-v1": "io.k8s.api.core.v1.Secret",
    "service-v1": "io.k8s.api.core.v1.Service",
    "serviceaccount-v1": "io.k8s.api.core.v1.ServiceAccount",
    "pod-v1": "io.k8s.api.core.v1.Pod",
    "statefulset-apps-v1": "io.k8s.api.apps.v1.StatefulSet",
    "deployment-apps-v1": "io.k8s.api.apps.v1.Deployment",
    "job-batch-v1": "io.k8s.api.batch.v1.Job",
    "cronjob-batch-v1": "io.k8s.api.batch.v1.CronJob",
    "poddisruptionbudget-policy-v1": "io.k8s.api.policy.v1.PodDisruptionBudget",
    "networkpolicy-networking-v1": "io.k8s.api.networking.v1.NetworkPolicy",
}
CUSTOM = {
    "scaledobject-keda-v1alpha1": ("keda", "config/crd/bases/keda.sh_scaledobjects.yaml", "v1alpha1"),
    "triggerauthentication-keda-v1alpha1": ("keda", "config/crd/bases/keda.sh_triggerauthentications.yaml", "v1alpha1"),
    "servicemonitor-monitoring-v1": ("operator", "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml", "v1"),
    "prometheusrule-monitoring-v1": ("operator", "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml", "v1"),
}
VOLUMES = {"name", "configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim", "csi"}
LEFT_OUT = {"status", "managedFields", "ephemeralContainers", "ownerReferences"}
# What a schema says beside the shape: kept.
KEPT = ("type", "enum", "required", "pattern", "minimum", "maximum", "minLength", "minItems", "oneOf", "anyOf", "maxItems")


def main():
    kubernetes, keda, operator = (Path(argument) for argument in sys.argv[1:])
    definitions = json.loads((kubernetes / "api/openapi-spec/swagger.json").read_text())["definitions"]
    for name, definition in BUILT_IN.items():
        used = {}
        root = shape(definitions[definition], lambda ref: refer(ref, definitions, used))
        write(name, {**root, "definitions": used})
    places = {"keda": keda, "operator": operator}
    for name, (module, path, version) in CUSTOM.items():
        versions = yaml.safe_load((places[module] / path).read_text())["spec"]["versions"]
        schema = next(found["schema"]["openAPIV3Schema"] for found in versions if found["name"] == version)
        root = shape(schema, None)
        # The API server knows this part, which a CRD leaves open.
        used = {}
        root["properties"]["metadata"] = shape({"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}, lambda ref: refer(ref, definitions, used))
        write(name, {**root, "definitions": used})
    (HERE / "ORIGIN").write_text("".join(f"{str(place).rpartition('/pkg/mod/')[2]}\n" for place in (kubernetes, keda, operator)))


def refer(ref, definitions, used):
    name = ref.rsplit("/", 1)[1]
    if name not in used:
        used[name] = {}
        used[name] = shape(definitions[name], lambda other: refer(other, definitions, used), volume=name.endswith("core.v1.Volume"))
    return {"$ref": f"#/definitions/{name}"}


def shape(schema, resolve, volume=False):
    if "$ref" in schema:
        return resolve(schema["$ref"])
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    small = {key: schema[key] for key in KEPT if key in schema}
    if small.get("type") == "string" and schema.get("format") == "quantity":
        small["type"] = ["string", "number"]
    if "io.k8s.apimachinery.pkg.api.resource.Quantity" in schema.get("description", "")[:60] or schema.get("description", "").startswith("Quantity is a fixed-point"):
        small["type"] = ["string", "number"]
    if "properties" in schema:
        small["properties"] = {
            key: shape(value, resolve)
            for key, value in schema["properties"].items()
            # A text called status is a setting, of what is waited for, say; the object is what came of it.
            if (key not in LEFT_OUT or value.get("type") == "string") and (not volume or key in VOLUMES)
        }
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            small["additionalProperties"] = False
    if "items" in schema:
        small["items"] = shape(schema["items"], resolve)
    if isinstance(schema.get("additionalProperties"), dict):
        small["additionalProperties"] = shape(schema["additionalProperties"], resolve)
    return small


def write(name, schema):
    path = HERE / f"{name}.json"
    path.write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n")
    print(f"{path.name}: {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
