{{/* Names, labels, and what the pods of Primum share. A component is given as (dict "root" $ "component" "api"). */}}
{{- define "primum.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 48 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 48 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "primum.release" -}}
app.kubernetes.io/name: primum
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "primum.selector" -}}
{{ include "primum.release" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "primum.labels" -}}
{{ include "primum.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "primum.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* What answers for the model: its only server, or the router before several. */}}
{{- define "primum.modelComponent" -}}
{{ if gt (int .Values.model.replicas) 1 }}router{{ else }}model{{ end }}
{{- end }}

{{- define "primum.modelUrl" -}}
{{- if .Values.model.enabled }}http://{{ include "primum.name" . }}-{{ include "primum.modelComponent" . }}:8000/v1
{{- else }}{{ required "model.url: give the address of a model, or set model.enabled" .Values.model.url }}{{ end }}
{{- end }}

{{/* GPUs of a replica, as its profile shares the model out. */}}
{{- define "primum.gpus" -}}
{{- $profile := .Files.Get (printf "profiles/%s.yaml" .Values.model.profile) | fromYaml }}
{{- $shares := 1 }}
{{- range list "tensor-parallel-size" "data-parallel-size" "pipeline-parallel-size" }}
{{- $shares = mul $shares (index $profile . | default 1) }}
{{- end }}
{{- $shares }}
{{- end }}

{{/* The weights twice, so that another version fits beside, and what is compiled. */}}
{{- define "primum.weights" -}}
{{- $sizes := dict "gpu-24gb" "30Gi" "gpu-80gb" "80Gi" "gpus-4-one" "160Gi" "gpus-4-replicas" "160Gi" }}
{{- .Values.model.storage.size | default (index $sizes .Values.model.profile) }}
{{- end }}

{{/* The port of an address. */}}
{{- define "primum.port" -}}
{{- $parsed := urlParse . }}
{{- regexFind ":[0-9]+$" $parsed.host | trimPrefix ":" | default (ternary "443" "80" (eq $parsed.scheme "https")) }}
{{- end }}

{{- define "primum.env" -}}
- {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: OMP_NUM_THREADS, value: "1"}
{{- if and .Values.ingress.enabled .Values.networkPolicy.enabled }}
# Only the ingress controller and the page reach it, so whom the former speaks for may be believed.
- {name: FORWARDED_ALLOW_IPS, value: "*"}
{{- end }}
{{- $name := include "primum.name" . }}
{{- $hosts := list "localhost" "127.0.0.1" "$(POD_IP)" (printf "%s-api" $name) (printf "%s-api.%s" $name .Release.Namespace) (printf "%s-api.%s.svc" $name .Release.Namespace) }}
{{- with .Values.ingress.apiHost }}{{ $hosts = append $hosts . }}{{ end }}
{{- $set := dict "PRIMUM_AUTH" "required" "PRIMUM_WORK" "false" "PRIMUM_MODEL_URL" (include "primum.modelUrl" .) "PRIMUM_MODEL_NAME" .Values.model.name "PRIMUM_ALLOWED_HOSTS" (toJson $hosts) }}
{{- range $key, $value := merge (dict) .Values.settings $set }}
- {name: {{ $key }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end }}

{{- define "primum.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "primum.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "primum.spread" -}}
{{- $selector := include "primum.selector" . }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- $selector | nindent 6 }}
{{- end }}
{{- end }}

{{/* The start of a pod's spec, up to its containers. */}}
{{- define "primum.pod" -}}
serviceAccountName: {{ if .hook }}default{{ else }}{{ include "primum.name" .root }}{{ end }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "primum.podSecurity" . | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if not .hook }}
{{- with index .root.Values .component }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
topologySpreadConstraints: {{- include "primum.spread" . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What a container of our image has: its settings, its secrets as files, and the two places that it may write to. */}}
{{- define "primum.container" -}}
image: {{ include "primum.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext: {{- include "primum.containerSecurity" . | nindent 2 }}
env: {{- include "primum.env" .root | nindent 2 }}
volumeMounts:
  - {name: home, mountPath: /var/lib/primum}
  - {name: tmp, mountPath: /tmp}
  - {name: secrets, mountPath: /run/secrets, readOnly: true}
  {{- with .root.Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* With `direct`: of what wants Postgres itself and no pooler. */}}
{{- define "primum.volumes" -}}
{{- $secret := .root.Values.existingSecret }}
{{- if .direct }}{{ $secret = .root.Values.directSecret | default $secret }}{{ end -}}
- {name: home, emptyDir: {sizeLimit: 8Gi}}
- {name: tmp, emptyDir: {sizeLimit: 1Gi}}
- {name: secrets, secret: {secretName: {{ $secret }}, defaultMode: 0440}}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
