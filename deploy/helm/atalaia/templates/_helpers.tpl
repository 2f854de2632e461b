{{/* Names, labels and the pod that all kinds of work share. */}}

{{- define "atalaia.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "atalaia.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "atalaia.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "atalaia.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "atalaia.selector" -}}
app.kubernetes.io/name: {{ include "atalaia.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "atalaia.labels" -}}
{{ include "atalaia.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The job as Prometheus calls it: one a release, since counts are summed by it; the alerts know it by `atalaia` in its name. */}}
{{- define "atalaia.job" -}}
{{- $name := include "atalaia.fullname" . -}}
{{- contains "atalaia" $name | ternary $name (printf "atalaia-%s" $name) -}}
{{- end -}}

{{/* Where the files of rules and dashboards have it that the runbook is: `metrics.runbookUrl` takes its place. */}}
{{- define "atalaia.runbookInFiles" -}}
https://atalaia.example/docs/runbook.md
{{- end -}}

{{- define "atalaia.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "atalaia.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "atalaia.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The pipeline as a tree, whichever way it was given; YAML text, for `fromYaml`. */}}
{{- define "atalaia.pipeline" -}}
{{- $tree := .Values.pipeline -}}
{{- if or (not $tree) (and (kindIs "string" $tree) (not (trim $tree))) -}}
{{- fail "`pipeline` is empty: set it to the configuration, as --set-file pipeline=pipeline.toml" -}}
{{- end -}}
{{- if kindIs "string" $tree -}}
{{- $tree = fromToml $tree -}}
{{- if hasKey $tree "Error" -}}
{{- fail (printf "`pipeline` is not TOML: %s" $tree.Error) -}}
{{- end -}}
{{- end -}}
{{- if not $tree.pipeline -}}
{{- fail "`pipeline` has no `pipeline = \"NAME\"`, which names results and state" -}}
{{- end -}}
{{- toYaml $tree -}}
{{- end -}}

{{/* TOML is kept as it is; a tree becomes JSON, which Atalaia reads as well and which keeps whole numbers whole. */}}
{{- define "atalaia.pipelineFile" -}}
{{- kindIs "string" .Values.pipeline | ternary "pipeline.toml" "pipeline.json" -}}
{{- end -}}

{{- define "atalaia.podLabels" -}}
{{ include "atalaia.labels" . }}
{{- if .Values.workloadIdentity.clientId }}
azure.workload.identity/use: "true"
{{- end }}
{{- end -}}

{{/* A pod's settings that do not depend on what runs in it. */}}
{{- define "atalaia.podCommon" -}}
serviceAccountName: {{ include "atalaia.serviceAccount" . }}
# It never asks Kubernetes; workload identity brings a token of its own.
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: settings
    configMap: { name: {{ include "atalaia.fullname" . }} }
  {{- range $index, $file := .Values.secrets.files }}
  - name: secret-{{ $index }}
    secret: { secretName: {{ $file.secret }}, defaultMode: 0440 }
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The container's settings that do not depend on the command. */}}
{{- define "atalaia.containerCommon" -}}
image: {{ include "atalaia.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - { name: settings, mountPath: /etc/atalaia, readOnly: true }
  {{- range $index, $file := .Values.secrets.files }}
  - { name: secret-{{ $index }}, mountPath: {{ $file.path | quote }}, readOnly: true }
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* A pod that was evicted, or lost with its node, has not failed: it is made again, and goes on where it ended. */}}
{{- define "atalaia.disrupted" -}}
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions: [{ type: DisruptionTarget, status: "True" }]
{{- end -}}

{{- define "atalaia.env" -}}
- { name: ATALAIA__TELEMETRY__METRICS, value: "0.0.0.0:9464" }
{{- if .Values.statusPage.enabled }}
- { name: ATALAIA__TELEMETRY__STATUS, value: "0.0.0.0:9465" }
{{- end }}
{{- range $name, $value := .Values.env }}
- { name: {{ $name }}, value: {{ $value | toString | quote }} }
{{- end }}
{{- range .Values.secrets.env }}
- name: {{ .name }}
  valueFrom: { secretKeyRef: { name: {{ .secret }}, key: {{ .key }} } }
{{- end }}
{{- end -}}
