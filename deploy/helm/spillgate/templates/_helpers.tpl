{{/* Names are fixed, as in the Kustomize files: one release in a namespace. */}}
{{- define "spillgate.labels" -}}
app.kubernetes.io/name: spillgate
app.kubernetes.io/part-of: spillgate
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "spillgate.pods" -}}
app.kubernetes.io/name: spillgate
app.kubernetes.io/component: gateway
{{- end }}

{{- define "spillgate.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* Slow to shrink: a pod that goes takes its longest stream with it. */}}
{{- define "spillgate.scaling" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies: [{type: Percent, value: 100, periodSeconds: 60}]
scaleDown:
  stabilizationWindowSeconds: 600
  policies: [{type: Pods, value: 1, periodSeconds: 120}]
{{- end }}

{{/* Of the root and a path: what a probe asks. */}}
{{- define "spillgate.probe" -}}
path: {{ index . 1 }}
port: admin
{{- if eq (index . 0).Values.adminScheme "HTTPS" }}
scheme: HTTPS
{{- end }}
{{- end }}
